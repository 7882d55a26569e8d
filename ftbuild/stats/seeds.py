"""How much chance alone moves a metric: one configuration trained with several seeds.

An interval over examples says what other examples would give of this one model; it knows nothing of the models that
other seeds would have given (Dodge et al. 2020, arXiv:2002.06305; Bouthillier et al. 2021, arXiv:2103.03098).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Spread:
    """Of `n` values, one a seed: mean, standard deviation (of n - 1), the least and the most; None is no value."""

    n: int
    mean: float | None
    sd: float | None
    least: float | None
    most: float | None

    def hides(self, gain: float) -> bool:
        """Return whether the seeds differ by more than a gain: another seed might have shown none."""
        return self.least is not None and self.most is not None and 0 < gain < self.most - self.least


def spread(values: Sequence[float]) -> Spread:
    """Return how values of one configuration spread, a seed each; of one alone nothing tells the deviation."""
    if not values:
        return Spread(0, None, None, None, None)
    return Spread(len(values), fmean(values), stdev(values) if len(values) > 1 else None, min(values), max(values))
