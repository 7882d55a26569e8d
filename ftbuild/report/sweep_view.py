"""What each section of the report of a sweep shows, as plain values for the template.

Owns selection, order and wording of the page. Whatever a picture shows stands in a table, too.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.report import sweep_pictures, sweep_words, words
from ftbuild.report.sweep_input import PointInput, SweepInput
from ftbuild.report.view import SIGNS

LONG_TABLE = 30  # rows; a longer table scrolls in a frame of its own, below its head


def sweep_view(sweep: SweepInput) -> dict[str, Any]:
    """Return the whole page as plain values."""
    names = names_of(sweep.settings)
    return {
        "sweep": sweep,
        "date": words.date(sweep.started_at),
        "caveat": words.REHEARSED if sweep.is_rehearsed else None,
        "verdict": {**(verdict := _verdict(sweep)), "sign": SIGNS[verdict["ending"]]},
        "names": names,
        "long_table": LONG_TABLE,
        "table_head": _head(sweep),
        "rows": [_row(sweep, number, each) for number, each in enumerate(sweep.points, 1)],
        "conditions": _conditions(sweep),
        "chosen": _chosen(sweep),
        "pictures": sweep_pictures.pictures(sweep, names),
        "failed": [_named(sweep, n) | {"error": each.error} for n, each in enumerate(sweep.points, 1) if each.error],
        "repeat": _repeat(sweep),
    }


def names_of(settings: Sequence[str]) -> list[str]:
    """Return the keys as they are said: their last word, the whole key where two end in the same one."""
    short = [key.rpartition(".")[2] for key in settings]
    return [key if short.count(name) > 1 else name for key, name in zip(settings, short, strict=True)]


def _named(sweep: SweepInput, number: int) -> dict[str, Any]:
    return {"number": number, "name": sweep.points[number - 1].name}


def _verdict(sweep: SweepInput) -> dict[str, Any]:
    built = [each for each in sweep.points if each.results]
    best = sweep.winner["point"] if sweep.winner is not None else sweep.best
    n_asked = max(sweep.n_asked, len(sweep.points))
    tiles = [{"label": "Points built", "value": f"{len(built)} of {n_asked}", "note": _failed(sweep)}]
    if sweep.chosen and len(built) == 1:
        return {**_left(sweep, built[0]), "tiles": tiles}
    if best is None or sweep.best is None:
        why = _why_none(sweep, built)
        sentences = [f"{words.first_large(why)}.", *(_confirmation(sweep) if sweep.winner else [])]
        headline = "Rehearsed: no point is the best" if sweep.is_rehearsed else "No point is the best"
        return {"headline": headline, "ending": "undecided", "sentences": sentences, "tiles": tiles}
    point = sweep.points[best - 1]
    assert point.results is not None
    confirmed = sweep.winner["confirmed"] if sweep.winner is not None else None
    word = words.VERDICTS[point.verdict]
    headline = f"{point.name}: {word}"
    ending = {"better": "met", "underpowered": "undecided"}.get(str(point.verdict), "missed")
    if confirmed is not None:
        headline += f", {words.CONFIRMED[confirmed['verdict']]}"
        ending = {"better": ending, "underpowered": "undecided"}.get(confirmed["verdict"], "missed")
    metric = words.metric_of(point.results, point.results["verdict_metric"])
    assert metric is not None
    numbers = metric["arms"][point.results["arm"]]
    note = " · ".join(filter(None, [words.interval(numbers), "lower is better" if metric["lower_is_better"] else ""]))
    tile = {"label": words.first_large(words.label(metric)), "value": words.value(numbers["mean"]), "note": note}
    return {
        "headline": headline,
        "ending": ending,
        "sentences": [*_won(sweep, point), *_confirmation(sweep)],
        "tiles": [tile, *tiles],
    }


def _left(sweep: SweepInput, point: PointInput) -> dict[str, Any]:
    """Return what the one point came to that was built in full, the others having been given up on the way."""
    assert point.results is not None
    said = "Rehearsed: the numbers are made up" if sweep.is_rehearsed else words.VERDICTS[point.results["verdict"]]
    sentences = [
        f"It is left of {words.count(sweep.n_asked, 'point')}; the others were given up by their answers to the "
        "validation split, and it alone was asked on the test split."
    ]
    ending = "undecided" if sweep.is_rehearsed else point.results["ending"] or "undecided"
    return {"headline": f"{point.name}: {said}", "ending": ending, "sentences": sentences}


def _chosen(sweep: SweepInput) -> list[dict[str, Any]]:
    """Return the tables of those who were given up on the way: one a rung, or that of all trials of a search."""
    tables = []
    for rung in sweep.chosen.get("rungs", ()):
        rows = [_on_the_way(each["point"], each, "goes on" if each["goes_on"] else "cut") for each in rung["points"]]
        tables.append({"name": words.first_large(rung["name"]), "note": sweep_words.ties(rung), "rows": rows})
    if search := sweep.chosen.get("search"):
        rows = []
        for number, each in enumerate(search["trials"], 1):
            said = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in each["values"].items())
            rows.append(_on_the_way(f"{number}: {said}", each, ""))
        tables.append({"name": f"Trials, drawn by {search['sampler']}", "note": "", "rows": rows})
    return tables


def _on_the_way(name: str, told: Mapping[str, Any], said: str) -> dict[str, Any]:
    value = "failed" if "error" in told else words.value(told["mean"])
    return {"name": name, "value": value, "said": told.get("error", said), "mean": told["mean"]}


def _failed(sweep: SweepInput) -> str:
    n = sum(each.error is not None for each in sweep.points)
    return f"{n} failed" if n else ""


def _why_none(sweep: SweepInput, built: Sequence[PointInput]) -> str:
    """Return why no point is the best, in words."""
    if sweep.is_rehearsed:
        return "the numbers are made up"
    judged = [each for each in built if each.verdict is not None]
    if len({each.results["verdict_metric"] for each in judged if each.results}) > 1:
        return "the points are judged by different metrics"
    if len(judged) < 2:
        return "fewer than two points were judged, so there is nothing to choose between"
    return "no point has a value"


def _won(sweep: SweepInput, point: PointInput) -> list[str]:
    """Return what the best point came to on the test split, among all that were judged."""
    n_looks = sum(each.verdict is not None for each in sweep.points)
    assert point.results is not None
    told = {"looks": n_looks, "verdict": point.verdict, "p": point.p}
    return [f"{words.first_large(words.won(told, point.results))}."]


def _confirmation(sweep: SweepInput) -> list[str]:
    """Return what the winner came to when it was asked once more, or why it was not."""
    flattered = "The test split has chosen it, which flatters it"
    if sweep.winner is not None:
        return sweep_words.again(sweep.winner["confirmed"], sweep.winner["asked_before"])
    if sweep.unasked:
        return [f"{sweep_words.unasked(sweep.unasked)}.", f"{flattered}."]
    return [f"{flattered}, and no examples were kept to ask it once more: +dataset.split.confirm=0.15 keeps some."]


def _head(sweep: SweepInput) -> dict[str, Any]:
    """Return the heads of the columns that depend on the sweep."""
    labels = dict.fromkeys(words.label(metric) for each in sweep.points if (metric := metric_of(each)) is not None)
    against = dict.fromkeys(each.results["against"] for each in sweep.points if each.results)
    return {
        "metric": words.first_large(next(iter(labels))) if len(labels) == 1 else "Metric of its goal",
        "is_one": len(labels) == 1,
        "against": next(iter(against)) if len(against) == 1 else "",
        "trained": any(each.training_seconds is not None for each in sweep.points),
        "judged": any(each.verdict is not None for each in sweep.points),
    }


def metric_of(point: PointInput) -> Mapping[str, Any] | None:
    """Return the entry of the metric of a point's verdict, None where it was not built or has none."""
    return words.metric_of(point.results, point.results["verdict_metric"]) if point.results else None


