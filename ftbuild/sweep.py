"""What the points of a sweep come to together: so many looks at one test split, the seeds of one configuration, and a
winner, who is asked once more on examples that nobody has looked at.

Each point has a run of its own; this says what none of them can know alone. It is kept in the run.json of every point.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ftbuild.digest import of_value
from ftbuild.errors import FtbuildError
from ftbuild.lookup import History
from ftbuild.outcome import Build, Ran
from ftbuild.plan.action import COMPARE, CONFIRM, Stage
from ftbuild.plan.graph import Graph
from ftbuild.plan.splits import confirming, has_confirm
from ftbuild.points import Point
from ftbuild.report.words import metric_of
from ftbuild.runners.formats import parse_lines

if TYPE_CHECKING:
    from ftbuild.stats import Verdict


@dataclass(frozen=True)
class Look:
    """A judged point: what its comparison came to, and verdict and p as they are among all looks."""

    point: Point
    compared: Ran
    results: Mapping[str, Any]
    verdict: "Verdict"
    p: float | None


@dataclass(frozen=True)
class Seeds:
    """The looks at one configuration that differ in its seed alone: its name, and what `over_seeds` says of it."""

    name: str
    looks: Sequence[Look]
    found: Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """The winner, and what asks it on the confirm split: its point, grown by these actions, and the graph of all."""

    winner: Look
    point: Point
    graph: Graph


@dataclass(frozen=True)
class Sweep:
    """The looks, in the order of their points, and the configurations that were built with several seeds.

    `asked` is there where the winner can be asked on a confirm split, and `confirmed` has the results once it was,
    `n_before` how many others had been asked on the same examples by then; `unasked` says why it cannot although points
    have such a split, `error` what kept it from being asked. `chosen` tells how others were given up, if any.
    """

    looks: Sequence[Look] = ()
    seeds: Sequence[Seeds] = ()
    asked: Asked | None = None
    confirmed: Mapping[str, Any] | None = None
    n_before: int = 0
    unasked: str = ""
    error: FtbuildError | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> Point | None:
        """Return the best point by the one metric of all, None where they have several or no number is real."""
        if len({each.results["verdict_metric"] for each in self.looks}) != 1:
            return None
        if any(each.results.get("rehearsed") for each in self.looks):
            return None
        found = best(self.looks)
        return found.point if found is not None else None

    def confirmed_by(self, done: Build) -> "Sweep":
        """Return the sweep with what the winner came to, all that asks it having been done."""
        assert self.asked is not None
        compared = _compared(self.asked.point, done, stage="confirm")
        return replace(self, confirmed=_results(compared, done), n_before=_n_before(self.asked, done))

    def with_winner(self, points: Sequence[Point]) -> list[Point]:
        """Return the points, the winner with all that it was asked, where it was."""
        if self.asked is None or self.confirmed is None:
            return list(points)
        return [self.asked.point if each is self.asked.winner.point else each for each in points]

    def told_of(self, point: Point) -> dict[str, Any] | None:
        """Return what run.json tells of a point as one of the sweep, None where there is nothing to tell."""
        has_won = self.asked is not None and point is self.asked.point
        look = self.asked.winner if self.asked is not None and has_won else self._look_at(point)
        if look is None:
            return dict(self.chosen) or None
        own = next((each.found for each in self.seeds if look in each.looks), None)
        told: dict[str, Any] = {"looks": len(self.looks), "verdict": look.verdict, "p": look.p, "seeds": own}
        told |= {"winner": self.asked.winner.point.name} if self.asked is not None else {}
        told |= self.chosen
        return told | ({"confirmed": self.confirmed, "asked_before": self.n_before} if has_won else {})

    def _look_at(self, point: Point) -> Look | None:
        return next((each for each in self.looks if each.point is point), None)


def sweep_of(graph: Graph, points: Sequence[Point], done: Build) -> Sweep:
    """Return what the points come to that were built to their end and judged; one alone is no sweep."""
    found = []
    for point in points:
        if all(name in done.ran for name in point.ids):
            compared = _compared(point, done)
            results = _results(compared, done)
            found += [(point, compared, results)] if results["verdict"] is not None else []
    if len(found) < 2:
        return Sweep()
    from ftbuild.evaluate.compare import together

    verdicts = together([results for _, _, results in found])
    looks = [Look(*each, *one) for each, one in zip(found, verdicts, strict=True)]
    seeds = list(_seeds(looks, done))
    if not any(has_confirm(graph, each.point.ids) for each in looks):
        return Sweep(looks, seeds)
    if any(each.point.composed.tree["evaluation"].get("split") == "confirm" for each in looks):
        return Sweep(looks, seeds, unasked="the points were measured on it, so none is left to ask the winner on")
    if unlike := _unlike(looks):
        return Sweep(looks, seeds, unasked=f"the points differ in {' and '.join(unlike)}")
    winner = best(looks)
    if winner is None or not has_confirm(graph, winner.point.ids):
        return Sweep(looks, seeds, unasked="no model has a value" if winner is None else "it has no confirm split")
    return Sweep(looks, seeds, _asked(graph, winner, len(looks)))


def best(looks: Sequence[Look]) -> Look | None:
    """Return the look with the best mean of the judged arm by the goal's metric, of equal ones the first; None where
    none has a value.
    """
    valued = [(worth, each) for each in looks if (worth := worth_of(each.results)) is not None]
    return max(valued, key=lambda one: one[0])[1] if valued else None


def worth_of(results: Mapping[str, Any]) -> float | None:
    """Return the mean of the judged arm by the metric of the verdict, larger where it is better."""
    found = metric_of(results, results["verdict_metric"])
    mean: float | None = found["arms"][results["arm"]]["mean"] if found is not None else None
    return -mean if mean is not None and found is not None and found["lower_is_better"] else mean


def _unlike(looks: Sequence[Look]) -> list[str]:
    """Return in what the looks differ without which none is the best, or the others may have seen what it is asked."""
    asked = {
        "goal.metric": {each.results["verdict_metric"] for each in looks},
        "dataset.split": {of_value(each.point.composed.tree["dataset"]["split"]) for each in looks},
    }
    return [name for name, found in asked.items() if len(found) > 1]


def _asked(graph: Graph, winner: Look, n_looks: int) -> Asked:
    point, results = winner.point, winner.results
    arms = list(dict.fromkeys([results["against"], results["arm"]]))
    told = {"looks": n_looks, "verdict": winner.verdict, "p": winner.p}
    before = point.before.ids if point.before is not None else ()
    ids = [name for name in graph.actions if name in {*point.ids, *before}]
    grown = confirming(graph, ids, arms, told)
    own = [name for name in grown.actions if name in point.ids or name not in before]
    return Asked(winner, replace(point, ids=tuple(own)), grown)


def _n_before(asked: Asked, done: Build) -> int:
    """Return how many others had been asked on the same examples before."""
    ran = (done.ran[name] for name in asked.point.ids)
    arm = asked.winner.results["arm"]
    own = next(each for each in ran if each.action.stage == "confirm" and each.action.label == f"{arm}{CONFIRM}")
    examples = done.digests(own.action)["examples"]
    others = History(done.store).of(own.action)
    alike = [each for each in others if dict(each["preimage"]["inputs"]).get("examples") == examples]
    return sum(each["started_at"] < own.record.started_at for each in alike)


def _compared(point: Point, done: Build, stage: Stage = "test") -> Ran:
    """Return how the arms of a point were compared, on the test split or on another."""
    ran = (done.ran[name] for name in point.ids)
    return next(each for each in ran if each.action.kind.name == COMPARE.name and each.action.stage == stage)


def _results(compared: Ran, done: Build) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(done.store.get(compared.record.outputs["results.json"]))
    return found


def _seeds(looks: Sequence[Look], done: Build) -> Iterator[Seeds]:
    by_configuration: dict[str, dict[int, Look]] = {}
    for each in looks:
        tree = each.point.composed.tree
        rest = of_value({name: value for name, value in tree.items() if name != "seed"})
        by_configuration.setdefault(rest, {}).setdefault(tree["seed"], each)
    for by_seed in by_configuration.values():
        if len(by_seed) > 1:
            yield Seeds(_common(list(by_seed.values())), list(by_seed.values()), _over(by_seed, done))


def _over(by_seed: Mapping[int, Look], done: Build) -> dict[str, Any]:
    from ftbuild.evaluate.seeds import over_seeds

    goal = next(iter(by_seed.values())).results
    arm, against = goal["arm"], goal["against"]
    lines = {
        seed: {name: list(parse_lines(done.read(each.compared.action, name))) for name in (arm, against)}
        for seed, each in by_seed.items()
    }
    return over_seeds(lines, goal["verdict_metric"], arm, against)


def _common(looks: Sequence[Look]) -> str:
    """Return the words that the names of the points have in common."""
    first, *rest = (each.point.name.split() for each in looks)
    return " ".join(word for word in first if all(word in other for other in rest))
