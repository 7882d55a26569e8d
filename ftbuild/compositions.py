"""What a command line asks for, composed once: the same words with nothing changed are read from the user's cache.

An entry is one file, `compositions/<key>.json`: a digest of the rest, a line that says what it rests
on, a line of compositions, and a document that somebody made from them, opaque here. It holds while
the stat of every YAML file of both trees and of our own code, the code of what composes, and the
variables that the config asked for are as they were. A file changed less than two seconds before we
looked may change again without a sign (Git calls it racily clean), so its bytes are compared too.
What asks for the clock, chance or a plug-in is never kept. An entry that cannot be read or written
is none: caching never makes a command fail.

A variable is kept as a digest, but what a config makes of it stands in the compositions, so the
files can be read by their owner only.
"""

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ftbuild import __version__, digest
from ftbuild.composed import Composed, Swept, from_json, to_json
from ftbuild.errors import StoreError
from ftbuild.halving import Halving
from ftbuild.problem import Problem
from ftbuild.search import Search
from ftbuild.store import durable
from ftbuild.trees import PACKAGE, trees

FORMAT = 4
ENTRIES_AT_MOST = 64
RACY_SECONDS = 2
COMPOSED_BY = {"hydra": "__init__.py", "omegaconf": "version.py", "pydantic": "version.py", "yaml": "__init__.py"}


@dataclass
class _Entry:
    """A file of the cache: what it rests on, compositions as JSON, and the document kept with them."""

    path: Path
    rests_on: bytes
    composed: bytes
    document: bytes | None = None

    def write(self) -> None:
        """Put the entry into its place, and the oldest out if there are too many."""
        parts = [self.rests_on, self.composed, *([] if self.document is None else [self.document])]
        content = b"\n".join(parts)
        folder = self.path.parent
        with suppress(OSError, StoreError):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            durable.write(self.path, digest.of_bytes(content).encode() + b"\n" + content, mode=0o600)
            by_age = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for path in by_age[ENTRIES_AT_MOST:]:
                path.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> "_Entry | None":
        """Return the entry at `path`, None if there is no whole one; mark it as used."""
        try:
            whole, _, content = path.read_bytes().partition(b"\n")
            if digest.of_bytes(content).encode() != whole:
                return None
            os.utime(path)
        except OSError:
            return None
        rests_on, composed, *document = content.split(b"\n", 2)
        return cls(path, rests_on, composed, *document)


class Compositions:
    """The compositions of one command line, in order, and one document that is kept with them."""

    def __init__(self, entry: _Entry | None, swept: Swept | None = None) -> None:
        self._entry = entry
        self._swept = swept

    @property
    def points(self) -> Sequence[Composed]:
        """Return the compositions: one, or those of a sweep."""
        return self._said.points

    @property
    def notes(self) -> Sequence[Problem]:
        """Return what is to be told of the points."""
        return self._said.notes

    @property
    def chosen_by(self) -> Halving | Search | None:
        """Return how points are chosen, None where all are built."""
        return self._said.chosen_by

    @cached_property
    def _said(self) -> Swept:
        if self._swept is not None:
            return self._swept
        assert self._entry is not None
        kept: Mapping[str, Any] = json.loads(self._entry.composed)
        notes = [Problem(**each) for each in kept["notes"]]
        return Swept(from_json(kept), notes, _rule(kept["chosen_by"]))

    def attached(self) -> bytes | None:
        """Return the document that was attached to these very compositions, None if there is none."""
        return self._entry.document if self._entry else None

    def attach(self, document: bytes) -> None:
        """Keep a document with the compositions for as long as they hold, in place of the one before."""
        if self._entry:
            self._entry.document = document
            self._entry.write()


