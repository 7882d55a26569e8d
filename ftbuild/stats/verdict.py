"""One word for a difference: better, worse, no difference, or not enough data to say."""

from collections.abc import Sequence
from typing import Literal

from ftbuild.stats.multiple import holm
from ftbuild.stats.paired import Difference

Verdict = Literal["better", "worse", "no_difference", "underpowered"]
MARGIN = 0.05
ALPHA = 0.05


def verdict(difference: Difference, margin: float = MARGIN, lower_is_better: bool = False) -> Verdict:
    """Return what interval and test say of `other`; of several at once see `verdicts`.

    "better" and "worse" need the interval clear of zero and a p on clusters of 0.05 or less; "no_difference" means that
    the interval excludes any difference larger than `margin`; "underpowered" that it is none of them. An unbounded
    interval, or none, is underpowered.
    """
    return _verdict(difference, difference.p_clustered, margin, lower_is_better)


def verdicts(
    differences: Sequence[Difference], margins: Sequence[float], lower_is_better: Sequence[bool]
) -> list[Verdict]:
    """Return the verdict of each of several looks, as the points of a sweep, with p corrected for all (Holm).

    Where nothing differs, any "better" or "worse" among them is as rare as with a single look.
    """
    corrected = holm([each.p_clustered for each in differences])
    return [_verdict(*each) for each in zip(differences, corrected, margins, lower_is_better, strict=True)]


def _verdict(difference: Difference, p: float | None, margin: float, lower_is_better: bool) -> Verdict:
    low, high = difference.low, difference.high
    if low is None or high is None or p is None:
        return "underpowered"
    if lower_is_better:
        low, high = -high, -low
    if p <= ALPHA and low > 0:
        return "better"
    if p <= ALPHA and high < 0:
        return "worse"
    return "no_difference" if -margin <= low and high <= margin else "underpowered"
