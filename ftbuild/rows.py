"""JSON values out of bytes, one a line, each with the line it begins on; what is wrong with a line is said of it alone.

Lines end at \\n and nowhere else, so that U+2028 inside a text ends none. What JSON does not allow or
leaves open (NaN, a key twice, half a surrogate pair) is refused, though Python reads it. What is plain is
read by orjson, and all else by the parser that can say what is wrong: both give the same values. A file that is
one array, or whose objects run over several lines, and one in UTF-16 or UTF-32, are read all the same: `layout`
tells, since a provider takes none of them.

Source: RFC 8259; jsonlines.org (2026-11).
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import chain, islice
from math import isinf
from typing import Any, Literal, NoReturn

import orjson

from ftbuild.problem import Problem

Layout = Literal["lines", "array", "documents"]
BOM = codecs.BOM_UTF8
WIDE = {
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins as the mark of UTF-16
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
LONG_NUMBER = b"0" * 20  # what orjson reads as a float that is near it
SAMPLE_BYTES = 512
BLANK = "blank-line"
DOUBTED = object()
SPACE = b" \t\r\n"
TOOLS = b'"tools"'


@dataclass(frozen=True)
class Row:
    """A value and where it stands; `problems` are those of reading it, and then there is no value.

    `content` are its bytes as they stand, in UTF-8.
    """

    line: int
    content: bytes
    value: Any = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Rows:
    """The rows of a file, and how the file is written."""

    rows: Iterable[Row]
    layout: Layout = "lines"
    encoding: str = "utf-8"
    bom: bool = False


def read(lines: Iterable[bytes]) -> Rows:
    """Return the rows of a file given as its lines, each with its \\n.

    Lines that stand for themselves are read as they come; a file in another layout is held in memory.
    """
    lines = iter(lines)
    head = list(islice(lines, 1))
    first = head[0] if head else b""
    encoding, bom = _encoding(first)
    if encoding != "utf-8":
        text = decoded(b"".join(chain(head, lines)))
        if text is None:
            return Rows([Row(1, b"", problems=(_not_text(encoding),))], encoding=encoding, bom=bom)
        inner = read(BytesIO(text.encode()))
        return Rows(inner.rows, inner.layout, encoding, bom)
    if bom:
        head = [first.removeprefix(BOM)]
    while head and not head[-1].strip() and (more := next(lines, None)) is not None:
        head.append(more)
    layout = _layout(head[-1] if head else b"")
    if layout == "lines":
        return Rows(_lines(chain(head, lines)), bom=bom)
    return Rows(_documents(b"".join(chain(head, lines)), layout), layout, bom=bom)


def are_lines(head: bytes) -> bool:
    """Return whether a file that begins so is JSON lines in UTF-8, so that its lines can be read apart."""
    first = head.lstrip(SPACE).partition(b"\n")[0]
    return _encoding(head) == ("utf-8", False) and _layout(first) == "lines"


def lines(content: bytes, first: int) -> Iterator[Row]:
    """Yield the rows of some lines of a file that `are_lines` says is one; `first` is the number of their first."""
    return _lines(BytesIO(content), first)


def decoded(content: bytes) -> str | None:
    """Return a whole file as text without its mark, None if it is in no encoding that we read."""
    encoding, bom = _encoding(content[:SAMPLE_BYTES])
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text[1:] if bom else text


def parse(content: bytes) -> Any:
    """Return the JSON value of some bytes in UTF-8.

    Raises:
        NotJsonError: they are none; it says why.
    """
    value = plainly(content)
    return _parsed(content) if value is DOUBTED else value


def plainly(content: bytes) -> Any:
    """Return what `parse` does of what is plain, and DOUBTED where it takes a closer look to tell."""
    try:
        value = orjson.loads(content)
        again = orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return DOUBTED
    if content.translate(None, SPACE) == again.translate(None, SPACE):
        return value
    # A key twice is one less once it is read, and so are its quotes.
    if content.count(b'"') != again.count(b'"') or b"\\u0022" in content or LONG_NUMBER in content.translate(DIGITS):
        return DOUBTED
    return value


class Shared(list[Any]):
    """A list of JSON values that many lines have in common, read once and never changed.

    `text` is its JSON, `said` the same as text, which is hashed once.
    """

    def __init__(self, values: list[Any]) -> None:
        super().__init__(values)
        self.text = orjson.dumps(values)
        self.said = self.text.decode()


def in_parts(content: bytes) -> Any:
    """Return what `plainly` does of an object, its tools as Shared where it can be cut in two before them.

    Lines mostly end as the line before, from their tools on, and an end is read once. If what is before the cut is an
    object once it is closed, and what is behind it is one once it is opened, then both together are one object.
    """
    at = content.find(TOOLS)
    head = content[: max(at, 0)].rstrip(SPACE)
    if head.endswith(b","):
        value, end = plainly(head[:-1] + b"}"), _end(content[at:])
        if isinstance(value, dict) and value and end and value.keys().isdisjoint(end):
            return value | end
    return plainly(content)


@lru_cache(maxsize=256)
def _end(content: bytes) -> dict[str, Any]:
    """Return the members of an object that begin with its tools, none where they are not plain."""
    value = plainly(b"{" + content)
    if not isinstance(value, dict):
        return {}
    return {**value, "tools": Shared(value["tools"])} if isinstance(value["tools"], list) else value


def _parsed(content: bytes) -> Any:
    """Return the same, slowly, and say what is wrong."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJsonError(
            Problem(f"not UTF-8 (byte {error.start + 1} of the line)", fix="save it as UTF-8.", rule="not-utf8")
        ) from None
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        said = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        raise NotJsonError(
            Problem(
                f"not JSON (column {error.colno}: {said})",
                fix="mend the line; every line is one JSON object.",
                rule="not-json",
            ),
            at_end=error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"),
        ) from None
    except NotJsonError:
        raise
    except (ValueError, RecursionError):
        raise NotJsonError(
            Problem(
                "a number too long, or brackets nested too deep, to be read",
                fix="write the number as a text, or the value flatter.",
                rule="not-json",
            )
        ) from None
    if SURROGATE.search(text) and _is_torn(value):
        raise NotJsonError(
            Problem("half a surrogate pair in a text", fix="write the whole character.", rule="lone-surrogate")
        )
    return value