def _row(sweep: SweepInput, number: int, point: PointInput) -> dict[str, Any]:
    found = _numbers(point)
    return {
        **_named(sweep, number),
        "settings": [
            {"text": sweep_pictures.said(point.settings[key]), "sort": _sort(point.settings[key])}
            for key in sweep.settings
        ],
        **found,
        "verdict": words.VERDICTS[point.verdict] if point.verdict else "",
        "p": "" if point.p is None else words.p_value(point.p),
        "goal": point.results["ending"] if point.results else None,
        "sign": SIGNS[point.results["ending"]] if point.results else "",
        "trained": "" if point.training_seconds is None else words.duration(point.training_seconds),
        "training_seconds": point.training_seconds,
        "took": words.duration(point.seconds) if point.results else "",
        "seconds": point.seconds,
        "tokens": "" if point.trained_tokens is None else f"{point.trained_tokens:,}",
        "n_tokens": point.trained_tokens,
        "cost": ("unknown" if point.cost_usd is None else words.cost(point.cost_usd)) if point.results else "",
        "cost_usd": point.cost_usd,
        "report": point.report,
        "run_id": point.run_id,
        "is_best": number == sweep.best,
        "on_front": number in sweep.front["points"],
        "failed": point.error is not None,
        "rehearsed": bool(point.results and point.results["rehearsed"]),
    }


