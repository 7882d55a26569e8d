"""Rows of a table as lines: a column is a field.

Where `input` and `target` name columns the rows are pairs. Otherwise they are lines of a layout, and columns may hold
its messages and tools as JSON text, as lists of JSON texts, or nested. Tables write null for what a row has not, and
give every struct the fields of all others. So null columns, null fields of messages and calls, and empty lists of
tools are taken out: none of them means anything there. Inside tools and arguments null may mean something, and what
was null at first can no longer be told from what was never there: nested tools or arguments with a null anywhere in
them are refused. JSON text is taken as it was written; no reader guesses at its types.
Dates, decimals and the like become texts, bytes that are UTF-8 too.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ftbuild.problem import Problem
from ftbuild.rows import NotJsonError, Row, parse
from ftbuild.settings import Source

DEEP = {
    "chat_jsonl": ("messages", "tools"),
    "dpo_jsonl": ("input", "preferred_output", "non_preferred_output"),
    "sharegpt": ("conversations", "tools"),
    "alpaca": ("history",),
}
NO_TOOLS: tuple[Any, ...] = ([], "", "[]")
MEANT = ("tools", "arguments", "parameters")  # null may mean something in these


def read(records: Iterator[Sequence[Any]], names: Sequence[str], source: Source) -> Iterator[Row]:
    """Yield the records as rows, counted from 1."""
    twice = [name for number, name in enumerate(names) if name in names[:number]]
    if twice:
        what, fix = f"two columns {twice[0]!r}", "give one of them another name: AS."
        yield Row(0, b"", problems=(Problem(what, fix=fix, rule="duplicate-column"),))
        return
    for number, record in enumerate(records, 1):
        value = {name: plain(each) for name, each in zip(names, record, strict=True)}
        yield Row(number, b"", value) if source.input else _line(number, value, DEEP[source.layout or "chat_jsonl"])


def plain(value: Any) -> Any:
    """Return a value of a table as one of JSON; bytes that are no text stay what they are."""
    match value:
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | UUID() | timedelta():
            return str(value)
        case bytes():
            return _decoded(value)
    return value


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _line(number: int, value: Mapping[str, Any], deep: Sequence[str]) -> Row:
    problems: list[Problem] = []
    line = {}
    for name, given in value.items():
        if given is None or (name == "tools" and given in NO_TOOLS):
            continue
        line[name] = given
        if name in deep:
            held = _held(given, name, problems)
            line[name] = _meant(held, name, problems) if name in MEANT else _without_nulls(held, name, problems)
    return Row(number, b"", problems=tuple(problems)) if problems else Row(number, b"", line)


def _held(given: Any, at: str, problems: list[Problem]) -> Any:
    """Return what a column holds, read where it is JSON text."""
    if isinstance(given, list) and given and all(isinstance(each, str) for each in given):
        return [_held(each, f"{at}[{number}]", problems) for number, each in enumerate(given)]
    if not isinstance(given, str):
        return given
    try:
        return _Text(parse(given.encode("utf-8", "surrogatepass")))
    except NotJsonError as error:
        fix = "the column holds JSON text, or lists and structs."
        problems.append(Problem(error.problem.what, at=at, fix=fix, rule=error.problem.rule))
        return None


class _Text:
    """A value that was read out of JSON text: a null in it was written there."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _without_nulls(value: Any, at: str, problems: list[Problem]) -> Any:
    if isinstance(value, _Text):
        return value.value
    if isinstance(value, list):
        return [_without_nulls(each, f"{at}[{number}]", problems) for number, each in enumerate(value)]
    if isinstance(value, dict):
        return {
            name: (_meant if name in MEANT else _without_nulls)(each, f"{at}.{name}", problems)
            for name, each in value.items()
            if each is not None
        }
    return value


def _meant(value: Any, at: str, problems: list[Problem]) -> Any:
    """Return tools or arguments as they are; a null in them is a finding."""
    if isinstance(value, _Text):
        return value.value
    if isinstance(value, list) and any(isinstance(each, _Text) for each in value):
        return [each.value if isinstance(each, _Text) else each for each in value]
    if (where := next(_nulls(value, at), None)) is not None:
        why = "A table gives every struct the fields of all others, so this null was maybe never written."
        fix = "keep the column as JSON text: json.dumps(...) before the table is written."
        problems.append(Problem("null inside nested tools or arguments", at=where, why=why, fix=fix, rule="table-null"))
    return value


def _nulls(value: Any, at: str) -> Iterator[str]:
    if value is None:
        yield at
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _nulls(each, f"{at}.{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _nulls(each, f"{at}[{number}]")
