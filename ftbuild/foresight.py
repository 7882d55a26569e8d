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
from ftbuild.plan.action import REPORT
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
    mine = [one for one in planned if one.action.id in point.ids]
    records = {one.action.id: one.record for one in mine}
    told = next({each.role: each for each in one.action.inputs} for one in mine if one.action.kind is REPORT)
    asked = told["examples"]
    made = records[asked.action]
    if made is None:
        return None
    examples = list(parse_lines(store.get(made.outputs[asked.output])))
    record = records[told[f"{goal.against}.scores"].action]
    lines = parse_lines(store.get(record.outputs["scores.jsonl"])) if record else ()
    scores = {line["id"]: line["scores"] for line in lines}
    found, measured = {}, bool(scores)
    for name, condition in {**goal.require, **goal.keep}.items():
        metric, where = condition.metric or goal.metric, slice_of(condition)
        inside = [each for each in examples if where is None or where == _named(each["slices"], where)]
        seen = [(scores.get(each["id"], {}).get(metric), each["group"]) for each in inside]
        known = [(value, group) for value, group in seen if value is not None]
        clusters = Clusters([each for each, _ in known], [each for _, each in known]) if known else None
        if clusters is None or len(set(clusters.values)) < 2:
            clusters, measured = Clusters([0.0] * len(inside), [each["group"] for each in inside]), False
        found[name] = _sure_from(condition, clusters, metric_of(metric).lower_is_better) if clusters.values else None
    return Foresight(len(examples), found, measured)


def _named(slices: Mapping[str, str], where: str) -> str | None:
    name = where.partition("=")[0]
    return f"{name}={slices[name]}" if name in slices else None


def _sure_from(condition: Condition, clusters: Clusters, lower: bool) -> float | None:
    """Return the first value that is further from the one wanted than the smallest difference shown.

    It is looked for in hundredths, near the end of the range in so much less that there are ten steps at least.
    """
    if len(clusters.sizes) < 2:
        return None
    wanted, side = wanted_by(condition, lower), side_of(condition, lower)
    is_difference = arm_of(condition) is not None
    spread = _spread_of_difference if is_difference else _spread_of_share
    room = round(1 - wanted if side > 0 else wanted + is_difference, 9)
    if room <= 0:
        return None
    finest: int = 10 ** max(2, math.ceil(1 - math.log10(room)))
    for step in range(1, int(round(room * finest, 6)) + 1):
        away = step / finest
        value = wanted + side * away
        se = spread(clusters, wanted, value) / math.sqrt(clusters.n_effective)
        if smallest_shown(se, len(clusters.sizes)) <= away:
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
