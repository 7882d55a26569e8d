"""Fields of a line by name: whether they are there, and what they say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ftbuild.criteria import Criterion
from ftbuild.example import PassageName
from ftbuild.problem import Problem, nearest
from ftbuild.settings import Source
from ftbuild.times import seconds
from ftbuild.tools.schemas import shown

ABSENT = object()
MISSING = "missing-field"
SHOWN_FIELDS = 8


def missing(value: Any, fields: Iterable[str]) -> Iterator[Problem]:
    """Yield the fields that a line has not, or that say nothing; none for what is no object."""
    if not isinstance(value, Mapping):
        return
    for field in dict.fromkeys(fields):
        found = value_of(value, field)
        if found is ABSENT:
            close = nearest(field, value)
            more = ", ..." if len(value) > SHOWN_FIELDS else ""
            fields_there = ", ".join([*value][:SHOWN_FIELDS]) + more or "nothing"
            there = f"the line has {fields_there}; the source's YAML says which to take."
            fix = f"the line has {close!r}: rename it, or name the field in the source's YAML." if close else there
            yield Problem(no_field(field), fix=fix, rule=MISSING)
        elif not isinstance(found, str | int | float | bool) or not text(value, field):
            yield Problem(f"{field}: {shown(found)} is not a text", rule="not-a-text")


def no_field(field: str) -> str:
    """Return what is said where a line has not a field."""
    return f"no field {field!r}"


def untimely(value: Any, source: Source) -> Iterator[Problem]:
    """Yield that the time of a line is none."""
    if not source.time or not isinstance(value, Mapping):
        return
    found = value_of(value, source.time)
    if found is not ABSENT and seconds(found) is None:
        yield Problem(
            f"{source.time}: {shown(found)} is no time",
            why="The line could not be put before or after others.",
            fix="write ISO 8601, as 2026-11-25T10:00:00Z, or seconds since 1970.",
            rule="not-a-time",
        )


def time(value: Mapping[str, Any], source: Source) -> float | None:
    """Return when a line was said, in seconds since 1970; None where the source names no time."""
    return seconds(value_of(value, source.time)) if source.time else None


def passage_fields(value: Any, source: Source) -> list[str]:
    """Return the fields that name a passage, but for those that are null: there it is not known."""
    if source.passage is None:
        return []
    named = [each for each in (source.passage.document, source.passage.section) if each]
    return [each for each in named if not isinstance(value, Mapping) or value_of(value, each) is not None]


def passage(value: Mapping[str, Any], source: Source) -> PassageName | None:
    """Return the name of the passage that a line's answer is taken from; None where that is not known."""
    if source.passage is None:
        return None
    fields = passage_fields(value, source)
    return PassageName(*(text(value, each) for each in fields)) if source.passage.document in fields else None


def unmeetable(value: Any, source: Source) -> Iterator[Problem]:
    """Yield the criteria of a line that are none; a line may have none at all."""
    if source.criteria is None or not isinstance(value, Mapping):
        return
    said = _criteria(value, source.criteria)
    for number, each in enumerate(said if isinstance(said, list) else [said]):
        try:
            Criterion.from_json(each)
        except ValueError as error:
            yield Problem(str(error), at=f"{source.criteria}[{number}]", rule="not-a-criterion")


def criteria(value: Mapping[str, Any], source: Source) -> tuple[Criterion, ...]:
    """Return what a line says that an answer is to be like; nothing where the source names no field."""
    return tuple(map(Criterion.from_json, _criteria(value, source.criteria))) if source.criteria else ()


def _criteria(value: Mapping[str, Any], field: str) -> Any:
    found = value_of(value, field)
    return [] if found is ABSENT else found or []


def text(value: Mapping[str, Any], field: str) -> str:
    """Return what a field says, without the space around it; a number or a truth value as JSON writes it."""
    return said(value_of(value, field))


def said(value: Any) -> str:
    """Return a value as a text: stripped, a truth value as JSON writes it."""
    return value.strip() if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def value_of(value: Mapping[str, Any], field: str) -> Any:
    """Return what a field holds, ABSENT if it is not there; `a.b` is field b of the object in field a."""
    if field in value:
        return value[field]
    head, dot, rest = field.partition(".")
    inner = value.get(head) if dot else None
    return value_of(inner, rest) if isinstance(inner, Mapping) else ABSENT


def placed(problems: Iterable[Problem], path: str, line: int) -> Iterator[Problem]:
    """Yield the findings with their file and line."""
    return (replace(problem, path=path, line=line) for problem in problems)
