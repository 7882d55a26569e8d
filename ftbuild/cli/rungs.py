"""The rungs of a halving, as the driver takes them: who is on one, who goes on, and all of it in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.cli.choosing import Outcome, Trial, label, nobody, told, worth
from ftbuild.composed import Asked
from ftbuild.errors import CostError
from ftbuild.halving import Halving, Ladder
from ftbuild.points import UNCHANGED, Point, shortened
from ftbuild.report import sweep_words, words
from ftbuild.spaces import bare, spelt


class Rungs:
    """The points of a sweep on their way up; each is given with its last rung."""

    def __init__(self, halving: Halving, points: Sequence[Point]) -> None:
        self._halving, self._points = halving, points
        self._ladder = Ladder(halving, len(points))
        self._told: list[dict[str, Any]] = []
        self._last: Sequence[Outcome] = ()

    def ask(self) -> list[Trial]:
        """Return who is on the rung, nobody on the last."""
        return [] if self._ladder.is_last else self._on_it()

    def tell(self, found: Sequence[Outcome]) -> str:
        """Take what they are worth, let the best go on, and say who does."""
        before, rung = self._ladder.on_it, self.rung(self._ladder.rung)
        lower = next((each.worth["lower_is_better"] for each in found if each.worth), False)
        means = [each.worth["mean"] if each.worth else None for each in found]
        self._ladder.tell(means, lower_is_better=lower)
        self._last = found
        goes_on = [number in self._ladder.on_it for number in before]
        self._told.append(
            {
                "key": bare(self._halving.key),
                "value": self._halving.values[len(self._told)],
                "name": rung,
                "metric": next((each.worth["metric"] for each in found if each.worth), None),
                "points": [
                    {
                        "point": each.trial.name,
                        "n": each.worth["n"] if each.worth else 0,
                        "mean": mean,
                        "goes_on": on,
                        **({"error": each.error} if each.error else {}),
                    }
                    for each, mean, on in zip(found, means, goes_on, strict=True)
                ],
            }
        )
        rows = [
            (each.trial.name, *worth(each), "goes on" if on else "stops")
            for each, on in zip(found, goes_on, strict=True)
        ]
        n = sum(goes_on)
        head = f"{rung}, {label(found)} on the validation split: {n} of {len(found)} {'goes' if n == 1 else 'go'} on"
        return told(f"{head} to {self.rung(self._ladder.rung)}", rows)

    def is_over(self, trial: Trial) -> bool:
        """Return whether one of those who were told last stops."""
        return not any(each["point"] == trial.name and each["goes_on"] for each in self._told[-1]["points"])

    def keep(self) -> None:
        """Keep nothing: every value is found again by what it was made of."""

    def ends_at(self, _error: CostError) -> bool:
        """Return that a rung whose points cost too much ends the sweep."""
        return False

    def finalists(self) -> list[Trial]:
        """Return who has come to the last rung.

        Raises:
            EvaluationError: nobody has.
        """
        if not self._ladder.on_it:
            raise nobody(self._last)
        return self._on_it()

    def to_json(self) -> Mapping[str, Any]:
        """Return what happened on each rung."""
        return {"rungs": self._told}

    def rung(self, number: int) -> str:
        """Return what a rung is, counted from 0: n_epochs=3, or epoch 1 of one job."""
        if self._halving.by_checkpoints:
            return "the end" if self._is_end(number) else f"epoch {self._halving.values[number]}"
        return shortened(self._word(number))

    def to_come(self) -> str:
        """Return who may go on from this rung, and how far; "" on the last."""
        last, n = len(self._halving.values) - 1, len(self._points)
        said = [
            f"at most {self._halving.n_on(rung, n)} of {n} {self._way} {self.rung(rung)}"
            for rung in range(self._ladder.rung + 1, last + 1)
        ]
        return f"then {', then '.join(said)}, built in full and tested" if said else ""

    def probes(self) -> list[Trial]:
        """Return the first point on every rung."""
        return [self._trial(self._points[0], rung) for rung in range(len(self._halving.values))]

    def later(self) -> list[tuple[list[Trial], int]]:
        """Return who may be on each rung above this one, and how many of them at most."""
        on_it, n = [self._points[number] for number in self._ladder.on_it], len(self._points)
        return [
            ([self._trial(point, rung) for point in on_it], self._halving.n_on(rung, n))
            for rung in range(self._ladder.rung + 1, len(self._halving.values))
        ]

    def cut(self) -> list[tuple[str, str]]:
        """Return who stopped, on which rung, and with what value."""
        return [
            (one["point"], f"cut at {self.rung(rung)}: {self._came_to(one)}")
            for rung, each in enumerate(self._told)
            for one in each["points"]
            if not one["goes_on"]
        ]

    def stopped(self) -> list[str]:
        """Return the ties at the cut."""
        ties = [(self.rung(rung), sweep_words.ties(each)) for rung, each in enumerate(self._told)]
        return [f"At {rung} there was {said}" for rung, said in ties if said]

    def _came_to(self, told: Mapping[str, Any]) -> str:
        return f"failed, {told['error']}" if "error" in told else f"{words.value(told['mean'])} on the validation split"

    def _word(self, rung: int) -> str:
        return f"{self._halving.key}={spelt(self._halving.values[rung])}"

    @property
    def _way(self) -> str:
        return "go on to" if self._halving.by_checkpoints else "with"

    def _is_end(self, rung: int) -> bool:
        return rung == len(self._halving.values) - 1

    def _on_it(self) -> list[Trial]:
        return [self._trial(self._points[number], self._ladder.rung) for number in self._ladder.on_it]

    def _trial(self, point: Point, rung: int) -> Trial:
        """Return a point as it stands on a rung: the word that comes last is that of its last one.

        With checkpoints it is the same point on all of them.
        """
        name = point.name or UNCHANGED
        if self._halving.by_checkpoints:
            epoch = None if self._is_end(rung) else self._halving.values[rung]
            return Trial(name, Asked(point.composed.overrides, point.composed.origins.typed), epoch)
        *others, _ = point.composed.overrides
        return Trial(name, Asked((*others, self._word(rung)), point.composed.origins.typed))
