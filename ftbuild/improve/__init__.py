"""The fifth step: what went wrong, what is missing in the data, and what the next round could learn from.

Proposes, and never edits data. Reads test examples for counts alone.
"""
