"""Bare `ftbuild`: every experiment and how its last run ended, and what comes next of those that are under way."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from ftbuild.cli.layout import columns, hang
from ftbuild.cli.standing import Standing, standings
from ftbuild.errors import ExitCode
from ftbuild.history import Run, listed
from ftbuild.report.words import asked_for, when
from ftbuild.trees import experiments, find_root, shipped_conf
from ftbuild.world import World
from ftbuild.yaml_marks import broken


def overview(folder: Path) -> int:
    """Print the list; nothing is written."""
    root = find_root(folder)
    world = World.at(root)
    newest: dict[str, Run] = {}
    runs, problems = listed(world)
    for run in runs:
        newest.setdefault(run.told["experiment"], run)
    last = {name: run.told for name, run in newest.items()}
    known = experiments(root)
    damaged = {PurePath(each.path).parent.name.split("-", 2)[-1] for each in problems} - last.keys()
    unread = dict.fromkeys(damaged, "its run cannot be read: ftbuild runs")
    own = [*(root / "conf" / "experiment").glob("*.yaml")]
    unread |= {each.stem: "its file is broken: ftbuild plan" for each in own if broken(each.read_bytes(), "")}
    rows = [
        (
            name,
            what,
            unread.get(name) or _verdict(last.get(name)),
            when(last[name]["started_at"], world.now()) if name in last else "",
        )
        for name, what in known.items()
    ]
    print(lines(rows, columns()))
    going: dict[str, Run] = {}
    for run in sorted(runs, key=lambda one: bool(one.told.get("rehearsed"))):  # a real one says more than a rehearsal
        if (name := run.told["experiment"]) in known and name not in unread:
            going.setdefault(name, run)
    mine = [] if root / "conf" == shipped_conf() else [each.stem for each in own if each.stem not in unread]
    if found := standings(world, going, mine):
        print("\n" + steps(found, columns()))
    print("\nBuild one:      ftbuild +experiment=NAME\nWhat would run: ftbuild plan +experiment=NAME")
    return int(ExitCode.DONE)


def lines(rows: list[tuple[str, str, str, str]], width: int) -> str:
    """Return one line an experiment; where that is too wide the description stands below the name."""
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    if sum(widths) + 2 + 4 * 3 <= width:
        return "\n".join(
            "  " + "    ".join(f"{cell:{widest}}" for cell, widest in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )
    return "\n".join(
        hang(f"  {name:{widths[0]}}    ", f"{verdict}    {when}".rstrip(), width) + "\n" + hang("      ", what, width)
        for name, what, verdict, when in rows
    )


def steps(found: Sequence[Standing], width: int) -> str:
    """Return the step and the command that come next for each experiment, where that is too wide below its name."""
    named = max(len(each.name) for each in found)
    head = "Next of the five steps goal, data, train, test, improve:"
    rows = [(f"  {each.name:{named}}    {each.step:7}    ", each) for each in found]
    told = [f"{each.command}{f'    {each.why}' if each.why else ''}" for each in found]
    if all(len(left) + len(text) <= width for (left, _), text in zip(rows, told, strict=True)):
        return "\n".join([head, *(left + text for (left, _), text in zip(rows, told, strict=True))])
    parts = [
        f"  {each.name}    {each.step}{f'    {each.why}' if each.why else ''}\n      {each.command}" for each in found
    ]
    return "\n".join([head, *parts])


def _verdict(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "never run"
    return asked_for(run)
