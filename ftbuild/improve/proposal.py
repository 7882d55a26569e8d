"""A proposal: a folder of text that a person reads, edits and accepts; datasets/proposals/NAME/.

Owns its form. `proposal.yaml` says what experiment it is for and lists its entries; further keys of an entry are its
kind's own. Whatever stands in it may have been edited by hand, so everything is checked when it is read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import yaml

from ftbuild.errors import DataError
from ftbuild.improve.entries import Entry, EntryKind, dumped
from ftbuild.problem import Problem, nearest
from ftbuild.yaml_marks import nodes

FILE = "proposal.yaml"
TOP = {"experiment": str, "run": (str, type(None)), "overrides": list, "entries": list}
# The keys of an entry of each kind: those that it must have, then those that it may have.
KEYS: Mapping[EntryKind, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "generator": ({"file": str, "like": str, "source": dict}, {}),
    "examples": ({"file": str, "licence": str, "origin": str}, {}),
    "review": (
        {"file": str, "traces": str, "licence": str, "consent": str},
        {"source": str, "origin": str, "counts": dict},
    ),
    "setting": ({"key": str, "value": object}, {}),
    "suspects": ({"drop": list}, {}),
}
NAME = re.compile(r"[a-z0-9_]+")  # of an entry
OF_DROPPED = ("id", "line")
OF_FILES = ("file", "traces")  # keys that name a file beside the proposal
HEAD = (
    "What {of} asks for, to be read and edited. Nothing of it is done until it is accepted, all or by name:",
    "  ftbuild accept {folder}",
    "Delete what is not wanted. `aims` are the slices that should move; the next report says whether they did.",
)


@dataclass(frozen=True)
class Proposal:
    """What is proposed after a run of an experiment, or without a run; `overrides` are those that it was built with."""

    experiment: str
    run: str | None
    overrides: Sequence[str]
    entries: Sequence[Entry]

    def files(self, folder: str) -> dict[str, str]:
        """Return its files by name; `folder` is how a person types where they lie."""
        of = f"run {self.run}" if self.run else self.experiment
        head = "".join(f"# {line.format(of=of, folder=folder)}\n" for line in HEAD)
        told = {
            "experiment": self.experiment,
            "run": self.run,
            "overrides": [*self.overrides],
            "entries": [each.to_json() for each in self.entries],
        }
        files = {name: text for each in self.entries for name, text in each.files.items()}
        return {FILE: f"{head}\n{dumped(told)}", **files}


def read(files: Mapping[str, str], folder: str) -> Proposal:
    """Return the proposal in the files of a folder, by their names.

    Raises:
        DataError: it is none, with the lines.
    """
    shown = f"{folder}/{FILE}"
    if FILE not in files:
        raise DataError(Problem("no proposal: there is no such file", shown, fix="ftbuild improve writes one."))
    try:
        root, tree = nodes(files[FILE]), yaml.safe_load(files[FILE])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise DataError(Problem(f"not YAML: {error.problem}", shown, mark.line + 1 if mark else None)) from None
    if not isinstance(tree, dict) or not isinstance(root, yaml.MappingNode):
        raise DataError(Problem("no map of experiment, run, overrides and entries", shown))
    lines = _Lines(root)
    problems = list(_wrong(tree, TOP, {}, "", shown, lines.line))
    listed = tree.get("entries")
    entries: list[Any] = listed if isinstance(listed, list) else []
    for number, each in enumerate(entries):
        problems += _wrong_entry(each, number, files, shown, lines)
    names = [each["name"] for each in entries if isinstance(each, dict) and isinstance(each.get("name"), str)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem(f"two entries are called {name!r}", shown, lines.line("entries")))
    if problems:
        raise DataError(*problems)
    return Proposal(
        tree["experiment"],
        tree["run"],
        [str(each) for each in tree["overrides"]],
        [_entry(each, files) for each in entries],
    )


def _entry(value: Mapping[str, Any], files: Mapping[str, str]) -> Entry:
    own = {name: each for name, each in value.items() if name not in ("name", "kind", "why", "aims")}
    used = {value[each]: files[value[each]] for each in OF_FILES if each in value}
    return Entry(value["name"], value["kind"], value.get("why", ""), value.get("aims", []), own, used)


def _wrong_entry(value: Any, number: int, files: Mapping[str, str], shown: str, lines: "_Lines") -> Iterator[Problem]:
    at = f"entries[{number}]"

    def line(name: str) -> int | None:
        return lines.of_entry(number, name)

    if not isinstance(value, dict):
        yield Problem(f"{at}: {value!r} is no entry", shown, line(""), fix="write name, kind and what goes with it.")
        return
    kind = value.get("kind")
    own = KEYS.get(kind) if isinstance(kind, str) else None  # type: ignore[call-overload]
    if own is None:
        known = get_args(EntryKind)
        close = nearest(str(kind), known)
        fix = f"write {close}." if close else f"one of {', '.join(known)}."
        yield Problem(f"{at}.kind: {kind!r} is no kind of entry", shown, line("kind"), fix=fix)
        return
    needed, more = own
    yield from _wrong(value, {"name": str, "kind": str, **needed}, {"why": str, "aims": list, **more}, at, shown, line)
    if isinstance(value.get("name"), str) and not NAME.fullmatch(value["name"]):
        what = f"{at}.name: {value['name']!r} becomes the name of files: a-z, 0-9 and _"
        yield Problem(what, shown, line("name"), fix="write another.")
    for place, each in enumerate(value["drop"] if isinstance(value.get("drop"), list) else []):
        if not isinstance(each, dict) or not all(isinstance(each.get(name), str) for name in OF_DROPPED):
            what = f"{at}.drop[{place}]: {each!r} has no {' and '.join(OF_DROPPED)}, which are texts"
            yield Problem(what, shown, line("drop"), fix="take it out, or put back what it had.")
    for key in OF_FILES:
        name = value.get(key)
        if isinstance(name, str) and name not in files:
            yield Problem(f"{at}.{key}: there is no {name!r} beside it", shown, line(key))


def _wrong(
    value: Mapping[str, Any],
    needed: Mapping[str, Any],
    more: Mapping[str, Any],
    at: str,
    shown: str,
    line: Any,
) -> Iterator[Problem]:
    known = {**needed, **more}
    dot = f"{at}." if at else ""
    for name in needed:
        if name not in value:
            yield Problem(f"{dot}{name}: is missing", shown, line(""))
    for name, each in value.items():
        if name not in known:
            close = nearest(str(name), known)
            fix = f"write {close!r}." if close else f"there are {', '.join(known)}."
            yield Problem(f"no key {dot}{name}", shown, line(str(name)), fix=fix)
        elif not isinstance(each, known[name]):
            yield Problem(f"{dot}{name}: {each!r} is not what it takes", shown, line(str(name)))


@dataclass(frozen=True)
class _Lines:
    """On which line of a file the keys of a map stand, and those of the maps in its list of entries."""

    root: yaml.MappingNode

    def line(self, name: str) -> int | None:
        """Return the line of a key, the first one for no name."""
        return _line_in(self.root, name)

    def of_entry(self, number: int, name: str) -> int | None:
        """Return the line of a key of an entry, that of the entry for no name."""
        for key, value in self.root.value:
            if key.value == "entries" and isinstance(value, yaml.SequenceNode):
                return _line_in(value.value[number], name)
        return None


def _line_in(node: yaml.Node, name: str) -> int | None:
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if key.value == name:
                return int(key.start_mark.line) + 1
    return int(node.start_mark.line) + 1
