"""What a sweep that gives points up early is made of: trials, what came of them, who chooses; and these in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ftbuild.cli.grid import aligned
from ftbuild.cli.layout import columns, hang
from ftbuild.composed import Asked
from ftbuild.errors import CostError, EvaluationError, FtbuildError
from ftbuild.report import words


@dataclass(frozen=True)
class Trial:
    """A point on its way: what sets it apart from the others, and the words that ask for it; with an `epoch` the
    checkpoint after that is asked, and the job waits.
    """

    name: str
    asked: Asked
    epoch: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What a trial is worth on the validation split, `n` and `mean` by a metric; None where it failed by `error`."""

    trial: Trial
    worth: Mapping[str, Any] | None
    error: str = ""


class Chooser(Protocol):
    """Who says which points are tried next, and which are left in the end."""

    def ask(self) -> Sequence[Trial]:
        """Return who is tried next, nobody where only the finalists are left."""
        ...

    def tell(self, found: Sequence[Outcome]) -> str:
        """Take what came of those who were asked for last, and return it in words."""
        ...

    def keep(self) -> None:
        """Write down what was told and must not be lost."""
        ...

    def is_over(self, trial: Trial) -> bool:
        """Return whether one of those who were told last goes no further."""
        ...

    def ends_at(self, error: CostError) -> bool:
        """Return whether those who were asked for are done without, for they cost too much."""
        ...

    def finalists(self) -> Sequence[Trial]:
        """Return who is built in full.

        Raises:
            EvaluationError: nobody is left.
        """
        ...

    def cut(self) -> Sequence[tuple[str, str]]:
        """Return who was given up on a rung, by name, and what is to be said of each."""
        ...

    def stopped(self) -> Sequence[str]:
        """Return lines about how they were chosen."""
        ...

    def to_come(self) -> str:
        """Return in words what may follow those who were asked for, "" where nothing does."""
        ...

    def probes(self) -> Sequence[Trial]:
        """Return points that between them have every value that may be tried, or its bounds."""
        ...

    def later(self) -> Sequence[tuple[Sequence[Trial], int]]:
        """Return who may be tried after those who were asked for, and how many of them at most, round by round; the
        last are built in full. Nothing where that is not known.
        """
        ...

    def to_json(self) -> Mapping[str, Any]:
        """Return how they were chosen, for run.json."""
        ...


def nobody(found: Sequence[Outcome]) -> FtbuildError:
    """Return the error of a sweep in which nobody is left."""
    said = "; ".join(f"{each.trial.name}: {each.error or 'no answer has a value'}" for each in found)
    return EvaluationError(f"no point is left to build: {said}")


def told(head: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table with its head, for the terminal."""
    return "\n".join([hang("", head, columns()), *(f"  {line}" for line in aligned(rows))])


def worth(found: Outcome) -> tuple[str, str]:
    """Return what a trial is worth, and on how many examples; of one that failed, why."""
    if found.worth is None:
        return "failed", found.error
    return words.value(found.worth["mean"]), words.count(found.worth["n"], "example")


def label(found: Sequence[Outcome]) -> str:
    """Return what people call the metric."""
    from ftbuild.scorers import metric_of

    return next((metric_of(each.worth["metric"]).label for each in found if each.worth), "no value")
