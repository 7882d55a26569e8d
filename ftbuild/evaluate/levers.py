"""Retrieval, tuning, both or neither: the same examples with and without each, metric by metric.

Pure. The four arms are a 2 x 2 design: each lever is told alone and on top of the other, as paired differences. Of
those surely better than neither the cheapest is taken that no other surely beats: retrieval, which needs no job,
before tuning, and either before both. Surely is where the 95 % interval of a difference lies on one side of 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ftbuild.evaluate.compare import CONFIDENCE
from ftbuild.scorers import metric_of
from ftbuild.stats import compare as paired

NEITHER, RETRIEVAL, TUNING, BOTH = "neither", "retrieval", "tuning", "both"
PLACES = (RETRIEVAL, TUNING, BOTH)  # the cheapest first
# What is told -> from which arm to which.
EFFECTS = {
    "retrieval": (NEITHER, RETRIEVAL),
    "tuning": (NEITHER, TUNING),
    "both": (NEITHER, BOTH),
    "tuning_after_retrieval": (RETRIEVAL, BOTH),
    "retrieval_after_tuning": (TUNING, BOTH),
    "tuning_or_retrieval": (RETRIEVAL, TUNING),
}

Lines = Sequence[Mapping[str, Any]]


def levers(arms: Mapping[str, Lines], places: Mapping[str, str], sides: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what each lever does to the metrics of each side, and which to use.

    `places` name the arm of each of neither, retrieval, tuning and both; one that is not in `arms` was not tried.
    `sides` are the metrics of knowledge and of behaviour. An effect that was not tried, or of nothing, is None. `costs`
    are the metrics which what is to be used makes surely worse than neither.
    """
    there = {place: arms[name] for place, name in places.items() if name in arms}
    rows = [_row(there, side, metric) for side, metrics in sides.items() for metric in metrics]
    chosen = {row["choice"] for row in rows}
    tried = set(there) == {NEITHER, *PLACES}
    retrieve, tune = bool(chosen & {RETRIEVAL, BOTH}), bool(chosen & {TUNING, BOTH}) and tried
    used = {(True, False): RETRIEVAL, (False, True): TUNING, (True, True): BOTH}.get((retrieve, tune))
    return {
        "arms": {place: places[place] for place in there},
        "metrics": rows,
        "retrieve": retrieve,
        "tune": tune if tried else None,
        "costs": [row["metric"] for row in rows if used and _surely(row["effects"][used], row["lower_is_better"]) < 0],
    }


def _row(there: Mapping[str, Lines], side: str, name: str) -> dict[str, Any]:
    metric = metric_of(name)
    effects = {
        effect: _effect(there[before], there[after], name) if before in there and after in there else None
        for effect, (before, after) in EFFECTS.items()
    }
    return {
        "side": side,
        "metric": name,
        "label": metric.label,
        "proxy": metric.proxy,
        "lower_is_better": metric.lower_is_better,
        "means": {place: _mean(lines, name) for place, lines in there.items()},
        "effects": effects,
        "choice": _choice(effects, metric.lower_is_better),
    }


def _choice(effects: Mapping[str, Mapping[str, Any] | None], lower_is_better: bool) -> str:
    sides = {EFFECTS[name]: _surely(found, lower_is_better) for name, found in effects.items()}

    def beats(one: str, other: str) -> bool:
        return sides.get((other, one), 0) > 0 or sides.get((one, other), 0) < 0

    better = [place for place in PLACES if beats(place, NEITHER)]
    return next((place for place in better if not any(beats(other, place) for other in better)), NEITHER)


def _surely(effect: Mapping[str, Any] | None, lower_is_better: bool) -> int:
    """Return 1 where an effect is surely a gain, -1 where it is surely a loss, else 0."""
    if effect is None or effect["low"] is None or effect["high"] is None:
        return 0
    side = int(effect["low"] > 0) - int(effect["high"] < 0)
    return -side if lower_is_better else side


def _effect(before: Lines, after: Lines, metric: str) -> dict[str, Any] | None:
    groups = {each["id"]: each["group"] for each in before}
    first, second = _values(before, metric), _values(after, metric)
    shared = [each for each in first if each in second]
    if not shared:
        return None
    found = paired({each: first[each] for each in shared}, {each: second[each] for each in shared}, groups, CONFIDENCE)
    return {name: asdict(found)[name] for name in ("n", "difference", "low", "high", "p", "mde")}


def _values(lines: Lines, metric: str) -> dict[str, float]:
    return {each["id"]: each["scores"][metric] for each in lines if each["scores"].get(metric) is not None}


def _mean(lines: Lines, metric: str) -> float | None:
    found = list(_values(lines, metric).values())
    return sum(found) / len(found) if found else None
