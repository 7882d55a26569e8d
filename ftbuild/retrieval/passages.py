"""Documents -> passages: Markdown cut at its headings, text at blank lines, both packed up to a bound.

A passage is whole paragraphs, in the words of its document: none is cut, nor is fenced code, so that one may be longer
than the bound, and is told. Every line of a document that has a word in it stands in one passage, but for headings
and front matter.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild import packed, rows
from ftbuild.packed import plain_name
from ftbuild.problem import Problem
from ftbuild.retrieval.markdown import Markdown, Section, parsed

MARKDOWN = (".md", ".markdown", ".mdx", ".qmd")
WORD = re.compile(r"\w")
LONGEST = 1200  # characters: about 200 words of English, a page of a phone


@dataclass(frozen=True)
class Passage:
    """A part of a document: its text, and where that stands.

    `line` is that of its heading, or of its first line where it has none of its own; `headings` are those it stands
    under, the outermost first, without the `title` of the document.
    """

    path: str
    line: int
    title: str
    headings: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """Return what it is called in a prompt: the title and its headings."""
        return ", ".join((self.title, *self.headings))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        place = {"document": plain_name(self.path).rpartition("/")[2], "path": self.path, "line": self.line}
        return {**place, "title": self.title, "headings": list(self.headings), "text": self.text}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Passage":
        """Return the passage that `to_json` wrote."""
        return cls(value["path"], value["line"], value["title"], tuple(value["headings"]), value["text"])


def read(content: bytes, path: str, longest: int = LONGEST) -> Iterator[Passage | Problem]:
    """Yield the passages of a document of at most `longest` characters, and what is wrong with it.

    What its name says it is decides: Markdown, or else text.
    """
    text = _text(content, path)
    if isinstance(text, Problem):
        yield text
        return
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    stem, dot, ending = plain_name(path).rpartition("/")[2].rpartition(".")
    if f".{ending.lower()}" in MARKDOWN:
        known = parsed(lines)
    else:
        known = Markdown(None, (Section((), None, 0, len(lines)),), (False,) * len(lines))
    if known.open_fence is not None:
        fix = "close it with a line of the same marks."
        what = "fenced code that nothing closes: all the rest is taken for code"
        yield Problem(what, path, known.open_fence + 1, fix=fix, rule="open-fence", severity="warning")
    found = False
    for section in known.sections:
        for first, last in _packed(lines, known.fenced, section, longest):
            is_first = not any(line.strip() for line in lines[section.start : first])
            at = section.heading if section.heading is not None and is_first else first
            said = "\n".join(line.rstrip() for line in lines[first:last])
            if not WORD.search(said):
                continue  # a rule between two parts
            found = True
            yield Passage(path, at + 1, known.title or (stem if dot else ending), section.headings, said)
            if len(said) > longest:
                yield _long(said, path, first + 1, longest, is_code=all(known.fenced[first:last]))
    if not found:
        what = "no text in the file" if not text.strip() else "headings and no text below them"
        yield Problem(what, path, fix="write it, or take the file out.", rule="empty-document", severity="warning")


def _text(content: bytes, path: str) -> str | Problem:
    """Return a document as text, whatever its encoding and however it is compressed."""
    try:
        content = packed.unpacked(content)
    except packed.TornError as error:
        return Problem(f"cannot be unpacked: {error}", path, fix=packed.AGAIN, rule=f"not-{error.form}")
    text = rows.decoded(content)
    fix = "save it as UTF-8."
    if text is None:
        wide = next((name.upper() for mark, name in rows.WIDE.items() if content.startswith(mark)), None)
        if wide is not None:
            return Problem(f"begins as {wide} and does not go on so", path, fix=fix, rule="not-utf8")
        return _not_utf8(content, path)
    if (at := text.find("\0")) >= 0:
        why = "UTF-16 without a byte order mark looks so, and what is no text."
        return Problem("a NUL character", path, text.count("\n", 0, at) + 1, why, fix, "not-text")
    return text


def _not_utf8(content: bytes, path: str) -> Problem:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        return Problem(f"not UTF-8 (byte {column} of the line)", path, line, fix="save it as UTF-8.", rule="not-utf8")
    raise AssertionError("it is UTF-8")


def _packed(lines: Sequence[str], fenced: Sequence[bool], section: Section, longest: int) -> Iterator[tuple[int, int]]:
    """Yield the first line and the end of each passage of a section: as many paragraphs as the bound allows."""
    begun: int | None = None
    end = n = 0
    for first, last in _paragraphs(lines, fenced, section):
        between = sum(len(line.rstrip()) + 1 for line in lines[end if begun is not None else first : last])
        if begun is not None and n + between - 1 > longest:
            yield begun, end
            begun, between = None, sum(len(line.rstrip()) + 1 for line in lines[first:last])
        if begun is None:
            begun, n = first, 0
        end, n = last, n + between
    if begun is not None:
        yield begun, end


def _paragraphs(lines: Sequence[str], fenced: Sequence[bool], section: Section) -> Iterator[tuple[int, int]]:
    """Yield the first line and the end of what stands between blank lines; those in code part nothing."""
    first: int | None = None
    for number in range(section.start, section.end):
        says = bool(lines[number].strip()) or fenced[number]
        if says and first is None:
            first = number
        elif not says and first is not None:
            yield first, number
            first = None
    if first is not None:
        yield first, section.end


def _long(said: str, path: str, line: int, longest: int, *, is_code: bool) -> Problem:
    what = f"{'code' if is_code else 'a paragraph'} of {len(said):,} characters, and a passage should have {longest:,}"
    why = "A paragraph is never cut. A long passage takes the place of others, and costs tokens in every prompt."
    fix = "put blank lines where it can be cut, or raise passage_characters of the source."
    return Problem(what, path, line, why, fix, "long-passage", "warning")
