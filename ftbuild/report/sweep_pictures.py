"""Which pictures a sweep has, and what they show: that follows from what its points differ in.

One setting: values over it. Two on a full grid: a heat map. Two and more: parallel axes. Seeds alone: how far they lie
apart. Value against cost always, where costs differ in anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.report import sweep_charts, sweep_words, words
from ftbuild.report.sweep_charts import Dot
from ftbuild.report.sweep_input import PointInput, SweepInput

NOT_SET = "not set"
WIDE_AT_MOST = 8  # columns of a heat map whose cells have room for an interval
NAMED_AT_MOST = 8  # points that a picture leaves out
COSTS = {"cost_usd": "US dollars", "training_seconds": "seconds of training"}


@dataclass(frozen=True)
class Valued:
    """A point that has a value: its number, its mean with the interval, and the mean of what it is compared to."""

    number: int
    point: PointInput
    mean: float
    low: float | None
    high: float | None
    base: float | None

    @property
    def title(self) -> str:
        """Return what is said of it where it is pointed at."""
        ends = words.interval({"low": self.low, "high": self.high})
        return f"#{self.number} {self.point.name}: {words.value(self.mean)}{f' ({ends})' if ends else ''}"


def said(value: Any) -> str:
    """Return a setting as it is shown."""
    return NOT_SET if value is None else words.setting(value)


def pictures(sweep: SweepInput, names: Sequence[str]) -> dict[str, Any]:
    """Return the pictures by name, None for one that the sweep does not have; `names` are those of its settings."""
    seeds = _seeds(sweep)
    none: dict[str, Any] = dict.fromkeys(("setting", "heat", "parallel", "cost"))
    metrics = {each.results["verdict_metric"] for each in sweep.points if each.results}
    valued = [found for number, each in enumerate(sweep.points, 1) if (found := _valued(number, each)) is not None]
    if len(valued) < 2 or len(metrics) > 1:
        return none | {"seeds": seeds, "why_none": "different metrics" if len(metrics) > 1 else "too few values"}
    lower = _metric(valued[0].point)["lower_is_better"]
    return {
        "label": words.first_large(words.label(_metric(valued[0].point))),
        "lower": lower,
        "why_none": None,
        "setting": None if seeds else _setting(sweep, valued, names),
        "heat": _heat(sweep, valued, names, lower_is_better=lower),
        "parallel": _parallel(sweep, valued, names, lower_is_better=lower),
        "cost": _cost(sweep, valued),
        "seeds": seeds,
    }


def _metric(point: PointInput) -> Mapping[str, Any]:
    assert point.results is not None
    found = words.metric_of(point.results, point.results["verdict_metric"])
    assert found is not None
    return found


def _valued(number: int, point: PointInput) -> Valued | None:
    if point.results is None or words.metric_of(point.results, point.results["verdict_metric"]) is None:
        return None
    arms = _metric(point)["arms"]
    own, base = arms[point.results["arm"]], arms.get(point.results["against"])
    if own["mean"] is None:
        return None
    return Valued(number, point, own["mean"], own["low"], own["high"], base["mean"] if base else None)


def _dot(sweep: SweepInput, each: Valued, x: float) -> Dot:
    classes = ["best"] if each.number == sweep.best else []
    classes += ["on-front"] if each.number in sweep.front["points"] else []
    return Dot(each.number, x, each.mean, each.low, each.high, each.title, " ".join(classes))


def _setting(sweep: SweepInput, valued: Sequence[Valued], names: Sequence[str]) -> dict[str, Any] | None:
    """Return values over the one setting in which the points differ."""
    if len(sweep.settings) != 1:
        return None
    [key] = sweep.settings
    found = [each.point.settings[key] for each in valued]
    axis = sweep_charts.axis(found, [said(each) for each in found], to_scale=True)
    order = sorted(range(len(valued)), key=lambda place: axis.places[place])
    axis = sweep_charts.Axis([axis.places[place] for place in order], axis.labels)
    are_numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in found)
    bases = {each.base for each in valued}
    base = bases.pop() if len(bases) == 1 else None
    dots = [_dot(sweep, valued[place], 0) for place in order]
    picture = sweep_charts.against_setting(dots, axis, base, joined=are_numbers)
    return {"name": names[0], "picture": picture, "base": base is not None, "against": _against(valued[0])}


def _against(each: Valued) -> str:
    assert each.point.results is not None
    return str(each.point.results["against"])


def _heat(
    sweep: SweepInput, valued: Sequence[Valued], names: Sequence[str], *, lower_is_better: bool
) -> dict[str, Any] | None:
    """Return the values by two settings, where the points differ in just two and are all combinations of them."""
    if len(sweep.settings) != 2:
        return None
    down, across = sweep.settings
    at = {(said(each.settings[down]), said(each.settings[across])): n for n, each in enumerate(sweep.points, 1)}
    rows, columns = (_ordered([each.settings[key] for each in sweep.points]) for key in (down, across))
    is_full = len(at) == len(sweep.points) == len(rows) * len(columns)
    if not is_full or min(len(rows), len(columns)) < 2:
        return None
    by_number = {each.number: each for each in valued}
    least, most = (end(each.mean for each in valued) for end in (min, max))

    def cell(number: int) -> dict[str, Any]:
        each = by_number.get(number)
        if each is None:
            what = "failed" if sweep.points[number - 1].error else words.NO_VALUE
            return {"number": number, "value": what, "interval": "", "level": None, "best": False}
        level = sweep_charts.level(each.mean, least, most, lower_is_better=lower_is_better)
        ends = words.interval({"low": each.low, "high": each.high})
        told = {"value": words.value(each.mean), "interval": ends, "level": level}
        return {"number": number, "best": number == sweep.best, **told}

    return {
        "down": names[0],
        "across": names[1],
        "columns": columns,
        "is_dense": len(columns) > WIDE_AT_MOST,
        "rows": [{"text": row, "cells": [cell(at[row, column]) for column in columns]} for row in rows],
    }


def _ordered(values: Sequence[Any]) -> list[str]:
    """Return the different values as they are shown: numbers in their order, others as they come."""
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        values = sorted(values)
    return list(dict.fromkeys(map(said, values)))


def _parallel(
    sweep: SweepInput, valued: Sequence[Valued], names: Sequence[str], *, lower_is_better: bool
) -> dict[str, Any] | None:
    """Return a path a point over an axis a setting, and one of the metric at last."""
    if len(sweep.settings) < 2:
        return None
    axes = []
    for key in sweep.settings:
        found = [each.point.settings[key] for each in valued]
        axes.append(sweep_charts.axis(found, [said(each) for each in found]))
    least, most = (end(each.mean for each in valued) for end in (min, max))
    scale = sweep_charts.scale_over([least, most])
    axes.append(sweep_charts.Axis([scale.percent(each.mean) for each in valued], scale.labels()))
    levels = [sweep_charts.level(each.mean, least, most, lower_is_better=lower_is_better) for each in valued]
    paths = [
        (f"level-{level}{' best' if each.number == sweep.best else ''}", each.title, [axis.places[n] for axis in axes])
        for n, (each, level) in enumerate(zip(valued, levels, strict=True))
    ]
    paths.sort(key=lambda path: path[0])  # the better, the later drawn
    places = sweep_charts.axes_at(len(axes))
    metric = words.first_large(words.label(_metric(valued[0].point)))
    heads = [*names, metric]
    return {
        "svg": sweep_charts.parallel(paths, len(axes)),
        "axes": [
            {"name": name, "place": place, "labels": axis.labels}
            for name, place, axis in zip(heads, places, axes, strict=True)
        ],
        "left_out": _others(sweep, valued),
    }


def _others(sweep: SweepInput, shown: Sequence[Valued]) -> list[str]:
    """Return the points that a picture does not show."""
    there = {each.number for each in shown}
    others = [f"#{n} {each.name}" for n, each in enumerate(sweep.points, 1) if n not in there]
    rest = len(others) - NAMED_AT_MOST
    return [*others[:NAMED_AT_MOST], *([f"and {rest} more"] if rest > 0 else [])]


def _cost(sweep: SweepInput, valued: Sequence[Valued]) -> dict[str, Any] | None:
    """Return values against what they cost, and the front in words."""
    by = sweep.front["by"]
    known = [each for each in valued if by is not None and getattr(each.point, by) is not None]
    if len(known) < 2:
        return None
    dots = [_dot(sweep, each, getattr(each.point, by)) for each in known]
    front = [next(each for each in known if each.number == number) for number in sweep.front["points"]]
    told = words.cost if by == "cost_usd" else words.duration
    is_unknown = by == "training_seconds" and any(each.point.cost_usd is None for each in valued)
    return {
        "picture": sweep_charts.against_cost(dots, sweep.front["points"]),
        "unit": COSTS[by],
        "front": [
            f"#{each.number} {each.point.name}: {words.value(each.mean)} at {told(getattr(each.point, by))}"
            for each in front
        ],
        "unknown": is_unknown,
        "left_out": _others(sweep, known),
    }


def _seeds(sweep: SweepInput) -> list[dict[str, Any]]:
    """Return the configurations that were built with several seeds, their means by seed on one scale."""
    found = []
    for each in sweep.seeds:
        points = [(number, sweep.points[number - 1]) for number in each["points"]]
        valued = [value for number, point in points if (value := _valued(number, point)) is not None]
        found.append((each, [(value.number, value.mean) for value in valued]))
    ends = [
        n
        for each, means in found
        for n in (each["found"]["over_examples"]["low"], each["found"]["over_examples"]["high"], *(m for _, m in means))
        if n is not None
    ]
    if not ends:
        return []
    scale = sweep_charts.scale_over(ends)
    return [
        {
            "name": each["name"] or "the seeds",
            "said": words.first_large(sweep_words.seeds(each["name"], each["found"])),
            "svg": sweep_charts.seeds(means, each["found"]["over_examples"], scale),
            "ticks": scale.labels(),
        }
        for each, means in found
    ]
