"""What the test examples of a plan could show, said before a job is paid for.

Known once the data is built. The spread is that of the scores of the arm that the goal is `against`, where they are
there; else it is assumed: that of shares, and a correlation of 0.3 inside groups. Nothing is assumed to be gained by
pairing, so a build may well show more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftbuild.evaluate.compare import slice_of
from ftbuild.lookup import Planned
from ftbuild.plan.action import DATASET, SCORE
from ftbuild.points import Point
from ftbuild.runners.formats import parse_lines
from ftbuild.scorers import metric_of
from ftbuild.settings import Condition, Goal
from ftbuild.stats.clustered import Clusters
from ftbuild.stats.gate import arm_of, side_of, wanted_by
from ftbuild.stats.power import smallest_shown
from ftbuild.store.store import Store


@dataclass(frozen=True)
class Foresight:
    """`sure_from` is the true value at which a condition is met four times in five, by name; None where none is.

    `n` test examples; `measured` says whether all spreads are those of the arm that the goal compares with.
    """

    n: int
    sure_from: Mapping[str, float | None]
    measured: bool


def foresee(goal: Goal, point: Point, planned: Sequence[Planned], store: Store) -> Foresight | None:
    """Return what the data of a point could show of its goal, None where the data is not built yet."""
    records = {(one.action.kind, one.action.label): one.record for one in planned if one.action.id in point.ids}
    dataset = next((record for (kind, _), record in records.items() if kind is DATASET), None)
    if dataset is None:
        return None
    examples = list(parse_lines(store.get(dataset.outputs["test.jsonl"])))
    record = records.get((SCORE, f"{goal.against} scores"))
    lines = parse_lines(store.get(record.outputs["scores.jsonl"])) if record else ()
    scores = {line["id"]: line["scores"] for line in lines}
    found, measured = {}, bool(scores)
    for name, condition in {**goal.require, **goal.keep}.items():
        metric, where = condition.metric or goal.metric, slice_of(condition)
        inside = [each for each in examples if where is None or where == _named(each["slices"], where)]
        groups = [each["group"] for each in inside]
        values = [scores[each["id"]].get(metric) for each in inside if each["id"] in scores]
        known = [(value, group) for value, group in zip(values, groups, strict=False) if value is not None]
        clusters = Clusters([each for each, _ in known], [each for _, each in known]) if known else None
        if clusters is None or len(set(clusters.values)) < 2:
            clusters, measured = Clusters([0.0] * len(groups), groups), False
        found[name] = _sure_from(condition, clusters, metric_of(metric).lower_is_better) if clusters.values else None
    return Foresight(len(examples), found, measured)


def _named(slices: Mapping[str, str], where: str) -> str | None:
    name = where.partition("=")[0]
    return f"{name}={slices[name]}" if name in slices else None


def _sure_from(condition: Condition, clusters: Clusters, lower: bool) -> float | None:
    """Return the first value, in hundredths from the one wanted, that is further from it than the smallest shown."""
    if len(clusters.sizes) < 2:
        return None
    wanted, is_difference = wanted_by(condition, lower), arm_of(condition) is not None
    spread = _spread_of_difference if is_difference else _spread_of_share
    for step in range(1, 201):
        value = wanted + side_of(condition, lower) * step / 100
        if not (-1 if is_difference else 0) <= round(value, 9) <= 1:
            return None
        se = spread(clusters, wanted, value) / math.sqrt(clusters.n_effective)
        if smallest_shown(se, len(clusters.sizes)) <= step / 100:
            return value
    return None


def _spread_of_share(_clusters: Clusters, wanted: float, value: float) -> float:
    """Return the spread of one arm, that of a share between the value wanted and the true one."""
    return math.sqrt(max(0.0, wanted * (1 - wanted) + value * (1 - value)) / 2)


def _spread_of_difference(base: Clusters, _wanted: float, value: float) -> float:
    """Return the spread of tuned less base: for 0 and 1 that of shares, else as if tuned were spread as base is."""
    square = sum((each - base.mean) ** 2 for each in base.values) / len(base.values)
    if not square:
        return math.sqrt(0.5)
    if all(each in (0, 1) for each in base.values):
        share = min(1.0, max(0.0, base.mean + value))
        return math.sqrt(square + share * (1 - share))
    return math.sqrt(2 * square)
