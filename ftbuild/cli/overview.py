"""Bare `ftbuild`: every experiment and how its last run ended."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftbuild.compose import experiments, find_root
from ftbuild.errors import ExitCode
from ftbuild.report.words import date
from ftbuild.runs import history
from ftbuild.world import World

VERDICTS = {
    "better": "better",
    "worse": "worse",
    "no_difference": "no difference",
    "underpowered": "too few examples to tell",
}


def overview(folder: Path) -> int:
    """Print the list; nothing is written."""
    root = find_root(folder)
    world = World.at(root)
    last: dict[str, dict[str, Any]] = {}
    for _, run in history(world):
        last.setdefault(run["experiment"], run)
    known = experiments(root)
    rows = [(name, what, _verdict(last.get(name)), _when(last.get(name), world.now())) for name, what in known.items()]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for name, what, verdict, when in rows:
        print(f"  {name:{widths[0]}}    {what:{widths[1]}}    {verdict:{widths[2]}}    {when}".rstrip())
    print("\nBuild one: ftbuild +experiment=NAME     What would run: ftbuild plan +experiment=NAME")
    return int(ExitCode.DONE)


def _verdict(run: dict[str, Any] | None) -> str:
    if run is None:
        return "never run"
    if run["verdict"] is None:
        return "no verdict asked for"
    return f"{VERDICTS[run['verdict']]}, goal {run['ending']}"


def _when(run: dict[str, Any] | None, now: float) -> str:
    if run is None:
        return ""
    today = datetime.fromtimestamp(now, UTC).date()
    at = datetime.fromisoformat(run["started_at"])
    return f"today {at:%H:%M} UTC" if at.date() == today else date(run["started_at"])
