"""Which lines of a source changed: the difference of two texts, line by line."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class LineChange:
    """One line: `number` is its place now, or where it stood for one that is gone; a new line has no `old`."""

    number: int
    old: str | None
    new: str | None


def line_changes(old: bytes, new: bytes) -> list[LineChange]:
    """Return the lines that differ, in order; a line that only moved is not told if a longer stretch stayed."""
    was, now = (content.decode("utf-8", errors="replace").split("\n") for content in (old, new))
    matcher = SequenceMatcher(None, was, now, autojunk=False)
    return [each for opcode in matcher.get_opcodes() if opcode[0] != "equal" for each in _of(was, now, *opcode[1:])]


def _of(was: list[str], now: list[str], i1: int, i2: int, j1: int, j2: int) -> Iterator[LineChange]:
    for step in range(max(i2 - i1, j2 - j1)):
        old = was[i1 + step] if i1 + step < i2 else None
        new = now[j1 + step] if j1 + step < j2 else None
        number = j1 + step + 1 if new is not None else i1 + step + 1
        if (old or "").strip() != (new or "").strip():
            yield LineChange(number, old, new)
