"""Confidence intervals of one mean: Wilson for shares, else Student's t or the bootstrap, all clustered.

One value or one cluster says nothing about spread: its interval is unbounded.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ftbuild.stats.clustered import NOISE, Clusters
from ftbuild.stats.pivot import Bootstrap, Pivot, Student, Wilson

LEAST_DRAWN = 5
FEW_CLUSTERS = 40
COCHRAN = 25
SEED = 0


@dataclass(frozen=True)
class Interval:
    """A mean of `n` values with its bounds; None is no value, a bound None is unbounded.

    `method` is how the bounds were found, "" where there are none.
    """

    n: int
    mean: float | None
    low: float | None
    high: float | None
    method: str = ""


def interval(values: Sequence[float], clusters: Sequence[Hashable] | None = None, confidence: float = 0.95) -> Interval:
    """Return the interval of a mean. `clusters` names the cluster of each value, None makes each its own.

    No values give no mean. Values between 0 and 1 are taken for scores of that range: their bounds stay inside it.
    """
    if not values:
        return Interval(0, None, None, None)
    found = Clusters(values, clusters)
    pivot = pivot_of(found)
    if pivot is None:
        return Interval(len(values), found.mean, None, None)
    low, high = bounds(pivot, confidence, (0.0, 1.0) if all(0 <= value <= 1 for value in values) else None)
    return Interval(len(values), found.mean, low, high, pivot.method)


def p_of_mean(values: Sequence[float], value: float, clusters: Sequence[Hashable] | None = None) -> float | None:
    """Return the two-sided p of `value` being the mean, by the method of the interval; None where nothing tells."""
    pivot = pivot_of(Clusters(values, clusters)) if values else None
    return pivot.p(value) if pivot else None


def bounds(pivot: Pivot, confidence: float, inside: tuple[float, float] | None) -> tuple[float | None, float | None]:
    """Return the bounds of the interval, kept `inside` the range the mean is known to have."""
    low, high = pivot.interval(confidence)
    if inside is not None:
        low, high = max(inside[0], low), min(inside[1], high)
    return low if math.isfinite(low) else None, high if math.isfinite(high) else None


def pivot_of(found: Clusters) -> Pivot | None:
    """Return what is known of the mean of one arm, None where nothing is.

    For 0 and 1 it is Wilson's, n the effective number and the quantile that of t(G-1) where there are clusters (after
    Korn and Graubard 1998, Survey Methodology 24:193). So it is for scores between 0 and 1 that are all the same but
    in fewer than 5 clusters: zeros and ones of the same mean spread more. For the rest see `pivot_of_any`.
    """
    if found.se is None:
        return None
    is_score = all(0 <= value <= 1 for value in found.values)
    usual = Counter(found.values).most_common(1)[0][0]
    if is_score and (all(value in (0, 1) for value in found.values) or found.are_mostly(usual)):
        degrees = None if found.are_single else len(found.sizes) - 1
        return Wilson(found.mean, found.n_effective, degrees)
    return pivot_of_any(found)


def pivot_of_any(found: Clusters) -> Pivot | None:
    """Return what is known of the mean of values of any kind, None where they do not differ.

    Student's t with the clustered error. Where that errs it is the studentized bootstrap of clusters: with fewer than
    40 clusters of several examples, or fewer clusters than 25 x skewness^2 (Cochran 1977, Sampling Techniques, 2.15).
    Resamples of fewer than 5 clusters are too often of one alone.
    """
    if found.se is None or found.se < NOISE:
        return None
    n_clusters = len(found.sizes)
    is_few = not found.are_single and n_clusters < FEW_CLUSTERS
    if n_clusters >= LEAST_DRAWN and (is_few or n_clusters < COCHRAN * found.skewness**2):
        return Bootstrap(found.mean, found.se, found.drawn(SEED), n_clusters - 1 if is_few else None)
    return Student(found.mean, found.se, n_clusters - 1)
