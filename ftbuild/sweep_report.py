"""The report of a sweep: outputs/sweeps/<name>/ with report.html and sweep.json, written when it has ended.

A sweep is what its points ask for: it is called by its experiment and a digest of their actions. So the same command
writes the same folder again, also where points that had failed are built by now; with one point more, or other data,
it is another sweep, and the page of the first stays as it was, with the correction that held for its points.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbuild import __version__
from ftbuild.digest import of_value
from ftbuild.history import Run
from ftbuild.outcome import Build
from ftbuild.plan.action import JOB
from ftbuild.points import Point, command_line
from ftbuild.problem import render
from ftbuild.report.sweep_input import PointInput, SweepInput
from ftbuild.runners.formats import json_file
from ftbuild.store import durable
from ftbuild.sweep import Sweep, worth_of
from ftbuild.trees import GROUPS
from ftbuild.world import World

DIGITS = 8
PAGE, VALUES = "report.html", "sweep.json"
TOLD = ("arm", "against", "confidence", "verdict_metric", "verdict", "ending", "goal")


@dataclass(frozen=True)
class End:
    """How a point of a sweep ended: the part of the build that is its own, a line for people, its run if it has one,
    and the results of its comparison.
    """

    point: Point
    done: Build
    said: str
    run: Run | None
    results: Mapping[str, Any] | None


def name_of(points: Sequence[Point], chosen: Mapping[str, Any] | None = None) -> str:
    """Return what a sweep is called: by its experiment, and by what its points ask for, in whatever order, and how
    these were `chosen` from others.
    """
    experiments = {point.composed.experiment for point in points}
    ids = sorted({point.ids[-1] for point in points})
    asked = of_value([ids, chosen] if chosen else ids)
    return f"{experiments.pop() if len(experiments) == 1 else 'sweep'}-{asked[:DIGITS]}"


def write(world: World, ends: Sequence[End], sweep: Sweep, command: str) -> Path | None:
    """Write the folder of a sweep and make outputs/sweeps/latest a link to it; return its page.

    None, and nothing is written, where fewer than two points were built to their end; one that was chosen will do.

    Raises:
        StoreError: it cannot be written.
    """
    if sum(each.run is not None for each in ends) < at_least(sweep):
        return None
    gathered = gather(world, ends, sweep, command)
    folder = world.root / gathered.path
    content = json_file(gathered.to_json())
    if not (folder / PAGE).is_file() or _read(folder / VALUES) != content:
        from ftbuild.report import html

        durable.write(folder / PAGE, html.render_sweep(gathered).encode())
        durable.write(folder / VALUES, content)
    latest = folder.with_name("latest")
    if not latest.is_symlink() or str(latest.readlink()) != folder.name:
        durable.link(folder.name, latest)
    return folder / PAGE


def at_least(sweep: Sweep) -> int:
    """Return how many points must have been built for the report of a sweep."""
    return 1 if sweep.chosen else 2


def cut(world: World, name: str) -> list[dict[str, Any]]:
    """Return who was cut on which rung of a sweep, with its value there; nobody where that is not written down."""
    try:
        rungs = json.loads((world.outputs / "sweeps" / name / VALUES).read_bytes())["chosen"]["rungs"]
        return [
            {"sweep": name, "point": each["point"], "rung": rung["name"], "mean": each["mean"]}
            for rung in rungs
            for each in rung["points"]
            if not each["goes_on"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def latest(world: World) -> SweepInput | None:
    """Return the sweep that was built last, None where there is none or its sweep.json cannot be read."""
    try:
        return SweepInput.from_json(json.loads((world.outputs / "sweeps" / "latest" / VALUES).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def gather(world: World, ends: Sequence[End], sweep: Sweep, command: str) -> SweepInput:
    """Return what the report of a sweep is made of."""
    points = [each.point for each in ends]
    folder = world.outputs / "sweeps" / name_of(points, sweep.chosen)
    settings = varied(points)
    told = [
        _point(each, {key: values[place] for key, values in settings.items()}, sweep, folder)
        for place, each in enumerate(ends)
    ]
    number = {id(point): place for place, point in enumerate(points, 1)}
    best = sweep.best
    return SweepInput(
        name=folder.name,
        path=str(folder.relative_to(world.root)),
        description=points[0].composed.description,
        command=command,
        started_at=max(each.run.told["started_at"] for each in ends if each.run),
        ftbuild=__version__,
        settings=list(settings),
        points=told,
        best=None if best is None else number[id(best)],
        winner=_winner(sweep, number),
        unasked=sweep.unasked,
        seeds=[
            {"name": each.name, "points": [number[id(look.point)] for look in each.looks], "found": each.found}
            for each in sweep.seeds
        ],
        front=_front(told),
        chosen=dict(sweep.chosen),
    )


def varied(points: Sequence[Point]) -> dict[str, list[Any]]:
    """Return the keys whose values the words of the points say otherwise, with the value of each point.

    The value of a setting is the composed one, of a group its option; it is None where a point says none.
    """
    said = [
        {key.lstrip("+"): text for key, sign, text in (word.partition("=") for word in each.composed.overrides) if sign}
        for each in points
    ]
    values = {
        key: [_value(point, key, words.get(key)) for point, words in zip(points, said, strict=True)]
        for key in dict.fromkeys(key for words in said for key in words)
    }
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}


def _value(point: Point, key: str, said: str | None) -> Any:
    if key.partition("@")[0] in GROUPS:
        return said
    node: Any = point.composed.tree
    for name in key.split("."):
        if not isinstance(node, Mapping) or name not in node:
            return said
        node = node[name]
    return node


def _point(each: End, settings: Mapping[str, Any], sweep: Sweep, folder: Path) -> PointInput:
    look = next((look for look in sweep.looks if look.point is each.point), None)
    error = next(iter(each.done.failed.values()), None)
    return PointInput(
        name=each.point.name,
        experiment=each.point.composed.experiment,
        command=command_line(each.point),
        settings=settings,
        run_id=each.run.run_id if each.run else None,
        report=os.path.relpath(each.run.folder / PAGE, folder) if each.run else None,
        error=None if each.run else render(error.problems) if error else each.said,
        results=_told(each.results) if each.results else None,
        verdict=look.verdict if look else None,
        p=look.p if look else None,
        **_spent(each.done),
    )


def _told(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report of a sweep tells of the results of a point."""
    asked = [(results["verdict_metric"], None), *((each["metric"], each["slice"]) for each in results["goal"])]
    asked += [(name, None) for name, _ in asked]
    metrics = [each for each in results["metrics"] if (each["metric"], each["slice"]) in asked]
    rehearsed = results.get("rehearsed", False)
    return {**{name: results[name] for name in TOLD}, "rehearsed": rehearsed, "metrics": metrics}


