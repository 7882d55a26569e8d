"""Paid actions: intent, one launch, adoption, watching, cancelling.

Owns the promise that a job is launched once. Knows no provider: `port.py` says what one must offer.
"""
