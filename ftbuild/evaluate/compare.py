"""Score lines of all arms and a goal -> results.json: intervals, paired differences, endings, verdict.

Pure. Owns which metrics and slices are shown, in which order; the numbers come from `stats`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from ftbuild.errors import EvaluationError
from ftbuild.evaluate.trust import Trust
from ftbuild.plan.rounds import BEFORE
from ftbuild.problem import Problem, nearest
from ftbuild.scorers import METRICS, TOP_METRICS, metric_of
from ftbuild.scorers.judge import JUDGE
from ftbuild.settings import Condition, Goal
from ftbuild.stats import Difference, Interval, Verdict, holm, interval, judge, overall, verdict, verdicts
from ftbuild.stats import compare as paired
from ftbuild.stats.gate import arm_of, wanted_by
from ftbuild.stats.interval import p_of_mean
from ftbuild.stats.paired import p_of_difference
from ftbuild.stats.verdict import MARGIN

SCHEMA_VERSION = 1
CONFIDENCE = 0.95
SLICE_VALUES = range(2, 13)
SLICE_AT_LEAST = 5

Lines = Sequence[Mapping[str, Any]]


def compare(
    arms: Mapping[str, Lines],
    goal: Goal,
    judged: bool = True,
    trusted: Trust | None = None,
    after: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the results of all arms, in their order, the goal judged on its arm.

    Every arm holds one score line per example, in any order. Metrics come top ones first, each
    followed by its slices: every value with 5 examples or more of a slice with 2 to 12 values. A
    metric without values has n 0 and nulls. Without `judged` the goal is empty, ending and
    verdict are null. `trusted` says how far the judge can be trusted, where there is one: its metric decides no
    condition, which is then undecided and says why, unless it is admitted. `after` is what is told of a round
    after another: it comes back with what came of its `aims`, slices that are all shown.

    Raises:
        EvaluationError: an arm lacks an example, the goal names an unknown metric or arm, or there
            is no arm to judge, or none for the verdict to compare it with; no example is in a slice aimed at.
    """
    _check(arms, goal, judged)
    aims = after["aims"] if after is not None else ()
    refuse_unmeasured(aims, arms[goal.arm])
    table = _Table(arms, goal.arm)
    main = table.difference(goal.metric, None, goal.against) if judged else None
    lower = metric_of(goal.metric).lower_is_better
    judgements = [_gated(each, trusted) for each in _judgements(table, goal)] if judged else []
    return {
        "schema_version": SCHEMA_VERSION,
        "arms": list(arms),
        "arm": goal.arm,
        "against": goal.against,
        "confidence": CONFIDENCE,
        "metrics": _adjusted([_shown(table, metric, where) for metric, where in _rows(table, goal, aims)]),
        "goal": judgements,
        "ending": overall(each["ending"] for each in judgements) if judged else None,
        "verdict": verdict(main, _margin(goal, goal.against), lower) if main else None,
        "verdict_metric": goal.metric,
        "margin": _margin(goal, goal.against) if judged else None,
        "n_test": len(table.ids),
        **({"judge": trusted.to_json()} if trusted is not None else {}),
        **({"round": {**after, "aims": _aims(table, goal, aims)}} if after is not None else {}),
    }


def together(results: Sequence[Mapping[str, Any]]) -> list[tuple[Verdict, float | None]]:
    """Return verdict and p of several judged results, as the points of a sweep, corrected for how many they are."""
    rows = [
        next(each for each in found["metrics"] if each["metric"] == found["verdict_metric"] and each["slice"] is None)
        for found in results
    ]
    names = [each.name for each in fields(Difference)]
    differences = [
        Difference(**{name: row["differences"][found["against"]][name] for name in names})
        for row, found in zip(rows, results, strict=True)
    ]
    words = verdicts(differences, [found["margin"] for found in results], [row["lower_is_better"] for row in rows])
    return list(zip(words, holm([each.p_clustered for each in differences]), strict=True))


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

    def pairs(self, metric: str, where: str | None, arm: str) -> tuple[dict[str, float], dict[str, float]]:
        """Return the values of `arm` and of the judged arm where both have one, by example."""
        base, judged = self.values(arm, metric, where), self.values(self.judged, metric, where)
        shared = [each for each in base if each in judged]
        return {each: base[each] for each in shared}, {each: judged[each] for each in shared}

    def difference(self, metric: str, where: str | None, arm: str) -> Difference:
        """Return the judged arm minus `arm` over the examples where both have a value, clustered by group."""
        return paired(*self.pairs(metric, where, arm), self.groups, CONFIDENCE)

    def p(self, metric: str, where: str | None, arm: str | None, value: float) -> float | None:
        """Return the p of `value` being the judged arm's true mean, or its difference to `arm`; clustered by group."""
        if arm is not None:
            return p_of_difference(*self.pairs(metric, where, arm), value, self.groups)
        values = self.values(self.judged, metric, where)
        return p_of_mean(list(values.values()), value, [self.groups[each] for each in values])


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


