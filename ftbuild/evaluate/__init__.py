"""Answers of every arm, their scores and the comparison that judges the goal."""
