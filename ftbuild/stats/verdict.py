"""One word for a difference: better, worse, no difference, or not enough data to say."""

from typing import Literal

from ftbuild.stats.paired import Difference

Verdict = Literal["better", "worse", "no_difference", "underpowered"]
MARGIN = 0.05


def verdict(difference: Difference, margin: float = MARGIN, lower_is_better: bool = False) -> Verdict:
    """Return what the interval says of `other`: clear of zero, or inside ±`margin`, or neither.

    "no_difference" means that the interval excludes any difference larger than `margin`;
    "underpowered" that it excludes neither zero nor such a difference. An unbounded interval, or
    none, is underpowered.
    """
    low, high = difference.low, difference.high
    if low is None or high is None:
        return "underpowered"
    if lower_is_better:
        low, high = -high, -low
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "no_difference" if -margin <= low and high <= margin else "underpowered"
