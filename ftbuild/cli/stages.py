"""`ftbuild train`, `evaluate` and `report`: build an experiment up to there, as `ftbuild dataset` does for the data.

What is built is what a whole build would have built, and it goes on from it. The last asks nobody: it draws the page
of what is there, so that another goal or slice costs nothing.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ftbuild.cli.build import build, composed_of, of_points, world_of
from ftbuild.cli.layout import columns
from ftbuild.cli.options import Options
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.cli.walk import walked
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.ledger.checkpoints import choose
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.outcome import Build, Ran
from ftbuild.plan.action import COMPARE, JOB, Kind
from ftbuild.points import Point, command_line, one_graph
from ftbuild.problem import Problem
from ftbuild.report.terminal import numbers
from ftbuild.store.place import refuse_network
from ftbuild.store.store import Store


def train(options: Options) -> int:
    """Train the model of every point, after the answers of the base model, and say what it is called.

    Raises:
        FtbuildError: the first that could not be built; the others are told.
    """
    with _up_to(JOB.name, options) as (points, done):
        for point in points:
            for each in _of(point, done, JOB):
                told = _read(done, each, "job.json")
                shown = f"{told['job_id']}   {choose(told, point.composed.settings.method.checkpoint).model}"
                print(f"{point.name}   {shown}" if point.name else shown)
    return int(ExitCode.DONE)


def evaluate(options: Options) -> int:
    """Ask the arms of every point and compare them; return the exit code of the verdicts.

    Raises:
        FtbuildError: the first that could not be built; the others are told.
    """
    code = ExitCode.DONE
    with _up_to(COMPARE.name, options) as (points, done):
        for point in points:
            for each in _of(point, done, COMPARE):
                results = _read(done, each, "results.json")
                print("\n".join([*([f"{point.name}:"] if point.name else []), numbers(results, columns())]))
                is_missed = results["ending"] not in ("met", None) and not results.get("rehearsed")
                code = ExitCode.GOAL if is_missed else code
    return int(code)


def report(options: Options) -> int:
    """Draw the pages of what is built, and nothing else: no model is asked, no job is launched.

    Raises:
        ConfigError: something is not there that a model or a provider would have to be asked for.
    """
    world = world_of(options)
    store = Store(world.store)
    graph, points = one_graph(composed_of(options), smoke_overrides(options), store, smoke=options.smoke)
    for one in look_up(graph, store, LedgerFolder(world)):
        if one.action.kind.contract != "pure" and one.status != "HIT" and one.action.id not in graph.borrowed:
            what = f"{one.action.label} is not there, and a report asks no model"
            raise ConfigError(Problem(what, "command line", fix=command_line(points[0])))
    return build(options)


@contextmanager
def _up_to(kind: str, options: Options) -> Iterator[tuple[Sequence[Point], Build]]:
    """Build every point up to its actions of a kind, and yield what happened; what failed is raised in the end."""
    composed = composed_of(options)
    if composed.chosen_by is not None:
        why = "Which of its points are trained follows from how those before them have done."
        raise ConfigError(Problem("a sweep that chooses its points is built as a whole", "sweep", why=why))
    for each in composed.points:
        _refuse_untuned(each, kind)
    world = world_of(options)
    refuse_network(world.store)
    store = Store(world.store)
    graph, points = one_graph(composed, smoke_overrides(options), store, smoke=options.smoke)
    part = graph.up_to(kind)
    points = [replace(each, ids=tuple(name for name in each.ids if name in part.actions)) for each in points]
    with walked(part, points, store, world, of_points(options, points)) as done:
        yield points, done
        if done.failed:
            raise next(iter(done.failed.values()))


def _refuse_untuned(composed: Composed, kind: str) -> None:
    """Say nothing of an experiment that trains, where that is asked for.

    Raises:
        ConfigError: it does not.
    """
    if kind == JOB.name and composed.settings.method.type == "none":
        origin = composed.origins.of("method.type")
        place = (origin.in_tree, origin.line) if origin else ("command line", None)
        raise ConfigError(Problem("method.type: none, so there is nothing to train", *place, fix="method=supervised"))


def _of(point: Point, done: Build, kind: Kind) -> list[Ran]:
    return [done.ran[name] for name in point.ids if name in done.ran and done.ran[name].action.kind is kind]


def _read(done: Build, ran: Ran, output: str) -> Any:
    return json.loads(done.store.get(ran.record.outputs[output]))
