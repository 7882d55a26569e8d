"""The difference of two runs in words: for a terminal, and as Markdown.

Owns what is shown of it, in which order and how it is cut: of two long texts that part is shown where they
part. Every line fits the width where the words allow it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.cli.grid import aligned, github
from ftbuild.cli.layout import hang
from ftbuild.dataset.diff import ExampleChange, Placed, What
from ftbuild.report.words import cost, count, duration, interval, rounded, signed, value, when
from ftbuild.run_diff import DataDiff, MetricChange, RunDiff, SettingChange, Side

FIRST_FEW = 3
KEPT_BEFORE = 20  # letters shown before two texts part
CELL = 160
WHATS: tuple[What, ...] = ("changed", "moved", "added", "removed", "reworked")
COUNTS = {
    "added": "added",
    "removed": "removed",
    "changed": "changed",
    "moved_in": "moved here",
    "moved_out": "moved away",
    "reworked": "reworked",
}
NOT_COMPARABLE = "The two runs were tested on different examples: their numbers cannot be compared."
NOT_KNOWN = "Whether the two runs were tested on the same examples is not known."
METRIC_HEAD = ("metric", "arm", "old", "new", "difference")


def text(found: RunDiff, now: float, width: int) -> str:
    """Return the difference for a terminal; one line if there is none."""
    if found.is_empty:
        return _nothing(found)
    head = "\n".join(
        hang(f"{name}   ", f"{side.run_id}   {_about(side, now)}", width)
        for name, side in (("old", found.old), ("new", found.new))
    )
    parts = [_section(each, list(each.lines(width)), width) for each in _sections(found)]
    return "\n\n".join([head, *parts])


def markdown(found: RunDiff, now: float) -> str:
    """Return the difference as GitHub reads it; one line if there is none."""
    if found.is_empty:
        return _nothing(found)
    head = [f"- {name}: `{s.run_id}`, {_about(s, now)}" for name, s in (("old", found.old), ("new", found.new))]
    parts = []
    for each in _sections(found):
        table = [github(each.head, each.rows)] if each.rows else []
        parts.append("\n\n".join([f"### {each.title}", *each.says, *table, *each.remarks]))
    return "\n\n".join(["\n".join(head), *parts])


@dataclass(frozen=True)
class _Section:
    """A part of the difference: what is said first, a table, what is said last.

    In a terminal `changes` stand for the table, where there are any.
    """

    title: str
    says: Sequence[str]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    changes: Sequence[SettingChange | ExampleChange] = ()
    remarks: Sequence[str] = ()

    def lines(self, width: int) -> Iterator[str]:
        """Yield the lines of the table in a terminal."""
        if not self.changes:
            yield from _fitted(self.head, self.rows, width)
        for each in self.changes:
            yield from _setting(each, width) if isinstance(each, SettingChange) else _example(each, width)


def _sections(found: RunDiff) -> list[_Section]:
    return [_config(found), _data(found), _implementation(found), _metrics(found), _costs(found)]


def _section(each: _Section, lines: Sequence[str], width: int) -> str:
    first, *rest = each.says or [""]
    said = [hang(f"{each.title:16} ", first, width), *(hang(" " * 17, line, width) for line in rest)]
    return "\n".join([*said, *lines, *(hang("    ", remark, width) for remark in each.remarks)])


def _nothing(found: RunDiff) -> str:
    old, new = found.old, found.new
    if old.run_id == new.run_id:
        return f"Both are {old.run_id}: nothing differs."
    took = f"{duration(old.told['seconds'])} and {duration(new.told['seconds'])}"
    return f"Nothing differs between {old.run_id} and {new.run_id}; they took {took}."


def _about(side: Side, now: float) -> str:
    commit = side.told.get("commit")
    at = f", commit {commit[:9]}{' with changes' if side.told.get('dirty') else ''}" if commit else ""
    return f"{when(side.told['started_at'], now)}{at}"


def _config(found: RunDiff) -> _Section:
    if found.config is None:
        gone = [side.run_id for side in (found.old, found.new) if side.settings is None]
        return _Section("config", [f"not compared: report.json of {' and '.join(gone)} is gone or cannot be read."])
    n = len(found.config)
    says = f"{count(n, 'key')} {'differs' if n == 1 else 'differ'}" if n else "the same"
    rows = [(each.key, *excerpts(*_values(each), CELL), _where(each)) for each in found.config]
    return _Section("config", [says], ("key", "old", "new", "where"), rows, found.config)


def _values(change: SettingChange) -> tuple[str, str]:
    old, new = ("" if line is None else repr(line["value"]) for line in (change.old, change.new))
    return old, new


def _where(change: SettingChange) -> str:
    places = [line["origin"] for line in (change.old, change.new) if line and line["origin"]]
    return " -> ".join(dict.fromkeys(places))


def _setting(change: SettingChange, width: int) -> Iterator[str]:
    """Yield the lines of a key: one if it fits, else the values below each other as in a patch."""
    values, where = _values(change), _where(change)
    only = "" if change.old and change.new else "only in the old run: " if change.old else "only in the new run: "
    told = f"{only}{values[0] or values[1]}" if only else " -> ".join(values)
    line = f"    {change.key}   {told}{f'     {where}' if where else ''}"
    if len(line) <= width:
        yield line
        return
    yield hang(f"    {change.key}     ", where, width) if where else f"    {change.key}"
    yield from _patch(values[0] or None, values[1] or None, width)


def _data(found: RunDiff) -> _Section:
    if found.data is None:
        gone = [side.run_id for side in (found.old, found.new) if side.examples is None]
        why = f"neither the store nor the report has the examples of {' and '.join(gone)} any more."
        return _Section("data", [f"not compared: {why}"])
    limits = _limits(found, found.data)
    if not found.data.changes:
        return _Section("data", [f"the same{' test' if limits else ''} examples", *limits])
    says = []
    for split, counts in found.data.counts().items():
        told = ", ".join(f"{n:,} {COUNTS[what]}" for what, n in counts.items() if n)
        says += [f"{split}: {told}"] if told else []
    chosen, remarks = [], []
    for what in WHATS:
        alike = [each for each in found.data.changes if each.what == what]
        first = _first_few(alike)
        chosen += first
        remarks += [f"and {len(alike) - len(first):,} more {what}"] if len(alike) > len(first) else []
    rows = [(each.what, _at(each), *excerpts(*_sides(each), CELL)) for each in chosen]
    if any(each.what == "reworked" for each in chosen):
        remarks.append("Reworked: the source says the same, what is made of it does not.")
    return _Section("data", [*says, *limits], ("what", "where", "old", "new"), rows, chosen, remarks)


def _limits(found: RunDiff, data: DataDiff) -> list[str]:
    """Return what to know of a comparison that left splits out."""
    if data.is_whole:
        return []
    gone = [side.run_id for side in (found.old, found.new) if side.examples is None]
    return [
        f"The store no longer has the dataset of {' and '.join(gone)}; told are the test examples, from the reports."
    ]


def _first_few(alike: Sequence[ExampleChange]) -> list[ExampleChange]:
    """Return the first few that show something new: one system message is told once, not for each example."""
    unlike: dict[Any, ExampleChange] = {}
    for each in alike:
        unlike.setdefault(_sides(each), each)
        if len(unlike) == FIRST_FEW:
            break
    return list(unlike.values())


def _at(change: ExampleChange) -> str:
    """Return where an example stands and stood, and its split."""
    places = dict.fromkeys(f"{side.path}:{side.line}" for side in (change.old, change.new) if side)
    if change.what != "changed":
        places = {f"{change.here.path}:{change.here.line}": None}  # where it stood says nothing: it says the same
    splits = dict.fromkeys(side.split for side in (change.old, change.new) if side)
    return f"{' -> '.join(places)}, {' -> '.join(splits)}"


def _sides(change: ExampleChange) -> tuple[str, str]:
    """Return what the two sides say; of a reworked example that part of it which differs."""
    if change.what == "reworked" and change.old and change.new:
        for name in ("group", "slices", "messages"):
            was, now = (getattr(side, name) for side in (change.old, change.new))
            if was != now:
                return _message(was, now) if name == "messages" else (f"{name} {was}", f"{name} {now}")
    old, new = ("" if side is None else _said(side) for side in (change.old, change.new))
    return old, new


def _message(was: Sequence[Any], now: Sequence[Any]) -> tuple[str, str]:
    """Return the first message that is not the same."""
    sides = [list(was), list(now)]
    for n in range(max(map(len, sides))):
        one, other = (side[n] if n < len(side) else None for side in sides)
        if one != other:
            old, new = ("" if each is None else f"{each['role']}: {each.get('content')}" for each in (one, other))
            return old, new
    return "", ""


def _said(example: Placed) -> str:
    return f"{example.raw}  ->  {example.target}"


def _example(change: ExampleChange, width: int) -> Iterator[str]:
    yield hang("    ", f"{change.what}   {_at(change)}", width)
    if change.what == "moved":
        yield f"      {excerpts('', _one_line(_said(change.here)), width - 6)[1]}"
        return
    old, new = _sides(change)
    yield from _patch(old or None, new or None, width)


def _patch(old: str | None, new: str | None, width: int) -> Iterator[str]:
    """Yield the lines of a patch, cut so that what differs is seen."""
    room = max(24, width - 4)
    cut = excerpts(_one_line(old or ""), _one_line(new or ""), room)
    for sign, said, shown in (("-", old, cut[0]), ("+", new, cut[1])):
        if said is not None:
            yield f"  {sign} {shown}"


def _one_line(said: str) -> str:
    return said.replace("\n", "\\n").replace("\t", "\\t")


def excerpts(old: str, new: str, room: int) -> tuple[str, str]:
    """Return two texts of `room` letters at most, cut so that the first letter in which they differ is seen."""
    shorter = min(len(old), len(new)) if old != new else 0
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    skipped = min(start - KEPT_BEFORE, max(len(old), len(new)) - room)
    shown = [f"...{each[skipped + 3 :]}" if skipped > 0 else each for each in (old, new)]
    one, other = (each if len(each) <= room else f"{each[: room - 3]}..." for each in shown)
    return one, other


def _implementation(found: RunDiff) -> _Section:
    if found.implementation is None:
        gone = [side.run_id for side in (found.old, found.new) if side.versions is None]
        why = f"the store no longer has the records of {' and '.join(gone)}."
        return _Section("implementation", [f"not compared: {why}"])
    rows = [(each.name, str(each.old), str(each.new)) for each in found.implementation]
    says = count(len(rows), "version differs", "versions differ") if rows else "the same"
    return _Section("implementation", [says], ("what", "old", "new"), rows)


def _metrics(found: RunDiff) -> _Section:
    differing = [each for each in found.metrics if each.differs]
    shown = [each for each in differing if each.difference != 0]
    rows = [(_metric(each), each.arm, *_numbers(each), _difference(each)) for each in shown]
    says = [f"{len(shown):,} of {len(found.metrics):,} estimates differ" if differing else "the same"]
    if found.data is None:
        says.append(NOT_KNOWN)
    elif found.data.test_differs:
        says.append(NOT_COMPARABLE)
    same = len(differing) - len(shown)
    remarks = [f"and {same:,} more in nothing but the interval"] if same else []
    lower = dict.fromkeys(each.metric for each in shown if each.lower_is_better)
    remarks += [f"Lower is better: {', '.join(lower)}."] if lower else []
    remarks += [f"{each.name}: {_word(each.old)} -> {_word(each.new)}" for each in found.outcome]
    return _Section("metrics", says, METRIC_HEAD, rows, remarks=remarks)


def _metric(each: MetricChange) -> str:
    return f"{each.metric}{f', {each.slice}' if each.slice else ''}"


def _word(ending: str | None) -> str:
    return "none" if ending is None else ending.replace("_", " ")


def _numbers(each: MetricChange) -> Iterator[str]:
    """Yield the estimate of either side with its interval; with the number of examples where that differs."""
    n_differs = each.old is not None and each.new is not None and each.old["n"] != each.new["n"]
    for numbers in (each.old, each.new):
        if numbers is None:
            yield "not measured"
            continue
        ends = interval(numbers)
        of = f" of {numbers['n']:,}" if n_differs else ""
        yield f"{value(numbers['mean'])}{of}{f' ({ends})' if ends else ''}"


def _difference(each: MetricChange) -> str:
    """Return the difference of the estimates, with as many decimals as show that there is one."""
    gain = each.difference
    return signed(gain, digits=next((n for n in (2, 3, 4) if gain and rounded(gain, digits=n)), 2))


def _costs(found: RunDiff) -> _Section:
    words: dict[str, tuple[str, Callable[[Any], str]]] = {
        "seconds": ("time", duration),
        "cost_usd": ("money", cost),
        "trained_tokens": ("trained tokens", lambda n: "none" if n is None else f"{n:,}"),
        "job_id": ("job", lambda job: job or "none"),
    }
    rows = []
    for each in found.costs:
        name, told = words[each.name]
        rows.append((name, told(each.old), told(each.new)))
    return _Section("cost and time", [], ("", "old", "new"), rows)


def _fitted(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return a table where it fits, else a row's names and below them what it was and is."""
    if not rows:
        return []
    lines = [f"    {line}" for line in aligned([head, *rows])]
    if max(map(len, lines)) <= width:
        return lines
    found, old = [], head.index("old")
    for row in rows:
        names, values = "   ".join((*row[:old], *row[old + 2 :])), f"{row[old]} -> {row[old + 1]}"
        line = f"    {names}   {values}"
        found += [line] if len(line) <= width else [hang("    ", names, width), hang("      ", values, width)]
    return found