def written(value: Any) -> bytes:
    """Return a JSON value as bytes, its members in their order."""
    if type(value) is Shared:
        return value.text
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # a number or a nesting beyond what it takes
        return json.dumps(value).encode()


def line(value: Mapping[str, Any]) -> bytes:
    """Return an object as a JSON line without its end: members in their order, no spaces.

    Raises:
        ValueError: it holds what JSON cannot say.
    """
    content = reread(value)
    if b"null" in content:
        _encode(value)  # orjson makes null of what is no number
    return content


def reread(value: Mapping[str, Any]) -> bytes:
    """Return what `line` does, quicker, for an object whose numbers were all read as JSON.

    Raises:
        ValueError: it holds what JSON cannot say.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        try:
            return _encode(value).encode()
        except UnicodeEncodeError:
            raise ValueError("not JSON: half a surrogate pair in a text") from None


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class NotJsonError(ValueError):
    """Something that is not JSON, or that JSON leaves open; `problem` says what, without a place.

    `at_end`: it could go on to be JSON.
    """

    def __init__(self, problem: Problem, *, at_end: bool = False) -> None:
        super().__init__(problem.what)
        self.problem = problem
        self.at_end = at_end


def _encoding(first: bytes) -> tuple[str, bool]:
    """Return the encoding of a file and whether a mark says so, from its first line."""
    if first.startswith(BOM):
        return "utf-8", True
    for mark, name in WIDE.items():
        if first.startswith(mark):
            return name, True
    sample = first[:SAMPLE_BYTES]
    if sample[1:2] == b"\0" and sample[:1] in (b"{", b"["):
        return "utf-16-le", False
    if sample[:1] == b"\0" and sample[1:2] in (b"{", b"["):
        return "utf-16-be", False
    return "utf-8", False


def _not_text(encoding: str) -> Problem:
    return Problem(f"begins as {encoding.upper()} and does not go on so", fix="save it as UTF-8.", rule="not-utf8")


def _layout(first: bytes) -> Layout:
    """Return how a file is written, from its first line that is not blank."""
    if first.lstrip().startswith(b"["):
        return "array"
    if first.strip() == b"{":
        return "documents"
    return "lines"


def _lines(lines: Iterable[bytes], first: int = 1) -> Iterator[Row]:
    for number, line in enumerate(lines, first):
        content = line.strip(SPACE)
        if content:
            yield _row(number, content, cut_short=not line.endswith(b"\n"))
        else:
            fix = "take it out."
            yield Row(number, b"", problems=(Problem("a blank line", fix=fix, rule=BLANK, severity="warning"),))


def _row(number: int, content: bytes, *, cut_short: bool) -> Row:
    try:
        return Row(number, content, parse(content))
    except NotJsonError as error:
        problem = error.problem
        if cut_short and error.at_end:
            fix = "take the line out, or write the file again whole."
            problem = Problem("the file ends in the middle of this line", fix=fix, rule="cut-short")
        return Row(number, content, problems=(problem,))


def _documents(content: bytes, layout: Layout) -> Iterator[Row]:
    """Yield the values of an array, or of objects written one after the other, each with its first line."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        yield Row(line, b"", problems=(Problem("not UTF-8", fix="save it as UTF-8.", rule="not-utf8"),))
        return
    at, line, counted = 0, 1, 0
    blank = re.compile(r"[ \t\r\n,]*" if layout == "array" else r"[ \t\r\n]*")
    decoder = json.JSONDecoder()
    if layout == "array":
        at = text.index("[") + 1
    while True:
        found = blank.match(text, at)
        at = found.end() if found else at
        line, counted = line + text.count("\n", counted, at), at
        if layout == "array" and (at >= len(text) or text[at] == "]"):
            yield from _after(text, at, line)
            return
        if at >= len(text):
            return
        try:
            _, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            where = line
            said = "brackets nested too deep"
            if isinstance(error, json.JSONDecodeError):
                where, said = error.lineno, error.msg[0].lower() + error.msg[1:].removesuffix(" at")
            fix = "mend it; what comes after it was not read."
            yield Row(where, b"", problems=(Problem(f"not JSON ({said})", fix=fix, rule="not-json"),))
            return
        yield _row(line, text[at:end].encode("utf-8", "surrogatepass"), cut_short=False)
        at = end