def compositions(
    root: Path,
    overrides: Sequence[str],
    *,
    given: Sequence[str] = (),
    multirun: bool | None,
    environment: Mapping[str, str],
    now: float,
    cache: Path,
) -> Compositions:
    """Return what the overrides ask for, from the cache where nothing they rest on has changed.

    `given` are overrides that hold where nothing else is said. With `multirun` None there is one point, whatever space
    an experiment chooses. `now` is the time in seconds since 1970, `cache` the user's cache folder.

    Raises:
        ConfigError: as `compose` and `compose_sweep`; it is never kept.
    """
    root = root.absolute()
    words = [list(given), list(overrides)]
    asked = [FORMAT, __version__, str(root), [str(tree) for tree in trees(root)], multirun, words]
    path = cache / "compositions" / f"{digest.of_bytes(json.dumps(asked).encode())}.json"
    files = _files(root)
    entry = _Entry.read(path)
    if entry and _holds(json.loads(entry.rests_on), files, environment):
        return Compositions(entry)
    rests_on = {"files": _stats(files), "bytes": _racy(files, now)}
    from ftbuild.compose import Outside, compose, compose_sweep

    outside = Outside(environment)
    if multirun is None:
        swept = Swept([compose(root, [*given, *overrides], outside)])
    else:
        swept = compose_sweep(root, overrides, outside, given=given, multirun=multirun)
    rests_on["variables"] = {name: _variable(name, environment) for name in sorted(outside.asked)}
    entry = None if outside.changing else _fresh(path, rests_on, swept)
    if entry:
        entry.write()
    return Compositions(entry, swept)


def _fresh(path: Path, rests_on: Mapping[str, Any], swept: Swept) -> _Entry | None:
    """Return a new entry, None for compositions that JSON would change, as one with a key that is a number."""
    try:
        rule = swept.chosen_by
        said = [type(rule).__name__, rule.to_json()] if rule is not None else None
        notes = [asdict(each) for each in swept.notes]
        content = json.dumps({**to_json(swept.points), "notes": notes, "chosen_by": said})
    except (TypeError, ValueError):
        return None
    if _trees(from_json(json.loads(content))) != _trees(swept.points):
        return None
    return _Entry(path, json.dumps(rests_on).encode(), content.encode())


def _trees(points: Sequence[Composed]) -> list[list[Mapping[str, Any]]]:
    return [[one.tree for one in each.rounds] for each in points]


def _rule(kept: Sequence[Any] | None) -> Halving | Search | None:
    if kept is None:
        return None
    name, said = kept
    return Halving.from_json(said) if name == Halving.__name__ else Search.from_json(said)


def _holds(rests_on: Mapping[str, Any], files: Mapping[str, os.stat_result], environment: Mapping[str, str]) -> bool:
    return (
        rests_on["files"] == _stats(files)
        and all(_bytes(path) == known for path, known in rests_on["bytes"].items())
        and all(_variable(name, environment) == known for name, known in rests_on["variables"].items())
    )


def _variable(name: str, environment: Mapping[str, str]) -> str | None:
    return digest.of_bytes(f"{name}={environment[name]}".encode()) if name in environment else None


def _stats(files: Mapping[str, os.stat_result]) -> str:
    """Return the digest of the names and stats of the files, of Python and of the packages that compose."""
    lines = [f"{path}\0{each.st_mtime_ns}\0{each.st_size}\0{each.st_ino}" for path, each in files.items()]
    return digest.of_bytes("\n".join([sys.version, *_versions(), *lines]).encode(errors="surrogateescape"))


def _versions() -> Iterator[str]:
    """Yield the digests of the files in which the packages that compose write their versions; imports none of them."""
    for name, file in COMPOSED_BY.items():
        spec = find_spec(name)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            yield f"{name} {_bytes(str(Path(folder) / file))}"


def _racy(files: Mapping[str, os.stat_result], now: float) -> dict[str, str | None]:
    """Return the digests of the files that were changed so lately that they may change with no sign."""
    return {path: _bytes(path) for path, each in files.items() if each.st_mtime >= now - RACY_SECONDS}


def _bytes(path: str) -> str | None:
    try:
        return digest.of_file(Path(path))
    except OSError:
        return None


def _files(root: Path) -> dict[str, os.stat_result]:
    """Return the stats of all that is composed and of the code that does it, by path, sorted."""
    found = dict(_below(str(PACKAGE), ".py", set()))
    for tree in trees(root):
        found.update(_below(str(tree), ".yaml", set()))
    return dict(sorted(found.items()))


def _below(folder: str, ending: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files below a folder, through links as Hydra reads them, each folder once."""
    with suppress(OSError):
        itself = os.stat(folder)
        if (itself.st_dev, itself.st_ino) in seen:
            return
        seen.add((itself.st_dev, itself.st_ino))
        with os.scandir(folder) as listed:
            inside = list(listed)
        for each in inside:
            with suppress(OSError):
                if each.name.endswith(ending) and stat.S_ISREG((found := os.stat(each.path)).st_mode):
                    yield each.path, found
                elif each.is_dir():
                    yield from _below(each.path, ending, seen)
