"""`ftbuild runs`: every run and how it ended, newest first. Writes nothing."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from typing import Any

from ftbuild import sweep_report
from ftbuild.cli import rounds_line
from ftbuild.cli.build import world_of
from ftbuild.cli.grid import aligned, github
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.options import Options
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.history import SCHEMA_VERSION, Run, latest_id, listed
from ftbuild.problem import Problem, nearest, render
from ftbuild.report.words import asked_for, cost, count, duration, interval, metric_of, value, when
from ftbuild.trees import experiments
from ftbuild.world import World

ARM = "tuned"  # of runs that do not say which was judged
# column -> what it is sorted by
COLUMNS = {
    "run": attrgetter("run_id"),
    "experiment": attrgetter("experiment"),
    "when": attrgetter("started_at", "run_id"),
    "seconds": attrgetter("seconds"),
    "verdict": attrgetter("verdict"),
    "ending": attrgetter("ending"),
    "metric": attrgetter("mean"),
    "tokens": attrgetter("trained_tokens"),
    "job": attrgetter("job_id"),
    "cost": attrgetter("cost_usd"),
    "sweep": attrgetter("sweep"),
    "overrides": attrgetter("overridden"),
}
NEWEST_FIRST = "-when"
HEAD = (
    "run", "experiment", "when", "seconds", "verdict and ending", "metric", "tokens", "job", "cost", "sweep",
    "overrides",
)  # fmt: skip
NUMBERS = (3, 6)


@dataclass(frozen=True)
class Row:
    """A run as a line of the table; what nobody recorded is None. `mean, low, high` are those of the judged arm,
    `sweep` the one that it was built in last.
    """

    run_id: str
    experiment: str
    started_at: str
    seconds: float
    verdict: str | None
    ending: str | None
    rehearsed: bool
    metric: str | None
    n: int | None
    mean: float | None
    low: float | None
    high: float | None
    trained_tokens: int | None
    job_id: str | None
    cost_usd: float | None
    sweep: str | None
    overrides: Sequence[str]
    path: str
    latest: bool

    @property
    def overridden(self) -> str:
        """Return the overrides as one text, but for the choice of the experiment."""
        return " ".join(each for each in self.overrides if not each.startswith(("+experiment=", "experiment=")))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; the metric is an object, null without one."""
        told = asdict(self)
        numbers = {name: told.pop(name) for name in ("n", "mean", "low", "high")}
        told["metric"] = {"metric": self.metric, "arm": ARM, **numbers} if self.metric else None
        return told

    def cells(self, now: float) -> tuple[str, ...]:
        """Return what the table shows, one text a column of HEAD."""
        return (
            f"{self.run_id} (latest)" if self.latest else self.run_id,
            self.experiment,
            when(self.started_at, now),
            f"{self.seconds:,.1f}",
            self._ended(),
            self._measured(),
            "" if self.trained_tokens is None else f"{self.trained_tokens:,}",
            self.job_id or "",
            cost(self.cost_usd),
            self.sweep or "",
            self.overridden,
        )

    def block(self, now: float, width: int, widest: int) -> str:
        """Return the row for a terminal too narrow for the table: name and ending, and all the rest below them.

        `widest` is how wide the name may be for the ending to stand beside it.
        """
        name, experiment, at, _, ended, measured, _, job, money, sweep, overridden = self.cells(now)
        tokens = "" if self.trained_tokens is None else count(self.trained_tokens, "trained token")
        other, sweep = "" if experiment in self.run_id else experiment, f"sweep {sweep}" if sweep else ""
        told = ", ".join(
            part for part in (other, measured, at, duration(self.seconds), tokens, money, job, sweep) if part
        )
        first = f"  {name:{widest}}   {ended}"
        head = [first] if len(first) <= width else [f"  {name}", hang("      ", ended, width)]
        return "\n".join([*head, *(hang("      ", part, width) for part in (told, overridden) if part)])

    def _ended(self) -> str:
        return asked_for({"verdict": self.verdict, "ending": self.ending, "rehearsed": self.rehearsed})

    def _measured(self) -> str:
        if self.metric is None:
            return ""
        ends = interval({"low": self.low, "high": self.high})
        return f"{self.metric} {value(self.mean)}{f' ({ends})' if ends else ''}"


