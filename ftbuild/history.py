"""The runs that have been, as the run.json of each tells; `runs` writes them."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import Any

from ftbuild.problem import Problem
from ftbuild.report.words import ENDINGS, VERDICTS
from ftbuild.world import World

SCHEMA_VERSION = 1
REPORT_HAS = {"results", "training", "run", "examples"}
# What run.json holds at least: a type, several, or what is inside a list or a map.
FORM = {
    "result_id": str,
    "experiment": str,
    "overrides": [str],
    "started_at": str,
    "seconds": (int, float),
    "cost_usd": (int, float, NoneType),
    "actions": [{"label": str, "kind": str, "key": str}],
    "dataset": {"digest": str, "counts": dict},
    "jobs": [str],
    "metrics": [{"metric": str, "slice": (str, NoneType), "arms": dict}],
    "goal": [{"name": str, "ending": str}],
}


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, whose name is its id, and what its run.json says."""

    folder: Path
    told: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        """Return the id, as people type it."""
        return self.folder.name

    def report(self) -> Mapping[str, Any] | None:
        """Return what the report was drawn from, None where it is gone or cannot be read."""
        try:
            found = json.loads((self.folder / "report.json").read_bytes())
            return found if found["schema_version"] == SCHEMA_VERSION and found.keys() >= REPORT_HAS else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def listed(world: World) -> tuple[list[Run], list[Problem]]:
    """Return the runs, newest first, and a warning for each run.json that cannot be read or is no run's."""
    found, problems = [], []
    for path in (world.outputs / "runs").glob("*/run.json"):
        if path.parent.is_symlink():
            continue
        run = read(path.parent)
        if isinstance(run, Run):
            found.append(run)
        else:
            problems.append(run)
    newest_first = sorted(found, key=lambda run: (run.told["started_at"], run.run_id), reverse=True)
    return newest_first, sorted(problems, key=lambda problem: problem.path)


def read(folder: Path) -> Run | Problem:
    """Return the run in a folder, or what is wrong with its run.json."""
    path = folder / "run.json"
    try:
        told = json.loads(path.read_bytes())
        if told["schema_version"] != SCHEMA_VERSION or not _fits(told, FORM):
            raise ValueError("of another form")
        datetime.fromisoformat(told["started_at"])
        _ = VERDICTS[told["verdict"]], ENDINGS[told["ending"]]
    except (OSError, ValueError, KeyError, TypeError):
        shown = os.path.relpath(path)
        fix = f"delete {os.path.dirname(shown)}; the build that wrote it writes it again from the store."
        return Problem("the run cannot be read", shown, why="It is left out here.", fix=fix, severity="warning")
    return Run(folder, told)


def latest_id(world: World) -> str | None:
    """Return the id of the run that the link points at, None where there is none."""
    link = world.outputs / "runs" / "latest"
    return link.readlink().name if link.is_symlink() else None


def _fits(value: object, form: Any) -> bool:
    if isinstance(form, dict):
        return isinstance(value, dict) and all(name in value and _fits(value[name], form[name]) for name in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(_fits(each, form[0]) for each in value)
    return isinstance(value, form)
