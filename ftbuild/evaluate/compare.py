"""Score lines of all arms and a goal -> results.json: intervals, paired differences, endings, verdict.

Pure. Owns which metrics and slices are shown, in which order; the numbers come from `stats`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ftbuild.errors import EvaluationError
from ftbuild.problem import Problem, nearest
from ftbuild.scorers import METRICS, TOP_METRICS, Metric
from ftbuild.settings import Condition, Goal
from ftbuild.stats import Difference, Interval, interval, judge, overall, verdict
from ftbuild.stats import compare as paired
from ftbuild.stats.gate import kind_of
from ftbuild.stats.verdict import MARGIN

SCHEMA_VERSION = 1
CONFIDENCE = 0.95
SLICE_VALUES = range(2, 13)
SLICE_AT_LEAST = 5

Lines = Sequence[Mapping[str, Any]]


def compare(arms: Mapping[str, Lines], goal: Goal, judged: bool = True) -> dict[str, Any]:
    """Return the results of all arms, in their order, the goal judged on its arm.

    Every arm holds one score line per example, in any order. Metrics come top ones first, each
    followed by its slices: every value with 5 examples or more of a slice with 2 to 12 values. A
    metric without values has n 0 and nulls. Without `judged` the goal is empty, ending and
    verdict are null.

    Raises:
        EvaluationError: an arm lacks an example, the goal names an unknown metric or arm, or there
            is no arm to judge, or none for the verdict to compare it with.
    """
    _check(arms, goal, judged)
    table = _Table(arms, goal.arm)
    main = table.difference(goal.metric, None, goal.against) if judged else None
    lower = _metric(goal.metric).lower_is_better
    judgements = list(_judgements(table, goal)) if judged else []
    return {
        "schema_version": SCHEMA_VERSION,
        "arms": list(arms),
        "arm": goal.arm,
        "against": goal.against,
        "confidence": CONFIDENCE,
        "metrics": [_shown(table, metric, where) for metric, where in _rows(table, goal)],
        "goal": judgements,
        "ending": overall(each["ending"] for each in judgements) if judged else None,
        "verdict": verdict(main, _margin(goal), lower) if main else None,
        "verdict_metric": goal.metric,
        "n_test": len(table.ids),
    }


class _Table:
    """The scores of all arms by example; a slice is "name=value", None is everything."""

    def __init__(self, arms: Mapping[str, Lines], judged: str) -> None:
        self.judged = judged
        self.arms = {name: {line["id"]: line["scores"] for line in lines} for name, lines in arms.items()}
        lines = {line["id"]: line for line in arms[judged]}
        self.ids = list(lines)
        self.groups = {name: line["group"] for name, line in lines.items()}
        self.slices = {name: line["slices"] for name, line in lines.items()}
        self.metrics = list(dict.fromkeys(metric for line in lines.values() for metric in line["scores"]))

    def inside(self, where: str | None) -> list[str]:
        """Return the ids of a slice."""
        if where is None:
            return self.ids
        name, value = where.split("=", 1)
        return [each for each in self.ids if self.slices[each].get(name) == value]

    def values(self, arm: str, metric: str, where: str | None) -> dict[str, float]:
        """Return the values an arm has on a slice, by example."""
        scores = self.arms[arm]
        return {each: scores[each][metric] for each in self.inside(where) if scores[each].get(metric) is not None}

    def interval(self, arm: str, metric: str, where: str | None) -> Interval:
        """Return the interval of an arm's mean, clustered by group."""
        values = self.values(arm, metric, where)
        return interval(list(values.values()), [self.groups[each] for each in values], CONFIDENCE)

    def difference(self, metric: str, where: str | None, arm: str) -> Difference:
        """Return the judged arm minus `arm` over the examples where both have a value, clustered by group."""
        base, judged = self.values(arm, metric, where), self.values(self.judged, metric, where)
        shared = [each for each in base if each in judged]
        return paired(
            {each: base[each] for each in shared}, {each: judged[each] for each in shared}, self.groups, CONFIDENCE
        )


