"""What is there without training: how far the untrained arms come, and what is left for a tuned model to win.

Pure. Metrics lie between 0 and 1, so what is left is the way to the better end.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.evaluate.compare import CONFIDENCE
from ftbuild.scorers import metric_of
from ftbuild.scorers.judge import JUDGE
from ftbuild.settings import Goal
from ftbuild.stats import interval, judge

Lines = Sequence[Mapping[str, Any]]


def head_room(arms: Mapping[str, Lines], goal: Goal) -> dict[str, Any] | None:
    """Return how near untrained arms come to the goal's metric: `metric, label, lower_is_better, best, left, arms`.

    `arms` in it hold n, mean, low and high, and in `meets` whether an arm meets by itself all that the goal asks of
    the judged one, null where that is a comparison or a judge. None where no arm has a value.
    """
    metric = metric_of(goal.metric)
    told = {name: _told(lines, goal) for name, lines in arms.items()}
    known = {name: each for name, each in told.items() if each["mean"] is not None}
    if not known:
        return None
    sign = -1 if metric.lower_is_better else 1
    best = max(known, key=lambda name: sign * known[name]["mean"])
    mean = known[best]["mean"]
    return {
        "metric": metric.name,
        "label": metric.label,
        "lower_is_better": metric.lower_is_better,
        "best": best,
        "left": max(0.0, mean if metric.lower_is_better else 1 - mean),
        "arms": told,
    }


def _told(lines: Lines, goal: Goal) -> dict[str, Any]:
    found = _interval(lines, goal.metric)
    asked = [*goal.require.values(), *goal.keep.values()]
    bounds = [
        each
        for each in asked
        if each.slice is None and each.metric != JUDGE.name and (each.at_least, each.at_most) != (None, None)
    ]
    meets = None
    if bounds and len(bounds) == len(asked):
        endings = (judge(each, _interval(lines, each.metric or goal.metric), goal.judge_by) for each in bounds)
        meets = all(each.ending == "met" for each in endings)
    return {"n": found.n, "mean": found.mean, "low": found.low, "high": found.high, "meets": meets}


def _interval(lines: Lines, metric: str) -> Any:
    known = [(each["scores"][metric], each["group"]) for each in lines if each["scores"].get(metric) is not None]
    return interval([value for value, _ in known], [group for _, group in known], CONFIDENCE)
