"""What is known of one mean: its interval at any confidence, and the p of any value it might have.

Both come of one statistic, so an interval holds exactly the values that its test does not reject. Which statistic
fits which values is chosen in `interval` and `paired`. `degrees` are those of Student's t, None of the normal.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

HALVINGS = 60


class Pivot(Protocol):
    """What is known of one mean; `method` is its name in the field."""

    @property
    def method(self) -> str:
        """Return how interval and p are made."""

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the bounds of the two-sided interval."""

    def p(self, value: float) -> float:
        """Return the two-sided p of the true mean being `value`."""


@dataclass(frozen=True)
class Student:
    """Mean ± t x standard error. The bounds may leave the range that the values have."""

    mean: float
    se: float
    degrees: int
    method: str = "t"

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return mean ± t x standard error."""
        reach = quantile(0.5 + confidence / 2, self.degrees) * self.se
        return self.mean - reach, self.mean + reach

    def p(self, value: float) -> float:
        """Return the p of the t test."""
        return two_sided(self.mean - value, self.se, self.degrees)


@dataclass(frozen=True)
class Wilson:
    """The score interval of a share (Wilson 1927, JASA 22:209) out of `n`, which may be an effective number."""

    share: float
    n: float
    degrees: int | None = None
    method: str = "Wilson"

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the bounds, inside 0 to 1."""
        z = quantile(0.5 + confidence / 2, self.degrees)
        centre = (self.share + z**2 / (2 * self.n)) / (1 + z**2 / self.n)
        root = math.sqrt(self.share * (1 - self.share) / self.n + z**2 / (4 * self.n**2))
        reach = z / (1 + z**2 / self.n) * root
        return centre - reach if self.share > 0 else 0.0, centre + reach if self.share < 1 else 1.0

    def p(self, value: float) -> float:
        """Return the p of the score test; of what no share can be it is 0."""
        if not 0 <= value <= 1:
            return 0.0
        return two_sided(self.share - value, math.sqrt(value * (1 - value) / self.n), self.degrees)


@dataclass(frozen=True)
class Tango:
    """The score interval of a paired difference of shares (Tango 1998, Statist. Med. 17:891).

    `wins` and `losses` are the discordant pairs out of `n`; all three may be effective numbers.
    """

    wins: float
    losses: float
    n: float
    degrees: int | None = None
    method: str = "Tango"

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the bounds, inside -1 to 1: where the statistic, which falls in the value, passes ±z."""
        z = quantile(0.5 + confidence / 2, self.degrees)
        mean = (self.wins - self.losses) / self.n
        return (
            _crossing(lambda value: self._statistic(value) <= z, -1.0, mean),
            _crossing(lambda value: self._statistic(value) < -z, mean, 1.0),
        )

    def p(self, value: float) -> float:
        """Return the p of the score test; of what no difference of shares can be it is 0."""
        if not -1 <= value <= 1:
            return 0.0
        return two_sided(self.wins - self.losses - self.n * value, self._se_of_sum(value), self.degrees)

    def _statistic(self, value: float) -> float:
        gap, se = self.wins - self.losses - self.n * value, self._se_of_sum(value)
        return gap / se if se else math.copysign(math.inf, gap) if gap else 0.0

    def _se_of_sum(self, value: float) -> float:
        """Return the standard error of wins - losses under the most likely table whose difference is `value`."""
        linear = -self.wins - self.losses + (2 * self.n - self.wins + self.losses) * value
        square = max(0.0, linear**2 + 8 * self.n * self.losses * value * (1 - value))
        lost = (math.sqrt(square) - linear) / (4 * self.n)
        return math.sqrt(max(0.0, self.n * (2 * lost + value * (1 - value))))


@dataclass(frozen=True)
class Bootstrap:
    """Mean - drawn t x standard error: the studentized bootstrap (Hall 1992, The Bootstrap and Edgeworth Expansion).

    `drawn` are the t values of resamples, ascending. They follow a skewed distribution, and keep their rate in small
    samples, where percentiles do not. With `degrees` no bound is nearer than that of Student's t: resamples of few
    clusters are too few different ones.
    """

    mean: float
    se: float
    drawn: Sequence[float]
    degrees: int | None = None
    method: str = "bootstrap t"

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the bounds."""
        outside = max(1, math.floor((1 - confidence) / 2 * (len(self.drawn) + 1)))
        t = quantile(0.5 + confidence / 2, self.degrees) if self.degrees else 0.0
        above, below = max(t, self.drawn[-outside]), min(-t, self.drawn[outside - 1])
        return self.mean - above * self.se, self.mean - below * self.se

    def p(self, value: float) -> float:
        """Return twice the share of resamples whose t lies as far out on its side, not below the p of the t test."""
        t = (self.mean - value) / self.se
        above, below = sum(each >= t for each in self.drawn), sum(each <= t for each in self.drawn)
        drawn = min(1.0, 2 * (1 + min(above, below)) / (1 + len(self.drawn)))
        return max(drawn, two_sided(self.mean - value, self.se, self.degrees)) if self.degrees else drawn


def _crossing(is_beyond: Callable[[float], bool], low: float, high: float) -> float:
    """Return where `is_beyond` turns true between `low` and `high`."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_beyond(middle) else (middle, high)
    return high


def quantile(probability: float, degrees: int | None) -> float:
    """Return the quantile of Student's t with that many degrees of freedom, of the normal for None."""
    if degrees is None:
        return NormalDist().inv_cdf(probability)
    from scipy.special import stdtrit  # slow to import

    return float(stdtrit(degrees, probability))


def two_sided(gap: float, se: float, degrees: int | None) -> float:
    """Return the two-sided p of a gap of so many standard errors; without any error it is certain."""
    if not se:
        return 0.0 if gap else 1.0
    size = abs(gap) / se
    if degrees is None:
        return math.erfc(size / math.sqrt(2))
    from scipy.special import stdtr  # slow to import

    return float(2 * stdtr(degrees, -size))