def _spent(done: Build) -> dict[str, Any]:
    ran = [each for each in done.ran.values() if each.action.stage != "confirm"]
    job = next((each.record for each in ran if each.action.kind is JOB), None)
    paid = [each.record.key for each in ran if each.action.kind.contract != "pure"]
    costs = [done.store.manifest(key).get("cost_usd", 0.0) for key in paid]
    return {
        "seconds": round(sum(each.record.seconds for each in ran), 1),
        "training_seconds": round(job.seconds, 1) if job else None,
        "trained_tokens": json.loads(done.store.get(job.outputs["job.json"]))["trained_tokens"] if job else None,
        "cost_usd": None if None in costs else round(sum(costs), 6),
    }


def _winner(sweep: Sweep, number: Mapping[int, int]) -> dict[str, Any] | None:
    if sweep.asked is None:
        return None
    won = sweep.asked.winner
    return {
        "point": number[id(won.point)],
        "looks": len(sweep.looks),
        "verdict": won.verdict,
        "p": won.p,
        "confirmed": sweep.confirmed,
        "asked_before": sweep.n_before,
    }


def _front(points: Sequence[PointInput]) -> dict[str, Any]:
    """Return which points are on the front: of value and money where any was paid, else of value and training time."""
    from ftbuild.stats import front

    judged = [(number, each, each.results) for number, each in enumerate(points, 1) if each.results is not None]
    valued = [(number, each, value) for number, each, found in judged if (value := worth_of(found)) is not None]
    if len({each.results["verdict_metric"] for _, each, _ in valued if each.results}) > 1:
        return {"by": None, "points": []}
    by = "cost_usd" if any(each.cost_usd for _, each, _ in valued) else "training_seconds"
    known = [(number, cost, value) for number, each, value in valued if (cost := getattr(each, by)) is not None]
    found = [known[place][0] for place in front([(cost, value) for _, cost, value in known])]
    return {"by": by if known else None, "points": found}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
