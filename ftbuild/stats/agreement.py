"""How well two raters agree, chance taken out: Cohen's kappa with its interval.

Cohen 1960, "A Coefficient of Agreement for Nominal Scales", Educ. Psychol. Meas. 20:37. As there, the agreement that
chance would give is taken as known for the interval; that of the observed share is Wilson's, which stays honest for
few examples and for perfect agreement.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ftbuild.stats.interval import interval


@dataclass(frozen=True)
class Agreement:
    """Of `n` examples the share on which both agree, and kappa with its bounds; None is no value, or unbounded."""

    n: int
    agreed: float | None
    kappa: float | None
    low: float | None
    high: float | None


def agreement(one: Sequence[str], other: Sequence[str], confidence: float = 0.95) -> Agreement:
    """Return the agreement of two raters on the same examples, in the same order.

    Of nothing, or where both give one and the same label throughout, there is no kappa.
    """
    seen = interval([float(a == b) for a, b in zip(one, other, strict=True)], confidence=confidence)
    if seen.mean is None:
        return Agreement(0, None, None, None, None)
    first, second = Counter(one), Counter(other)
    chance = sum(first[label] * second[label] for label in first) / seen.n**2
    if chance == 1:
        return Agreement(seen.n, seen.mean, None, None, None)
    kappa, low, high = ((None if p is None else (p - chance) / (1 - chance)) for p in (seen.mean, seen.low, seen.high))
    return Agreement(seen.n, seen.mean, kappa, low, high)
