"""The trials of a search, as the driver takes them: which is next, what is remembered, and all of it in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbuild.cli.choosing import Outcome, Trial, label, nobody, told, worth
from ftbuild.composed import Asked
from ftbuild.digest import of_value
from ftbuild.errors import CostError
from ftbuild.origins import Origin
from ftbuild.plan.graph import Graph
from ftbuild.plan.splits import validating
from ftbuild.points import Point, shortened
from ftbuild.problem import render
from ftbuild.report import words
from ftbuild.search import Search, Tried, Values, best, ends, remember, remembered, suggest, to_ask, typed
from ftbuild.store.store import Store

LISTED_AT_MOST = 5


def memory(search: Search, graph: Graph, point: Point, store: Store) -> Path:
    """Return the file that remembers a search: of what is drawn, by which sampler, in which settings, from which data.

    More trials, or more at once, are the same search.
    """
    said = search.to_json()
    drawn = {name: said[name] for name in ("sampler", "seed", "keys", "when")}
    settings = sorted(validating(graph, point.ids).actions)
    return store.folder / "searches" / f"{of_value(['search.v1', drawn, settings])}.jsonl"


class Trials:
    """The trials of a search over the settings of one point."""

    def __init__(self, search: Search, point: Point, path: Path) -> None:
        self._search, self._point, self._path = search, point, path
        self._tried = remembered(path)
        self._n_kept = len(self._tried)
        self._asked: Sequence[Values] = ()
        self._ended = ""

    def ask(self) -> list[Trial]:
        """Return the next trials; none where there were as many as wanted, or the money has come to its end."""
        n = 0 if self._ended else to_ask(self._search, len(self._tried))
        self._asked = suggest(self._search, self._tried, n) if n else ()
        return [self._trial(values) for values in self._asked]

    def tell(self, found: Sequence[Outcome]) -> str:
        """Take what they are worth, and say which is the best by now."""
        number = len(self._tried)
        new = [Tried(values, each.worth, each.error) for values, each in zip(self._asked, found, strict=True)]
        self._tried += new
        ahead = best(self._tried, 1)
        rows = [
            (f"trial {at}", each.trial.name, *worth(each), "best" if at - 1 in ahead else "")
            for at, each in enumerate(found, number + 1)
        ]
        head = f"{len(self._tried)} of {words.count(self._search.n_trials, 'trial')}"
        return told(f"{head}, {label(found)} on the validation split", rows)

    def keep(self) -> None:
        """Remember the trials that were told."""
        remember(self._path, self._tried[self._n_kept :])
        self._n_kept = len(self._tried)

    def is_over(self, _trial: Trial) -> bool:
        """Return that no trial is given up while it trains."""
        return False

    def ends_at(self, error: CostError) -> bool:
        """Return whether the search ends with the trials that it has, the next costing too much."""
        self._ended = render(error.problems).partition("\n")[0]
        return bool(best(self._tried, 1))

    def finalists(self) -> list[Trial]:
        """Return the best trials.

        Raises:
            EvaluationError: none has a value.
        """
        found = best(self._tried, self._search.finalists)
        if not found:
            raise nobody([Outcome(self._trial(each.values), each.worth, each.error) for each in self._tried])
        return [self._trial(self._tried[number].values) for number in found]

    def to_come(self) -> str:
        """Return how many trials may follow, "" where none does."""
        left = self._search.n_trials - len(self._tried)
        if not left:
            return ""
        n = min(self._search.finalists, self._search.n_trials)
        rest = left - len(self._asked)
        more = f"then {rest} more, each drawn from what those before it were worth; " if rest else ""
        first = "; ".join(self._trial(values).name for values in self._asked)
        return f"first {first}; {more}then the best{f' {n}' if n > 1 else ''} built in full and tested"

    def probes(self) -> list[Trial]:
        """Return a point for each choice and each end of a range, the others as first drawn, or as that needs them."""
        found = []
        for key, drawn in self._search.keys.items():
            needed = {other: said[0] for other, said in self._search.when.get(key, {}).items()}
            found += [self._trial({**self._asked[0], **needed, key: end}) for end in ends(drawn)]
        return found

    def later(self) -> list[tuple[list[Trial], int]]:
        """Return nobody: what will be drawn is not known."""
        return []

    def cut(self) -> list[tuple[str, str]]:
        """Return nobody: there may be many trials, and the best of them are told."""
        return []

    def stopped(self) -> list[str]:
        """Return what the search came to: how many trials, the best of them, those that failed, and why it ended."""
        failed = [number for number, each in enumerate(self._tried, 1) if each.worth is None]
        ahead = [
            f"trial {number + 1} {self._trial(self._tried[number].values).name} {words.value(self._tried[number].mean)}"
            for number in best(self._tried, LISTED_AT_MOST)
        ]
        n = words.count(len(self._tried), "trial")
        lines = [f"{n} of {self._search.n_trials}, the best on the validation split: {'; '.join(ahead)}"]
        if failed:
            lines.append(
                f"Failed: {', '.join(f'trial {number} ({self._tried[number - 1].error})' for number in failed)}"
            )
        return [*lines, *([f"The search has ended early: {self._ended}"] if self._ended else [])]

    def to_json(self) -> Mapping[str, Any]:
        """Return every trial."""
        trials = [
            {"values": each.values, "mean": each.mean, **({"error": each.error} if each.error else {})}
            for each in self._tried
        ]
        return {"search": {"sampler": self._search.sampler, "seed": self._search.seed, "trials": trials}}

    def _trial(self, values: Values) -> Trial:
        said = [f"{key}={typed(value)}" for key, value in values.items()]
        places = {key: at for key in values if (at := self._search.places[key]) is not None}
        origins = {key.lstrip("+"): Origin(path, line, Path(tree)) for key, (path, line, tree) in places.items()}
        asked = Asked((*self._point.composed.overrides, *said), {**self._point.composed.origins.typed, **origins})
        return Trial(" ".join(map(shortened, said)), asked)
