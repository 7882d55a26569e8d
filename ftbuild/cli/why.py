"""`ftbuild why [ACTION]`: what exactly differs from the last time, and where that was written."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbuild import packed, runs, source_files
from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.diff_text import excerpts
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.options import Options
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.errors import ConfigError, ExitCode, StoreError
from ftbuild.lookup import LedgerFolder, Planned, look_up
from ftbuild.origins import Origin
from ftbuild.plan.explain import Difference, labels
from ftbuild.plan.line_changes import LineChange, line_changes
from ftbuild.points import Point, apart, one_graph, owners
from ftbuild.problem import Problem, nearest
from ftbuild.report.words import when_at
from ftbuild.store.store import Store
from ftbuild.world import World

LINES_AT_MOST = 5
WIDEST_LINE = 96


def why(options: Options) -> int:
    """Print why each action would run that nothing above makes run, or that nothing would. Writes nothing."""
    world = world_of(options)
    store = Store(world.store)
    composed = composed_of(options)
    graph, points = one_graph(composed, smoke_overrides(options), store, smoke=options.smoke)
    planned = look_up(graph, store, LedgerFolder(world))
    asked = _asked(planned, options.words)
    found = [_Answer(one, owners(points)[one.action.id], store, world) for one in asked]
    if options.format == "json":
        print(json.dumps({"schema_version": 1, "actions": [each.to_json() for each in found]}, indent=1))
    elif not found:
        print(_nothing(planned, points, options, world))
    else:
        names = apart(points)
        print("\n\n".join(each.text(names.get(each.planned.action.id, "")) for each in found))
        print(_around(planned, found))
    return int(ExitCode.DONE)


def _asked(planned: Sequence[Planned], words: Sequence[str]) -> list[Planned]:
    """Return the actions that would run of themselves: all, or those at or above the ones that `words` name.

    Raises:
        ConfigError: no action has that label or kind.
    """
    roots = [one for one in planned if one.status not in ("HIT", "MAYBE", "BLOCKED")]
    if not words:
        return roots
    [word, *_] = [" ".join(words)]
    named = {one.action.id for one in planned if word in (one.action.label, one.action.kind.name)}
    if not named:
        known = [one.action.label for one in planned]
        close = nearest(word, known)
        there = f"there are {', '.join(dict.fromkeys(known))}."
        fix = f"the nearest is {close!r}; {there}" if close else there
        raise ConfigError(Problem(f"no action {word!r}", "command line", fix=fix))
    above = set(named)
    for one in reversed(planned):
        if one.action.id in above:
            above |= {each.action for each in one.action.inputs}
    return [one for one in roots if one.action.id in above]


@dataclass(frozen=True)
class _Answer:
    """Why one action would run."""

    planned: Planned
    point: Point
    store: Store
    world: World

    def text(self, point: str) -> str:
        """Return the answer for people."""
        one = self.planned
        name = f"{one.action.label} [{point}]" if point else one.action.label
        if not one.differences:
            again = "will run" if one.status == "RUN" else one.status.lower()
            return f"{name} {again}: {'; '.join(one.reasons)}."
        return "\n".join([f"{name} will run again, because {self._head()}:", *self._lines()])

    def to_json(self) -> dict[str, Any]:
        """Return the answer for machines."""
        one = self.planned
        return {
            "id": one.action.id,
            "key": one.key,
            "kind": one.action.kind.name,
            "label": one.action.label,
            "status": one.status,
            "reason": one.reasons,
            "before": one.before,
            "differences": [self._difference(each) for each in one.differences],
        }

    def _difference(self, each: Difference) -> dict[str, Any]:
        origin = self._origin(each)
        lines = self._changed_lines() if each.what == "source" else {}
        return {
            "what": each.what,
            "name": each.name,
            "key": each.key or None,
            "old": each.old,
            "new": each.new,
            "path": origin.path if origin else None,
            "line": origin.line if origin else None,
            "lines": [
                {"path": path, "line": line.number, "old": line.old, "new": line.new}
                for path, changed in lines.items()
                for line in changed or ()
            ],
        }

    def _head(self) -> str:
        n, since = len(self.planned.differences), ""
        if self.planned.before is not None:
            since = f" since {when_at(self.store.manifest(self.planned.before)['started_at'], self.world.now())}"
        kinds = {each.what for each in self.planned.differences}
        what = {"setting": "setting", "source": "source", "version": "version"}.get(next(iter(kinds)), "input")
        what = what if len(kinds) == 1 else "thing"
        return f"{'one' if n == 1 else n} {what}{'' if n == 1 else 's'} changed{since}"

    def _lines(self) -> Iterator[str]:
        for each in self.planned.differences:
            if each.what == "source":
                yield from self._source(each)
            else:
                place = self._place(each)
                yield f"    {each}{f'     {place}' if place else ''}"

    def _source(self, each: Difference) -> Iterator[str]:
        origin = self._origin(each)
        path = self.planned.action.settings["source"]["path"]
        changed = self._changed_lines()
        told = [(name, line) for name, lines in changed.items() for line in lines or ()]
        untold = [name for name, lines in changed.items() if lines is None]
        yield from (f"    {name}: {each}; it is no text to be told line by line" for name in untold[:LINES_AT_MOST])
        if not told and not untold:
            yield f"    {', '.join(changed) or path}: {each}, no line of it that says anything"
        for name, line in told[:LINES_AT_MOST]:
            yield f"    {name}:{line.number}{' is gone' if line.new is None else ' is new' if line.old is None else ''}"
            old, new = excerpts(line.old or "", line.new or "", WIDEST_LINE)
            yield from (f"  {sign} {shown}" for sign, shown in (("-", old), ("+", new)) if shown)
        if len(told) > LINES_AT_MOST:
            yield f"    and {len(told) - LINES_AT_MOST:,} lines more"
        if origin and origin.path == "command line":
            yield f"    {each.key} is set on the command line"

    def _changed_lines(self) -> dict[str, list[LineChange] | None]:
        """Return the changed lines of a source by file, none where the old bytes are no longer in the store.

        A file that is new or gone has all its lines changed; None stands for one that is no text.
        """
        place = self.point.composed.source_place(self.planned.action.label)
        try:
            before = self.store.manifest(str(self.planned.before))
            old = source_files.kept_names(before["outputs"], place.path)
            new = dict(place.files())
            return {
                name: _line_changes(
                    self.store.get(old[name]) if name in old else b"", new[name].read_bytes() if name in new else b""
                )
                for name in sorted({*old, *new})
                if name not in old or name not in new or self.store.digest_of(new[name]) != old[name]
            }
        except (StoreError, KeyError, OSError):
            return {}

    def _origin(self, each: Difference) -> Origin | None:
        return self.point.composed.origins.of(each.key) if each.key else None

    def _place(self, each: Difference) -> str:
        origin = self._origin(each)
        if origin is None:
            return ""
        new = runs.uncommitted(self.world.root, origin.path) if origin.line else False
        return f"{origin}{', not committed' if new else ''}"


def _around(planned: Sequence[Planned], found: Sequence[_Answer]) -> str:
    """Return what stays as it is and what comes after."""
    roots = {each.planned.action.id for each in found}
    below = set(roots)
    for one in planned:
        if any(each.action in below for each in one.action.inputs):
            below.add(one.action.id)
    after = [one.action.label for one in planned if one.action.id in below - roots]
    same = [one.action.label for one in planned if one.status == "HIT"]
    lines = [
        *([hang("As before: ", f"{labels(same)}.", columns())] if same else []),
        *([hang("After it, if it comes out differently: ", f"{labels(after)}.", columns())] if after else []),
    ]
    return "\n" + "\n".join(lines) if lines else ""


def _nothing(planned: Sequence[Planned], points: Sequence[Point], options: Options, world: World) -> str:
    """Return that nothing would run, and which config files were edited all the same since the last result."""
    if any(one.status != "HIT" for one in planned):
        return f"{' '.join(options.words)}: nothing to do."
    last = max((one.record.started_at for one in planned if one.record), default=0.0)
    edited = {}
    for point in points:
        for _, origin in point.composed.origins.items():
            path = Path(origin.path) if Path(origin.path).is_absolute() else world.root / origin.path
            if origin.path != "command line" and path.is_file() and path.stat().st_mtime > last:
                edited[origin.path] = path.stat().st_mtime
    told = [
        f"{path} was edited {when_at(at, world.now())}: nothing that changes a result." for path, at in edited.items()
    ]
    return "\n".join(["Nothing would run.", *told])


def _line_changes(old: bytes, new: bytes) -> list[LineChange] | None:
    try:
        was, now = packed.unpacked(old), packed.unpacked(new)
    except packed.TornError:
        return None
    return None if b"\0" in was or b"\0" in now else line_changes(was, now)
