"""The report: one `ReportInput` -> terminal text and one self-contained HTML file.

Owns wording, layout and the choice of what is shown first. Computes no statistics: every mean, interval
and verdict comes out of `results`. Reads no clock and no file but its own templates, so the same
input gives the same bytes.
"""
