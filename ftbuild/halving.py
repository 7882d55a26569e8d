"""Successive halving: every point begins small, and of each rung only the best go on to the next.

Pure, and the same for the same values. K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and
Hyperparameter Optimization", AISTATS 2016. A rung is a value of one key, as epochs; a value of a point is what its
model reaches on the validation split, never its training loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

CHECKPOINTS = "checkpoints"  # in place of a key: the epochs of one job, which is cancelled where a point stops


@dataclass(frozen=True)
class Halving:
    """Which key rises over which values, and the share of points that goes on from one to the next.

    The values of CHECKPOINTS are epochs, and None for the end of the job.
    """

    key: str
    values: tuple[Any, ...]
    keep: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"key": self.key, "values": list(self.values), "keep": self.keep}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Halving":
        """Return what `to_json` was given."""
        return cls(value["key"], tuple(value["values"]), value["keep"])

    @property
    def by_checkpoints(self) -> bool:
        """Return whether a point has one job for all rungs."""
        return self.key == CHECKPOINTS

    def n_on(self, rung: int, n_points: int) -> int:
        """Return how many of `n_points` are on a rung at most, the first being 0."""
        for _ in range(rung):
            n_points = max(1, int(Decimal(repr(self.keep)) * n_points))
        return n_points


class Ladder:
    """The rungs of so many points, numbered from 0: asked who is on a rung, told what they reach, one after the other.

    `n_on` the last rung nobody is told of: who is on it is built in full.
    """

    def __init__(self, halving: Halving, n_points: int) -> None:
        self._halving, self._n_points = halving, n_points
        self.rung, self.on_it = 0, list(range(n_points))

    @property
    def is_last(self) -> bool:
        """Return whether the rung is the last."""
        return self.rung == len(self._halving.values) - 1

    def tell(self, values: Sequence[float | None], *, lower_is_better: bool) -> None:
        """Let the best of those on the rung go on, of equal ones the first; who has no value never does."""
        sign = 1 if lower_is_better else -1
        valued = [(sign * value, number) for number, value in zip(self.on_it, values, strict=True) if value is not None]
        self.rung += 1
        best = sorted(valued)[: self._halving.n_on(self.rung, self._n_points)]
        self.on_it = sorted(number for _, number in best)


def are_epochs(values: Sequence[Any]) -> bool:
    """Return whether values are epochs after which a job can stand still: whole numbers from 1 on that rise."""
    return all(type(each) is int and each > 0 for each in values) and rises([*values, None])


def rises(values: Sequence[Any]) -> bool:
    """Return whether values are two or more numbers that rise; the last may be None, for all there is."""
    numbers = values[:-1] if values and values[-1] is None else values
    are_numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
    return len(values) > 1 and are_numbers and all(one < other for one, other in pairwise(numbers))