def _check(arms: Mapping[str, Lines], goal: Goal, judged: bool) -> None:
    problems: list[Problem | str] = []
    if goal.arm not in arms:
        raise EvaluationError(f"no arm {goal.arm!r} to compare; there are {', '.join(arms) or 'none'}")
    expected = [line["id"] for line in arms[goal.arm]]
    for name, lines in arms.items():
        have = {line["id"] for line in lines}
        problems += [f"arm {name!r} has no scores for example {each!r}" for each in expected if each not in have]
        problems += [f"arm {goal.arm!r} has no scores for example {each!r}" for each in sorted(have - set(expected))]
    known = {metric for lines in arms.values() for line in lines for metric in line["scores"]}
    conditions = {**goal.require, **goal.keep} if judged and known else {}
    wanted = [("metric", goal.metric)] if conditions else []
    wanted += [(name, each.metric or goal.metric) for name, each in conditions.items() if each.metric]
    for name, metric in wanted:
        if metric not in known:
            close = nearest(metric, known)
            fix = f"write {close!r}." if close else "add its scorer to evaluation.scorers."
            problems.append(Problem(f"goal.{name}: no scorer gives the metric {metric!r}", fix=fix))
    if judged and goal.against not in arms:
        problems.append(f"no arm {goal.against!r}, against which the verdict compares")
    for name, each in conditions.items():
        arm = each.beats or each.compared_to
        if arm is not None and arm not in arms:
            problems.append(Problem(f"goal.{name}: no arm {arm!r}", fix=f"one of {', '.join(arms)}."))
    if problems:
        raise EvaluationError(*problems)


def _rows(table: _Table, goal: Goal) -> Iterator[tuple[str, str | None]]:
    """Yield the metrics and slices shown, in order."""
    conditions = [*goal.require.values(), *goal.keep.values()]
    asked = {(each.metric or goal.metric, _where(each)) for each in conditions}
    sliced = {metric.name for metric in TOP_METRICS} | {metric for metric, _ in asked}
    order = [metric.name for metric in METRICS]
    known = sorted(table.metrics, key=lambda name: order.index(name) if name in order else len(order))
    for metric in known:
        yield metric, None
        for where in dict.fromkeys([*_slices(table), *sorted(where for _, where in asked if where)]):
            n = len(table.inside(where))
            if (metric in sliced and n >= SLICE_AT_LEAST and where in _slices(table)) or (
                n and (metric, where) in asked
            ):
                yield metric, where


def _slices(table: _Table) -> list[str]:
    names = sorted({name for slices in table.slices.values() for name in slices})
    values = {name: sorted({each[name] for each in table.slices.values() if name in each}) for name in names}
    return [f"{name}={value}" for name in names if len(values[name]) in SLICE_VALUES for value in values[name]]


def _where(condition: Condition) -> str | None:
    """Return the condition's slice as "name=value"; a bare name is a source."""
    if condition.slice is None or "=" in condition.slice:
        return condition.slice
    return f"source={condition.slice}"


def _metric(name: str) -> Metric:
    return next((metric for metric in METRICS if metric.name == name), Metric(name, name))


def _shown(table: _Table, name: str, where: str | None) -> dict[str, Any]:
    metric = _metric(name)
    return {
        "metric": name,
        "label": metric.label,
        "proxy": metric.proxy,
        "lower_is_better": metric.lower_is_better,
        "slice": where,
        "arms": {arm: asdict(table.interval(arm, name, where)) for arm in table.arms},
        "differences": {arm: asdict(table.difference(name, where, arm)) for arm in table.arms if arm != table.judged},
    }


def _judgements(table: _Table, goal: Goal) -> Iterator[dict[str, Any]]:
    for part, conditions in (("require", goal.require), ("keep", goal.keep)):
        for name, condition in conditions.items():
            metric, where = condition.metric or goal.metric, _where(condition)
            arm = condition.beats or condition.compared_to
            if kind_of(condition) in ("beats", "compared_to") and arm is not None:
                seen = table.difference(metric, where, arm)
                numbers = Interval(seen.n, seen.difference, seen.low, seen.high)
            else:
                numbers = table.interval(table.judged, metric, where)
            judgement = judge(condition, numbers, goal.judge_by, _metric(metric).lower_is_better)
            yield {"name": name, "part": part, "metric": metric, "slice": where, **asdict(judgement)}


def _margin(goal: Goal) -> float:
    """Return the difference that the goal asks for, else the usual margin."""
    asked = [
        each.by
        for each in goal.require.values()
        if each.beats == goal.against and each.by > 0 and each.slice is None and each.metric in (None, goal.metric)
    ]
    return min(asked, default=MARGIN)
