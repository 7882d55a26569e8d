"""Values in clusters: standard errors, effective numbers, resamples.

Values of one cluster (a situation, a ticket) are not independent, so everything is computed over the sums of clusters
(Miller 2024, arXiv:2411.00640, section 2.2).
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

N_DRAWS = 1999
CELLS_AT_ONCE = 1_000_000
NOISE = 1e-12
FEW_OFF = 5
ASSUMED_CORRELATION = 0.3


@dataclass(frozen=True)
class Clusters:
    """The values of n examples by cluster; `names` None makes each its own."""

    values: Sequence[float]
    names: Sequence[Hashable] | None = None

    @cached_property
    def mean(self) -> float:
        """Return the mean over examples."""
        return fmean(self.values)

    @cached_property
    def sizes(self) -> Sequence[int]:
        """Return the size of each cluster."""
        return list(Counter(self.names).values()) if self.names is not None else [1] * len(self.values)

    @cached_property
    def residuals(self) -> Sequence[float]:
        """Return the sum of each cluster less what the mean makes of its size."""
        return self._sums([value - self.mean for value in self.values])

    @property
    def are_single(self) -> bool:
        """Return whether every cluster is one example."""
        return len(self.sizes) == len(self.values)

    @cached_property
    def se(self) -> float | None:
        """Return the standard error of the mean, None for fewer than two clusters.

        The square root of G/(G-1) x sum over clusters of (sum of residuals)^2 / n^2; with every value its own cluster
        that is s / sqrt(n).
        """
        n_clusters = len(self.sizes)
        if n_clusters < 2:
            return None
        squares = math.fsum(each**2 for each in self.residuals)
        return math.sqrt(n_clusters / (n_clusters - 1) * squares) / len(self.values)

    @cached_property
    def n_effective(self) -> float:
        """Return n / max(1, design effect): how many independent examples say as much.

        The design effect is the clustered variance over the plain one. Where all values are equal nothing tells it;
        then it is that of a correlation of 0.3 inside clusters (Kish 1965, Survey Sampling).
        """
        n = len(self.values)
        if self.are_single or self.se is None:
            return n
        plain = math.fsum((value - self.mean) ** 2 for value in self.values) / (n - 1)
        if plain < NOISE:
            return n / (1 + (sum(size**2 for size in self.sizes) / n - 1) * ASSUMED_CORRELATION)
        return n / max(1.0, self.se**2 / (plain / n))

    @cached_property
    def skewness(self) -> float:
        """Return the skewness of the clusters' residuals; 0 where they do not differ."""
        square = fmean(each**2 for each in self.residuals)
        return fmean(each**3 for each in self.residuals) / square**1.5 if square > NOISE else 0.0

    def are_mostly(self, value: float) -> bool:
        """Return whether the clusters say too little of the spread: all but fewer than 5 hold `value` and no other.

        Or all have the same sum for their size.
        """
        n_off = sum(each > 0 for each in self._sums([float(abs(one - value) > NOISE) for one in self.values]))
        return n_off < min(FEW_OFF, len(self.sizes)) or (self.se or 0.0) < NOISE

    def drawn(self, seed: int) -> list[float]:
        """Return the t values of resamples of whole clusters, ascending; infinite where a resample has no spread."""
        import numpy  # slow to import

        residuals, sizes = numpy.array(self.residuals), numpy.array(self.sizes, dtype=float)
        n_clusters = len(sizes)
        columns = numpy.stack([residuals, sizes, residuals**2, residuals * sizes, sizes**2], axis=1)
        random = numpy.random.default_rng(seed)
        found: list[float] = []
        while len(found) < N_DRAWS:
            n = min(N_DRAWS - len(found), max(1, CELLS_AT_ONCE // n_clusters))
            picks = random.integers(0, n_clusters, (n, n_clusters))
            total, examples, squares, products, size_squares = columns[picks].sum(axis=1).T
            mean = total / examples
            spread = n_clusters / (n_clusters - 1) * (squares - 2 * mean * products + mean**2 * size_squares)
            se = numpy.sqrt(numpy.maximum(spread, 0)) / examples
            se[se < NOISE] = 0
            with numpy.errstate(divide="ignore", invalid="ignore"):
                found += numpy.nan_to_num(mean / se, nan=0.0, posinf=math.inf, neginf=-math.inf).tolist()
        return sorted(found)

    @cached_property
    def sums(self) -> Sequence[float]:
        """Return the sum of the values of each cluster."""
        return self._sums(self.values)

    def _sums(self, values: Sequence[float]) -> Sequence[float]:
        if self.names is None:
            return values
        sums: dict[Hashable, float] = {}
        for name, value in zip(self.names, values, strict=True):
            sums[name] = sums.get(name, 0.0) + value
        return list(sums.values())
