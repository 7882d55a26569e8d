"""A graph as one document, to be kept beside the compositions it was made from.

Everything in it follows from them and from our own code, but for the bytes of the sources: their
digests are left out and put in when the document is read. Equal settings are said once.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbuild.plan.action import KINDS, Action, Input, SettingsText
from ftbuild.plan.graph import Graph
from ftbuild.source_files import Place
from ftbuild.store.store import Store

FORMAT = 6


def write(
    graph: Graph,
    points: Sequence[tuple[Sequence[str], Sequence[str]]],
    sources: Mapping[str, Place],
    files: Mapping[str, str],
    runs: Mapping[str, int],
    *,
    judged: bool,
) -> bytes:
    """Return the document.

    `points` are the ids of each point's actions and those of the round before, `sources` the place of each ingest's
    files by id, `files` the digests of other files that were read for it, by path, `runs` the versions of what runs its
    tools, by name.
    """
    numbers = {name: number for number, name in enumerate(graph.actions)}
    texts: dict[str, int] = {}
    nodes: list[list[Any]] = []
    for name, action in graph.actions.items():
        text = action.settings_text
        if name in sources:
            text = text.replace(_bytes(action.settings["bytes"]), _bytes(""), 1)
        inputs = [[each.role, numbers[each.action], each.output] for each in action.inputs]
        source = [sources[name].to_json()] if name in sources else []
        after = [numbers[each] for each in action.after]
        nodes.append(
            [action.kind.name, action.label, action.stage, texts.setdefault(text, len(texts)), inputs, after, *source]
        )
    value = {
        "format": FORMAT,
        "judged": judged,
        "files": dict(files),
        "runs": dict(runs),
        "settings": list(texts),
        "nodes": nodes,
        "points": [[[numbers[name] for name in names] for names in each] for each in points],
    }
    return json.dumps(value, separators=(",", ":")).encode()


def read(
    document: bytes | None, store: Store, *, judged: bool
) -> tuple[Graph, list[tuple[list[str], list[str]]]] | None:
    """Return the graph with the sources as they are now, and the ids of each point's actions and of the round before.

    None where there is no such document, where a source cannot be read, or where another file or what runs a tool has
    changed: then it is resolved anew, which says what is wrong.
    """
    value = json.loads(document) if document is not None else {}
    if (value.get("format"), value.get("judged")) != (FORMAT, judged):
        return None
    if any(_digest(store, path) != known for path, known in value["files"].items()):
        return None
    if any(_version(name) != known for name, known in value["runs"].items()):
        return None
    texts, graph = value["settings"], Graph()
    names: list[str] = []
    for kind, label, stage, number, inputs, after, *source in value["nodes"]:
        text = texts[number]
        if source:
            try:
                digest = Place.from_json(source[0]).digest(store.digest_of)
            except OSError:
                return None
            text = text.replace(_bytes(""), _bytes(digest), 1)
        above = tuple(Input(role, names[at], output) for role, at, output in inputs)
        waits = tuple(names[at] for at in after)
        names.append(graph.add(Action(KINDS[kind], label, stage, SettingsText(text), above, waits)))
    points = [[[names[number] for number in numbers] for numbers in each] for each in value["points"]]
    return graph, [(own, before) for own, before in points]


def _version(name: str) -> int | None:
    from ftbuild.tools import results  # looks through all installed packages

    try:
        found = results.find(name)
    except ValueError:
        return None
    return found.version if found is not None else None


def _digest(store: Store, path: str) -> str | None:
    try:
        return store.digest_of(Path(path))
    except OSError:
        return None


def _bytes(digest: str) -> str:
    """Return how canonical JSON begins settings that hold a digest of bytes: the member sorts first."""
    return f'{{"bytes":"{digest}"'
