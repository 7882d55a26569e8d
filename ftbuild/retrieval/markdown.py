"""Markdown, as far as its headings and fenced code: which line belongs to which section, and what may not be cut.

Headings are those of CommonMark 0.31 (ATX, and setext under a paragraph of one line); a fence may stand at any depth,
as it does in lists. A `#` in fenced code is no heading. What is inline (emphasis, links) stays as it is written.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
FENCE = re.compile(r"[ \t]*(?:(`{3,})[^`]*|(~{3,}).*)")
NO_PARAGRAPH = re.compile(r" {0,3}(?:[#>|]|[-*+][ \t]|\d+[.)][ \t])|    |\t")  # what no setext heading is made of
MATTER = {"---": ("---", "..."), "+++": ("+++",)}
ENTRY = re.compile(r"[\w.-]+\s*[:=].*")
BESIDE = re.compile(r"[\w.-]+\s*[:=].*|\s.*|#.*|- .*|[\]}].*|")  # what else stands in front matter


@dataclass(frozen=True)
class Section:
    """The lines `start` to `end` (counted from 0, the end left out) below some headings, the outermost first.

    `heading` is the line of the innermost one; None above the first heading.
    """

    headings: tuple[str, ...]
    heading: int | None
    start: int
    end: int


@dataclass(frozen=True)
class Markdown:
    """A document: its title if it begins with a heading of the first level, its sections, and its code.

    `fenced` says of each line whether it is code with its fences; `open_fence` is the line of a fence that nothing
    closes.
    """

    title: str | None
    sections: tuple[Section, ...]
    fenced: tuple[bool, ...]
    open_fence: int | None = None


def parsed(lines: Sequence[str]) -> Markdown:
    """Return the parts of a document given as its lines; front matter is in none."""
    first = _after_matter(lines)
    fenced, open_fence = _fences(lines, first)
    headings = list(_headings(lines, fenced, first))
    title = headings[0].text if headings and headings[0].level == 1 else None
    path: list[_Heading] = []
    sections = [Section((), None, first, headings[0].start if headings else len(lines))]
    for number, each in enumerate(headings):
        path = [above for above in path if above.level < each.level]
        if number or title is None:
            path.append(each)
        end = headings[number + 1].start if number + 1 < len(headings) else len(lines)
        sections.append(Section(tuple(one.text for one in path if one.text), each.start, each.end, end))
    return Markdown(title or None, tuple(sections), fenced, open_fence)


@dataclass(frozen=True)
class _Heading:
    level: int
    text: str
    start: int
    end: int


def _headings(lines: Sequence[str], fenced: Sequence[bool], first: int) -> Iterator[_Heading]:
    for number in range(first, len(lines)):
        if fenced[number]:
            continue
        if match := HEADING.fullmatch(lines[number]):
            yield _Heading(len(match[1]), (match[2] or "").strip(), number, number + 1)
        elif (match := UNDERLINE.fullmatch(lines[number])) and _is_one_line(lines, fenced, first, number - 1):
            yield _Heading(1 if match[1][0] == "=" else 2, lines[number - 1].strip(), number - 1, number + 1)


def _is_one_line(lines: Sequence[str], fenced: Sequence[bool], first: int, number: int) -> bool:
    """Return whether a line is a paragraph by itself, as far as what stands above it."""
    if number < first or fenced[number] or not lines[number].strip() or NO_PARAGRAPH.match(lines[number]):
        return False
    above = number - 1
    return above < first or fenced[above] or not lines[above].strip() or HEADING.fullmatch(lines[above]) is not None


def _fences(lines: Sequence[str], first: int) -> tuple[tuple[bool, ...], int | None]:
    """Return which lines are code, and where a fence opens that nothing closes: the rest is code then."""
    fenced = [False] * len(lines)
    mark, opened = "", 0
    for number in range(first, len(lines)):
        fenced[number] = bool(mark)
        said = lines[number].strip()
        if mark:
            if len(said) >= len(mark) and set(said) == {mark[0]}:
                mark = ""
        elif match := FENCE.fullmatch(lines[number]):
            mark, opened, fenced[number] = match[1] or match[2], number, True
    return tuple(fenced), opened if mark else None


def _after_matter(lines: Sequence[str]) -> int:
    """Return the number of the first line after the front matter, 0 where there is none."""
    ends = MATTER.get(lines[0].rstrip()) if lines else None
    end = next((number for number in range(1, len(lines)) if lines[number].rstrip() in ends), 0) if ends else 0
    inside = lines[1:end]
    return end + 1 if any(map(ENTRY.fullmatch, inside)) and all(map(BESIDE.fullmatch, inside)) else 0
