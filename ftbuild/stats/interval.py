"""Confidence intervals of one mean: Wilson for shares, Student t for the rest, both clustered.

Values of one cluster (a situation, a ticket) are not independent, so standard errors are computed
over clusters. One value or one cluster says nothing about spread: its interval is unbounded.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean


@dataclass(frozen=True)
class Interval:
    """A mean of `n` values with its bounds; None is no value, a bound None is unbounded."""

    n: int
    mean: float | None
    low: float | None
    high: float | None


def interval(values: Sequence[float], clusters: Sequence[Hashable] | None = None, confidence: float = 0.95) -> Interval:
    """Return Wilson's interval when every value is 0 or 1, else the interval of the mean.

    `clusters` names the cluster of each value, None makes each its own. No values give no mean.
    """
    if values and all(value in (0, 1) for value in values):
        return wilson(values, clusters, confidence)
    return mean_interval(values, clusters, confidence)


def mean_interval(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None, confidence: float = 0.95
) -> Interval:
    """Return mean ± t(G-1) x clustered standard error (Miller 2024, arXiv:2411.00640, section 2.2).

    Fewer than two clusters leave it unbounded. Bounds are not clipped to the metric's range.
    """
    if not values:
        return Interval(0, None, None, None)
    mean = fmean(values)
    se, n_clusters = clustered_se(values, clusters)
    if se is None:
        return Interval(len(values), mean, None, None)
    reach = t_quantile(0.5 + confidence / 2, n_clusters - 1) * se
    return Interval(len(values), mean, mean - reach, mean + reach)


def wilson(values: Sequence[float], clusters: Sequence[Hashable] | None = None, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share (Wilson 1927, JASA 22:209), values all 0 or 1.

    With clusters, n becomes n / max(1, design effect) and the normal quantile becomes that of
    t(G-1) (after Korn and Graubard 1998, Survey Methodology 24:193); the design effect is the
    clustered variance over the plain one, 1 when all values are equal. Fewer than two values,
    or fewer than two clusters, leave it unbounded.
    """
    n = len(values)
    if not n:
        return Interval(0, None, None, None)
    share = fmean(values)
    se, n_clusters = clustered_se(values, clusters)
    if se is None:
        return Interval(n, share, None, None)
    z, n_effective = NormalDist().inv_cdf(0.5 + confidence / 2), float(n)
    if clusters is not None and n_clusters < n:
        plain = share * (1 - share) / (n - 1)
        n_effective = n / max(1.0, se**2 / plain) if plain else n_effective
        z = t_quantile(0.5 + confidence / 2, n_clusters - 1)
    centre = (share + z**2 / (2 * n_effective)) / (1 + z**2 / n_effective)
    root = math.sqrt(share * (1 - share) / n_effective + z**2 / (4 * n_effective**2))
    reach = z / (1 + z**2 / n_effective) * root
    return Interval(n, share, centre - reach if share > 0 else 0.0, centre + reach if share < 1 else 1.0)


def clustered_se(values: Sequence[float], clusters: Sequence[Hashable] | None = None) -> tuple[float | None, int]:
    """Return the standard error of the mean, clustered, and the number of clusters G.

    The square root of G/(G-1) x sum over clusters of (sum of residuals)^2 / n^2; with every value
    its own cluster that is s / sqrt(n). None for fewer than two clusters.
    """
    mean = fmean(values)
    residuals: defaultdict[Hashable, float] = defaultdict(float)
    for name, value in zip(clusters if clusters is not None else range(len(values)), values, strict=True):
        residuals[name] += value - mean
    n_clusters = len(residuals)
    if n_clusters < 2:
        return None, n_clusters
    squares = math.fsum(total**2 for total in residuals.values())
    return math.sqrt(n_clusters / (n_clusters - 1) * squares) / len(values), n_clusters


def t_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t with that many degrees of freedom."""
    from scipy.special import stdtrit  # slow to import

    return float(stdtrit(degrees, probability))