def _after(text: str, at: int, line: int) -> Iterator[Row]:
    """Yield what is wrong with the end of an array, which is at a place in a text, on a line: nothing may follow it."""
    behind = text[at + 1 :].lstrip(" \t\r\n")
    if at >= len(text):
        fix = "close it with ], or write the file again whole."
        yield Row(line, b"", problems=(Problem("the file ends in the middle of the array", fix=fix, rule="cut-short"),))
    elif behind:
        line += text.count("\n", at, len(text) - len(behind))
        fix = "write one array, or an object a line; what comes after the first array was not read."
        yield Row(line, b"", problems=(Problem("something behind the array", fix=fix, rule="not-json"),))


def _refuse(constant: str) -> NoReturn:
    fix = "write a number, a text, or leave the key out."
    raise NotJsonError(Problem(f"{constant} is not JSON", fix=fix, rule="not-a-number"))


def _finite(digits: str) -> float:
    value = float(digits)
    if isinf(value):
        fix = "write it as a text."
        raise NotJsonError(Problem(f"the number {digits[:20]} is too large to be read", fix=fix, rule="not-json"))
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJsonError(Problem(f"key {twice!r} twice in one object", fix="keep one of them.", rule="duplicate-key"))
    return value


def _is_torn(value: Any) -> bool:
    """Return whether a text in the value, or a key, holds half a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