def _sort(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else sweep_pictures.said(value)


def _numbers(point: PointInput) -> dict[str, Any]:
    """Return value and difference of a point in words, and as they are sorted."""
    empty = {"label": "", "value": "", "interval": "", "mean": None}
    empty |= {"change": "", "change_interval": "", "difference": None, "against": ""}
    metric = metric_of(point)
    if point.results is None or metric is None:
        return empty
    numbers = metric["arms"][point.results["arm"]]
    told = {
        "label": words.label(metric),
        "value": words.value(numbers["mean"]),
        "interval": words.interval(numbers),
        "mean": numbers["mean"],
    }
    change = metric["differences"].get(point.results["against"])
    if change is not None and change["difference"] is not None:
        digits = words.digits_of(change)
        told |= {
            "change": words.signed(change["difference"], digits=digits),
            "change_interval": words.difference_interval(change, digits),
            "difference": change["difference"],
            "against": point.results["against"],
        }
    return {**empty, **told}


def _conditions(sweep: SweepInput) -> dict[str, Any] | None:
    """Return the conditions of the goals as columns, and how each point did by them; None where there is none."""
    heads: dict[str, dict[str, Any]] = {}
    rows = []
    for number, point in enumerate(sweep.points, 1):
        if not point.results:
            continue
        found = {each.name: each for each in words.findings(point.results)}
        for condition in point.results["goal"]:
            name = condition["name"]
            told = {"name": name.replace("_", " "), "guard": condition["part"] == "keep", "asked": found[name].asked}
            heads.setdefault(name, told)
        rows.append((number, found))
    if not heads:
        return None
    cells = [_named(sweep, number) | {"cells": [_cell(found.get(name)) for name in heads]} for number, found in rows]
    return {"heads": list(heads.values()), "rows": cells}


def _cell(found: words.Finding | None) -> dict[str, str] | None:
    if found is None:
        return None
    return {"ending": found.ending, "sign": SIGNS[found.ending], "found": found.found, "wanted": found.wanted}


def _repeat(sweep: SweepInput) -> dict[str, Any]:
    best = sweep.winner["point"] if sweep.winner is not None else sweep.best
    point = sweep.points[best - 1] if best is not None else None
    promote = None
    if point is not None and sweep.best is not None:
        name = re.sub(r"[^a-z0-9_]+", "_", point.experiment.lower())
        promote = f"ftbuild promote {shlex.quote(str(point.run_id))} {name}_best"
    return {"sweep": sweep.command, "best": point.command if point is not None else None, "promote": promote}
