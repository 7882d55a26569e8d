"""Compositions become one graph: every point of a sweep keeps its own actions, equal ones are one."""

import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from typing import Any

from ftbuild import compiling
from ftbuild.composed import Composed
from ftbuild.compositions import Compositions
from ftbuild.outcome import Build
from ftbuild.plan.action import PREDICT, Action
from ftbuild.plan.graph import Graph
from ftbuild.store.store import Store

UNCHANGED = "as it stands"  # the name of a point that says nothing of its own
OF_TEXTS = ("pairs", "csv", "alpaca", "documents")  # kinds of sources that bring no tools along


@dataclass(frozen=True)
class Point:
    """One composition, the words after `ftbuild` that ask for it alone, and the ids of its actions in order.

    `name` is what sets it apart from the other points, "" for the only one; `arm` is the one that is asked for, where
    it has a model of its own. A smoke run is not `judged`. `before` is the round before with the actions of its job,
    where some of them are none of the point's own: no run is theirs, but they are planned, paid for and told of.
    """

    composed: Composed
    command: tuple[str, ...]
    ids: tuple[str, ...]
    name: str = ""
    arm: str = ""
    judged: bool = True
    before: "Point | None" = None


def with_before(points: Iterable[Point], graph: Graph | None = None) -> list[Point]:
    """Return the points and, last, the rounds before them, each that is another once; all of it being in a graph."""
    points = list(points)
    others = {each.before.ids: each.before for each in points if each.before}
    return [*points, *(each for ids, each in others.items() if graph is None or graph.actions.keys() >= {*ids})]


def one_graph(found: Compositions, given: Sequence[str], store: Store, *, smoke: bool) -> tuple[Graph, list[Point]]:
    """Return the graph of all compositions and its points; `given` are overrides that the command line does not
    say; they come first.

    The graph is kept with the compositions, so that it is made once for as long as they hold; the
    sources' bytes enter it anew each time.

    Raises:
        DataError: a source's file cannot be read.
        ConfigError: there is no source.
    """
    compiled = compiling.read(found.attached(), store, judged=not smoke)
    if compiled is None:
        from ftbuild import judging, tool_files, tool_results
        from ftbuild.resolving import graph_of

        graph = Graph()
        ids: list[tuple[list[str], list[str]]] = []
        asked: list[tuple[Composed, list[str]]] = []
        for each in found.points:
            own = graph_of(each, store, judged=not smoke)
            graph.merge(own)
            ids.append(own.parts())
            asked += zip((each, *([each.before] if each.before else [])), ids[-1], strict=False)
        sources = {
            name: each.source_place(graph.actions[name].label)
            for each, names in asked
            for name in names
            if graph.actions[name].kind.name == "ingest"
        }
        readers = (tool_files.paths, tool_results.paths, judging.paths)
        read = {path for each, _ in asked for paths in readers for path in paths(each)}
        files = {str(path): store.digest_of(path) for path in sorted(read)}
        runs = {name: version for each, _ in asked for name, version in tool_results.versions(each).items()}
        found.attach(compiling.write(graph, ids, sources, files, runs, judged=not smoke))
    else:
        graph, ids = compiled
    graph.borrowed = {name for _, before in ids for name in before} - {name for own, _ in ids for name in own}
    said = [tuple(dropwhile(lambda word: word in given, each.overrides)) for each in found.points]
    common = set.intersection(*map(set, said))
    points = [
        Point(
            each,
            (*words, *(("--smoke",) if smoke else ())),
            tuple(own),
            " ".join(shortened(word) for word in words if word not in common) or (len(said) > 1) * UNCHANGED,
            judged=not smoke,
            before=_before(each, before, smoke=smoke),
        )
        for each, words, (own, before) in zip(found.points, said, ids, strict=True)
    ]
    return graph, points


def _before(composed: Composed, ids: Sequence[str], *, smoke: bool) -> Point | None:
    """Return the round before, None where it has no action of its own."""
    before = composed.before
    if before is None or not ids:
        return None
    return Point(before, before.overrides, tuple(ids), before.experiment, judged=not smoke)


def shortened(word: str) -> str:
    """Return an override as it would be said: n_epochs=2."""
    return re.sub(r"^[\w.+@/]*[.+](?=[\w]+=)", "", word)


def has_more_to_say(point: Point) -> bool:
    """Return whether the profile of the provider may speak against a point, or cost money; read off the tree."""
    tree = point.composed.tree
    provider, languages = tree["provider"], tree["model"].get("languages")
    method = tree["method"]["type"]
    return (
        any(each["kind"] != "embedded" for each in (provider, (tree.get("judge") or {}).get("provider") or provider))
        or any(arm and arm.get("model") for arm in tree["evaluation"]["arms"].values())
        or any(provider.get(name) is False and needed for name, needed in _may_need(tree).items())
        or (method != "none" and method not in (provider.get("methods") or [method]))
        or (languages is not None and tree["style"].get("language") not in languages)
    )


def budget(points: Iterable[Point]) -> float:
    """Return the smallest budget of the points, infinite where none is set."""
    said = [(point.composed.tree.get("budget") or {}).get("usd") for point in points]
    return min((float(each) for each in said if each is not None), default=math.inf)


def _may_need(tree: Mapping[str, Any]) -> dict[str, bool]:
    """Return what an experiment may ask of a server besides texts."""
    sources = [each for each in tree["dataset"]["sources"].values() if each is not None]
    return {
        "tools": bool(tree.get("tools")) or any(each["kind"] not in OF_TEXTS for each in sources),
        "response_format": any(each.get("schema") for each in sources),
    }


def asked_as(point: Point, action: Action) -> Point:
    """Return the point as an action asks a provider: for an arm with a model of its own, with that and its provider."""
    if action.kind is not PREDICT:
        return point
    tree = point.composed.tree
    arm = tree["evaluation"]["arms"][action.arm]
    if not arm.get("model"):
        return point
    own = {"model": arm["model"], "provider": arm.get("provider") or tree["provider"]}
    return replace(point, composed=replace(point.composed, tree={**tree, **own}), arm=action.arm)


def owners(points: Sequence[Point]) -> Mapping[str, Point]:
    """Return the first point of each action, by id."""
    found: dict[str, Point] = {}
    for point in with_before(points):
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
    """Return for which points an action is, by id, for those that are not for all; nothing for a single point, but
    the round before for what is that round's alone.
    """
    names: dict[str, list[str]] = {}
    for point in points:
        for name in point.ids:
            names.setdefault(name, []).append(point.name)
    found = {name: ", ".join(those) for name, those in names.items() if len(those) < len(points)}
    for before in with_before(points)[len(points) :]:
        found |= {name: before.name for name in before.ids if name not in names}
    return found


def command_line(point: Point) -> str:
    """Return the command that builds one point."""
    return f"ftbuild {shlex.join(point.command)}"
