"""A split by time: what came first is learnt from, what came last tests.

The borders are dates that the config names, not shares: an example more moves no border, so a dataset may grow at
its end and every older example stays where it was. A group goes where its latest time falls, whole; so a new
message can move its own group, to a later split and never back, and takes no other with it.
"""

from collections.abc import Iterable, Mapping

from ftbuild.dataset.split import split_of
from ftbuild.example import Example, Origin, Split
from ftbuild.settings import Shares


def latest_times(examples: Iterable[Example]) -> dict[str, float]:
    """Return the latest time of each group, in seconds since 1970; pinned examples decide nothing."""
    found: dict[str, float] = {}
    for each in examples:
        if each.time is not None and each.only is None:
            found[each.group] = max(each.time, found.get(each.group, each.time))
    return found


def split_at(time: float, shares: Shares) -> Split:
    """Return the split that begins last before `time`."""
    if time >= shares.confirm_seconds:
        return "confirm"
    if time >= shares.test_seconds:
        return "test"
    return "validation" if time >= shares.validation_seconds else "train"


def split_in(example: Example | Origin, shares: Shares, latest: Mapping[str, float]) -> Split:
    """Return the split of an example: the one it is pinned to, else by its group's latest time, else by its group."""
    if example.only is None and example.group in latest:
        return split_at(latest[example.group], shares)
    return split_of(example, shares)