def refuse_unmeasured(aims: Sequence[str], lines: Lines) -> None:
    """Say nothing where test examples are in every slice that is aimed at; `lines` are the scores of an arm.

    Raises:
        EvaluationError: with the slices that are empty, and the values that there are.
    """
    problems = []
    for aim in aims:
        name, _, value = aim.partition("=")
        values = sorted({line["slices"][name] for line in lines if name in line["slices"]})
        if value not in values:
            close = nearest(value, values)
            there = f"its values there are {', '.join(values)}" if values else f"no test example has a {name}"
            fix = f"the nearest is {name}={close}; {there}." if close else f"{there}."
            problems.append(Problem(f"round.aims: no test example is in {aim!r}", fix=fix))
    if problems:
        raise EvaluationError(*problems)


def _aims(table: _Table, goal: Goal, aims: Sequence[str]) -> list[dict[str, Any]]:
    """Return of each slice aimed at what became of it since the round before, corrected for how many they are."""
    differences = [table.difference(goal.metric, aim, BEFORE) for aim in aims]
    lower = [metric_of(goal.metric).lower_is_better] * len(aims)
    found = verdicts(differences, [_margin(goal, BEFORE)] * len(aims), lower)
    corrected = holm([each.p_clustered for each in differences])
    return [
        {"slice": aim, "verdict": word, "p_adjusted": p} for aim, word, p in zip(aims, found, corrected, strict=True)
    ]


def _rows(table: _Table, goal: Goal, aims: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the metrics and slices shown, in order."""
    conditions = [*goal.require.values(), *goal.keep.values()]
    asked = {(each.metric or goal.metric, slice_of(each)) for each in conditions}
    asked |= {(goal.metric, aim) for aim in aims}
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


def slice_of(condition: Condition) -> str | None:
    """Return the condition's slice as "name=value"; a bare name is a source."""
    if condition.slice is None or "=" in condition.slice:
        return condition.slice
    return f"source={condition.slice}"


def _shown(table: _Table, name: str, where: str | None) -> dict[str, Any]:
    metric = metric_of(name)
    return {
        "metric": name,
        "label": metric.label,
        "proxy": metric.proxy,
        "lower_is_better": metric.lower_is_better,
        "slice": where,
        "arms": {arm: asdict(table.interval(arm, name, where)) for arm in table.arms},
        "differences": {arm: asdict(table.difference(name, where, arm)) for arm in table.arms if arm != table.judged},
    }


def _adjusted(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the metrics with `p_adjusted` in each difference to an arm: corrected over metrics, None for a slice."""
    for arm in shown[0]["differences"] if shown else ():
        whole = [each["differences"][arm] for each in shown if each["slice"] is None]
        corrected = holm([each["p_clustered"] for each in whole])
        for each in shown:
            each["differences"][arm]["p_adjusted"] = None
        for each, p in zip(whole, corrected, strict=True):
            each["p_adjusted"] = p
    return shown


def _judgements(table: _Table, goal: Goal) -> Iterator[dict[str, Any]]:
    asked = [
        (part, name, condition, condition.metric or goal.metric)
        for part, conditions in (("require", goal.require), ("keep", goal.keep))
        for name, condition in conditions.items()
    ]
    ps = [
        table.p(metric, slice_of(each), arm_of(each), wanted_by(each, metric_of(metric).lower_is_better))
        for _, _, each, metric in asked
    ]
    for (part, name, condition, metric), p, p_adjusted in zip(asked, ps, holm(ps), strict=True):
        where, arm = slice_of(condition), arm_of(condition)
        if arm is not None:
            seen = table.difference(metric, where, arm)
            numbers = Interval(seen.n, seen.difference, seen.low, seen.high)
        else:
            numbers = table.interval(table.judged, metric, where)
        judgement = judge(condition, numbers, goal.judge_by, metric_of(metric).lower_is_better, p, p_adjusted)
        yield {"name": name, "part": part, "metric": metric, "slice": where, **asdict(judgement)}


def _gated(judgement: dict[str, Any], trusted: Trust | None) -> dict[str, Any]:
    """Return a condition as it ended; one on a judge that is not admitted has not."""
    if judgement["metric"] != JUDGE.name or (trusted is not None and trusted.admitted):
        return judgement
    return {**judgement, "ending": "undecided", "more_examples": None, "refused": "the judge is not admitted"}


def _margin(goal: Goal, arm: str) -> float:
    """Return the difference to an arm that the goal asks for, else the usual margin."""
    asked = [
        each.by
        for each in goal.require.values()
        if each.beats == arm and each.by > 0 and each.slice is None and each.metric in (None, goal.metric)
    ]
    return min(asked, default=MARGIN)
