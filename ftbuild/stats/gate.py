"""The gate: each condition of a goal against an interval, three endings.

met: the whole interval is on the right side of the bound. missed: the whole interval is on the
wrong side, and its p says so among all conditions. undecided: neither, and more test examples would
tell. Judged by `estimate` there are two endings only.

A goal is met when every condition is, so a chance hit on one meets nothing and needs no correction
(Berger 1982, Technometrics 24:295); it is missed when any is, so a chance miss on one of many does.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from ftbuild.settings import Condition
from ftbuild.stats.interval import Interval
from ftbuild.stats.verdict import ALPHA

Ending = Literal["met", "missed", "undecided"]
Kind = Literal["at_least", "at_most", "beats", "compared_to"]


@dataclass(frozen=True)
class Judgement:
    """How one condition ended. For `beats` and `compared_to` the numbers are differences (tuned minus arm).

    `more_examples` says about how many more test examples would decide if the estimate stays;
    None when it is decided or no number would. `p` is the two-sided p of the value wanted, `p_adjusted`
    the same among all conditions of the goal; None where it was not asked for.
    """

    kind: Kind
    arm: str | None
    estimate: float | None
    low: float | None
    high: float | None
    wanted: float
    ending: Ending
    more_examples: int | None
    p: float | None = None
    p_adjusted: float | None = None


def kind_of(condition: Condition) -> Kind:
    """Return which one thing the condition says."""
    kinds: tuple[Kind, ...] = ("at_least", "at_most", "beats", "compared_to")
    return next(kind for kind in kinds if getattr(condition, kind) is not None)


def arm_of(condition: Condition) -> str | None:
    """Return the arm that the tuned one is compared with."""
    return condition.beats if condition.beats is not None else condition.compared_to


def side_of(condition: Condition, lower_is_better: bool = False) -> int:
    """Return on which side of the value wanted it is good: 1 above, -1 below."""
    return -1 if condition.at_most is not None or (arm_of(condition) is not None and lower_is_better) else 1


def wanted_by(condition: Condition, lower_is_better: bool = False) -> float:
    """Return the value that the condition sets; of `beats` and `compared_to` a difference, tuned minus arm."""
    side = -1 if lower_is_better else 1
    bounds = {
        "at_least": condition.at_least,
        "at_most": condition.at_most,
        "beats": side * condition.by,
        "compared_to": -side * condition.may_drop,
    }
    return float(bounds[kind_of(condition)] or 0.0)


def judge(
    condition: Condition,
    seen: Interval,
    judge_by: Literal["lower_bound", "estimate"] = "lower_bound",
    lower_is_better: bool = False,
    p: float | None = None,
    p_adjusted: float | None = None,
) -> Judgement:
    """Return how the condition ends, given the interval of the tuned arm or of its difference to an arm.

    `lower_is_better` turns `beats` and `compared_to` around: to beat is then to be lower by more
    than `by`. `beats` is strict, the others include the bound. Without a value the ending is
    undecided, or missed when judged by the estimate. `p` and `p_adjusted` are those of `wanted_by`;
    without them the condition is judged as the only one.
    """
    kind, wanted = kind_of(condition), wanted_by(condition, lower_is_better)
    side = side_of(condition, lower_is_better)
    ending = _ending(seen, wanted, side, kind == "beats", judge_by)
    more = _more_examples(seen, wanted) if ending == "undecided" else None
    if ending == "missed" and judge_by == "lower_bound" and p and p_adjusted is not None and p_adjusted > ALPHA:
        ending, more = "undecided", _more_for_all(seen.n, p, p_adjusted)
    return Judgement(kind, arm_of(condition), seen.mean, seen.low, seen.high, wanted, ending, more, p, p_adjusted)


def _ending(seen: Interval, wanted: float, side: int, is_strict: bool, judge_by: str) -> Ending:
    def is_enough(value: float) -> bool:
        gap = side * (value - wanted)
        return gap > 0 if is_strict else gap >= 0

    if judge_by == "estimate":
        return "met" if seen.mean is not None and is_enough(seen.mean) else "missed"
    worst, best = (seen.low, seen.high) if side > 0 else (seen.high, seen.low)
    if worst is None or best is None:
        return "undecided"
    return "met" if is_enough(worst) else "undecided" if is_enough(best) else "missed"


def _more_examples(seen: Interval, wanted: float) -> int | None:
    """Return how many more examples shrink the interval to the bound; its width goes as 1/sqrt(n)."""
    if seen.mean is None or seen.low is None or seen.high is None or seen.mean == wanted:
        return None
    reach = seen.mean - seen.low if seen.mean > wanted else seen.high - seen.mean
    needed = seen.n * (reach / (seen.mean - wanted)) ** 2
    return max(1, math.ceil(needed - seen.n))


def _more_for_all(n: int, p: float, p_adjusted: float) -> int:
    """Return how many more examples make a miss stand among all conditions; p goes as the tail of sqrt(n)."""
    needed, seen = (NormalDist().inv_cdf(1 - each / 2) for each in (ALPHA * p / p_adjusted, p))
    return max(1, math.ceil(n * (needed / seen) ** 2 - n))


def overall(endings: Iterable[Ending]) -> Ending:
    """Return missed if any is missed, else undecided if any is, else met; of nothing, met."""
    found = set(endings)
    return "missed" if "missed" in found else "undecided" if "undecided" in found else "met"