def runs(options: Options) -> int:
    """Print the runs asked for, in the order asked for; damaged ones are named on stderr."""
    world = world_of(options)
    order = _order(options.sort or NEWEST_FIRST)
    found, problems = listed(world)
    if problems:
        print(render(problems), file=sys.stderr)
    chosen = _of_experiment(found, options.experiment, world)
    latest = latest_id(world)
    rows = _sorted([_row(run, latest) for run in chosen], *order)
    history = rounds_line.rounds(options.experiment, found) if options.experiment is not None else []
    if options.format == "json":
        told = {"schema_version": SCHEMA_VERSION, "runs": [row.to_json() for row in rows], "cut": _cut(rows, world)}
        told |= {"rounds": [each.to_json() for each in history]} if history else {}
        print(json.dumps(told, ensure_ascii=False, indent=1))
    elif not rows and problems:
        print("No run can be read.")
    elif not rows:
        name = options.experiment
        print(f"No runs{f' of {name}' if name else ''} yet. Make one: ftbuild +experiment={name or 'NAME'}")
        if listed(smoke := world_of(replace(options, smoke=True)))[0]:
            print(
                f"Smoke runs are in {os.path.relpath(smoke.outputs / 'runs', options.folder)}; ftbuild diff takes them."
            )
    elif options.format == "md":
        print(github(HEAD, [row.cells(world.now()) for row in rows]))
    else:
        print(text(rows, world.now(), columns()))
        for each in _cut(rows, world):
            said = f"cut at {each['rung']}: {value(each['mean'])} on the validation split, by {each['sweep']}"
            print(hang(f"  {each['point']}   ", said, columns()))
    if history and options.format == "text":
        print("\n" + rounds_line.text(history, columns()))
    return int(ExitCode.DONE)


def _cut(rows: Sequence[Row], world: World) -> list[dict[str, Any]]:
    """Return who was cut on the way to these runs, sweep by sweep."""
    names = dict.fromkeys(row.sweep for row in rows if row.sweep)
    return [each for name in names for each in sweep_report.cut(world, name)]


def text(rows: Sequence[Row], now: float, width: int) -> str:
    """Return a table where it fits into `width`, else a block a run; a column that is empty throughout is left out."""
    table = [HEAD, *(row.cells(now) for row in rows)]
    filled = [number for number in range(len(HEAD)) if any(line[number] for line in table[1:])]
    right = [place for place, number in enumerate(filled) if number in NUMBERS]
    lines = [f"  {line}" for line in aligned([[line[number] for number in filled] for line in table], right)]
    if max(map(len, lines)) <= width:
        return "\n".join(lines)
    widest = max(len(line[0]) for line in table[1:])
    return "\n".join(row.block(now, width, widest) for row in rows)


def _order(asked: str) -> tuple[str, bool]:
    """Return the column to sort by, and whether it is turned round.

    Raises:
        ConfigError: there is no such column.
    """
    name = asked.removeprefix("-")
    if name not in COLUMNS:
        close = nearest(name, COLUMNS)
        there = f"there are {', '.join(COLUMNS)}."
        fix = f"the nearest is {close}; {there}" if close else there
        raise ConfigError(Problem(f"--sort: no column {name!r}", "command line", fix=fix))
    return name, asked.startswith("-")


def _sorted(rows: Sequence[Row], column: str, turned: bool) -> list[Row]:
    """Return the rows in order; those without a value come last either way, equal ones as they were."""
    of = COLUMNS[column]
    valued = sorted((row for row in rows if of(row) is not None), key=of, reverse=turned)
    return [*valued, *(row for row in rows if of(row) is None)]


def _of_experiment(found: Sequence[Run], name: str | None, world: World) -> list[Run]:
    """Return the runs of an experiment, all for None.

    Raises:
        ConfigError: neither a run nor conf/ knows it.
    """
    chosen = [run for run in found if name in (None, run.told["experiment"])]
    if name is None or chosen:
        return chosen
    known = dict.fromkeys([*(run.told["experiment"] for run in found), *experiments(world.root)])
    if name not in known:
        close = nearest(name, known)
        fix = f"ftbuild runs --experiment {close}" if close else "ftbuild lists the experiments."
        raise ConfigError(Problem(f"no experiment {name!r}", "command line", fix=fix))
    return []


def _row(run: Run, latest: str | None) -> Row:
    report = run.report() or {"results": {"verdict_metric": None}, "training": None}
    name = report["results"]["verdict_metric"]
    metric = metric_of(run.told, name) if name else None
    numbers = (metric or {"arms": {}})["arms"].get(run.told.get("arm", ARM)) or dict.fromkeys(
        ("n", "mean", "low", "high")
    )
    return Row(
        run_id=run.run_id,
        experiment=run.told["experiment"],
        started_at=run.told["started_at"],
        seconds=run.told["seconds"],
        verdict=run.told["verdict"],
        ending=run.told["ending"],
        rehearsed=run.told.get("rehearsed", False),
        metric=name if metric else None,
        n=numbers["n"],
        mean=numbers["mean"],
        low=numbers["low"],
        high=numbers["high"],
        trained_tokens=report["training"]["trained_tokens"] if report["training"] else None,
        job_id=next(iter(run.told["jobs"]), None),
        cost_usd=run.told["cost_usd"],
        sweep=sweep.get("name") if isinstance(sweep := run.told.get("sweep"), Mapping) else None,
        overrides=run.told["overrides"],
        path=os.path.relpath(run.folder),
        latest=run.run_id == latest,
    )
