"""Compositions become one graph: every point of a sweep keeps its own actions, equal ones are one."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ftbuild.compose import Composed
from ftbuild.engine import Build
from ftbuild.errors import ConfigError, DataError
from ftbuild.plan.graph import Graph
from ftbuild.plan.resolve import resolve
from ftbuild.problem import Problem
from ftbuild.scorers import versions
from ftbuild.store.store import Store


@dataclass(frozen=True)
class Point:
    """One composition, the words after `ftbuild` that ask for it alone, and the ids of its actions in order.

    `name` is what sets it apart from the other points, "" for the only one.
    """

    composed: Composed
    command: tuple[str, ...]
    ids: tuple[str, ...]
    name: str = ""


def one_graph(
    composed: Sequence[Composed], given: Sequence[str], store: Store, *, smoke: bool
) -> tuple[Graph, list[Point]]:
    """Return the graph of all compositions and its points; `given` are overrides that the command line does not say.

    Raises:
        DataError: a source's file cannot be read.
        ConfigError: there is no source.
    """
    graph, points = Graph(), []
    said = [tuple(word for word in each.overrides if word not in given) for each in composed]
    for each, words in zip(composed, said, strict=True):
        ids = graph.merge(graph_of(each, store, judged=not smoke))
        name = " ".join(_shortened(word) for word in words if any(word not in other for other in said))
        points.append(Point(each, (*words, *(("--smoke",) if smoke else ())), tuple(ids), name))
    return graph, points


def _shortened(word: str) -> str:
    """Return an override as it would be said: n_epochs=2."""
    return re.sub(r"^[\w.+@/]*[.+](?=[\w]+=)", "", word)


def owners(points: Sequence[Point]) -> Mapping[str, Point]:
    """Return the first point of each action, by id."""
    found: dict[str, Point] = {}
    for point in points:
        for name in point.ids:
            found.setdefault(name, point)
    return found


def part_of(done: Build, point: Point, owned: Mapping[str, Point]) -> Build:
    """Return what happened to a point's actions; what an earlier point asked for first counts as found."""
    part = done.part(point.ids)
    for name, ran in part.ran.items():
        if owned[name] is not point:
            part.ran[name] = replace(ran, status="HIT", seconds=0.0)
    return part


def apart(points: Sequence[Point]) -> dict[str, str]:
    """Return for which points an action is, by id, for those that are not for all; nothing for a single point."""
    names: dict[str, list[str]] = {}
    for point in points:
        for name in point.ids:
            names.setdefault(name, []).append(point.name)
    return {name: ", ".join(those) for name, those in names.items() if len(those) < len(points)}


def graph_of(composed: Composed, store: Store, *, judged: bool) -> Graph:
    """Return the graph of one composition.

    Raises:
        DataError: a source's file cannot be read.
        ConfigError: there is no source.
    """
    sources = composed.settings.dataset.sources
    if not sources:
        raise ConfigError(Problem("dataset.sources is empty", "command line", fix="take an experiment."))
    digests, problems = {}, []
    for name in sources:
        try:
            digests[name] = store.digest_of(composed.source_path(name))
        except OSError as error:
            origin = composed.origins.of(f"dataset.sources.{name}.path")
            problems.append(
                Problem(
                    f"dataset.sources.{name}.path: {composed.source_path(name)}: "
                    f"{(error.strerror or 'cannot be read').lower()}",
                    origin.path if origin else "",
                    origin.line if origin else None,
                    fix=f"put the file there, or say where it is: dataset.sources.{name}.path=FILE.",
                )
            )
    if problems:
        raise DataError(*problems)
    scorers = versions(composed.settings.evaluation.scorers, composed.settings.style)
    return resolve(composed.settings, digests, scorers, judged=judged)


def command_line(point: Point) -> str:
    """Return the command that builds one point."""
    return f"ftbuild {shlex.join(point.command)}"
