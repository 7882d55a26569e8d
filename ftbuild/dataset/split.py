"""Splits: a partition by group, drawn from the group's name, so adding examples moves none.

A group goes where the first 8 bytes of sha256(seed, group), read as a fraction of 2**64, fall:
below `validation` to validation, below `validation + test` to test, below the sum with `confirm` to confirm, else to
train: so a share of confirm takes from what is learnt from, and leaves the test as it was.
"""

from ftbuild.digest import canonical_plain, raw
from ftbuild.example import Example, Origin, Split
from ftbuild.settings import Shares


def split_of(example: Example | Origin, shares: Shares) -> Split:
    """Return the split of an example: the one it is pinned to, else the one drawn for its group."""
    if example.only is not None:
        return example.only
    drawn = raw(canonical_plain(["split.v1", shares.seed, example.group]))
    fraction = int.from_bytes(drawn[:8], "big") / 2**64
    if fraction < shares.validation:
        return "validation"
    if fraction < shares.validation + shares.test:
        return "test"
    return "confirm" if fraction < shares.validation + shares.test + shares.confirm else "train"
