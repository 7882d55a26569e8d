"""Pairs: an input and a target a row, as fields of a JSON object or as columns.

A line with a problem gives a finding and no example; the others are read all the same.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from ftbuild import digits
from ftbuild.chat import Message
from ftbuild.digest import of_plain
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.settings import Source
from ftbuild.sources.fields import criteria, missing, passage, passage_fields, placed, text, time, unmeetable, untimely
from ftbuild.tools.schemas import shown


def read(rows: Iterable[Row], name: str, source: Source) -> Iterator[Example | Problem]:
    """Yield the example of every sound line, and what is wrong with the others."""
    for row in rows:
        problems = [*row.problems, *(_check(row.value, source) if not row.problems else ())]
        if problems:
            yield from placed(problems, source.path, row.line)
        else:
            yield _example(row.value, name, source, row.line)


def _check(value: Any, source: Source) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(f"{type(value).__name__} instead of a JSON object", rule="not-an-object")
        return
    grouped = [each for each in (source.group, source.time) if each]
    texts = [str(source.input), str(source.target), *([source.rejected] if source.rejected else [])]
    open_ = [field for field in texts[1:] if source.schema_name and isinstance(value.get(field), dict | list)]
    fields = [field for field in [*texts, *grouped, *source.slices.values()] if field not in open_]
    fields += passage_fields(value, source)
    found = list(missing(value, fields))
    yield from found
    yield from untimely(value, source)
    yield from unmeetable(value, source)
    for field in texts:
        if not found and not isinstance(value[field], str) and field not in open_:
            yield Problem(f"{field}: {shown(value[field])} is not a text", rule="not-a-text")


def _example(value: dict[str, Any], name: str, source: Source, number: int) -> Example:
    raw, target = value[str(source.input)].strip(), _answer(value[str(source.target)])
    original = of_plain(["example.v1", raw, target])
    return Example(
        messages=(Message("user", raw), Message("assistant", target)),
        original=original,
        source=name,
        path=source.path,
        line=number,
        group=text(value, source.group) if source.group else original,
        raw=raw,
        slices={"source": name, **{each: text(value, field) for each, field in sorted(source.slices.items())}},
        only=source.only,
        rejected=Message("assistant", _answer(value[source.rejected])) if source.rejected else None,
        time=time(value, source),
        passage=passage(value, source),
        criteria=criteria(value, source),
    )


def _answer(value: Any) -> str:
    """Return what a field says: a text, or a value as JSON where the source has a schema."""
    return value.strip() if isinstance(value, str) else digits.written(value, ",", ":")
