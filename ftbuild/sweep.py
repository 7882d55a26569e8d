"""What the points of a sweep come to together: so many looks at one test split, and the seeds of one configuration.

Each point has a run of its own; this says what none of them can know alone. It is kept in the run.json of every point.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftbuild.digest import of_value
from ftbuild.outcome import Build, Ran
from ftbuild.plan.action import COMPARE
from ftbuild.points import Point
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
class Sweep:
    """The looks, in the order of their points, and the configurations that were built with several seeds."""

    looks: Sequence[Look] = ()
    seeds: Sequence[Seeds] = ()

    def told_of(self, point: Point) -> dict[str, Any] | None:
        """Return what run.json tells of a point as one of the sweep, None where it was no look."""
        look = next((each for each in self.looks if each.point is point), None)
        if look is None:
            return None
        own = next((each.found for each in self.seeds if look in each.looks), None)
        return {"looks": len(self.looks), "verdict": look.verdict, "p": look.p, "seeds": own}


def sweep_of(points: Sequence[Point], done: Build) -> Sweep:
    """Return what the points come to that were built to their end and judged; one alone is no sweep."""
    found = []
    for point in points:
        if all(name in done.ran for name in point.ids):
            compared = next(done.ran[name] for name in point.ids if done.ran[name].action.kind.name == COMPARE.name)
            results = json.loads(done.store.get(compared.record.outputs["results.json"]))
            found += [(point, compared, results)] if results["verdict"] is not None else []
    if len(found) < 2:
        return Sweep()
    from ftbuild.evaluate.compare import together

    verdicts = together([results for _, _, results in found])
    looks = [Look(*each, *one) for each, one in zip(found, verdicts, strict=True)]
    return Sweep(looks, list(_seeds(looks, done)))


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
