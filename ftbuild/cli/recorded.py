"""Lines that others recorded, answers or values of a metric: read and checked, each problem with its line.

Files of promptfoo and of OpenAI's Evals are recognised by their layout. One with the answers of several models or
prompts has columns, and FILE#1 names one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml

from ftbuild import imports, packed
from ftbuild.cli.reading import reading
from ftbuild.errors import ConfigError, DataError
from ftbuild.imports import yaml_text
from ftbuild.problem import Problem
from ftbuild.rows import BLANK, Row, read

T = TypeVar("T")
COLUMN = "#"


@dataclass(frozen=True)
class Lines(Generic[T]):
    """What was made of each line, by its id, and what was not carried over from a file of another tool."""

    found: dict[str, T]
    warnings: Sequence[Problem] = ()


def read_lines(path: Path, take: Callable[[Mapping[str, Any]], T]) -> Lines[T]:
    """Return what `take` makes of each line, by the line's `id`; `take` raises ValueError where it cannot.

    Raises:
        ConfigError: there is no such file, or no such column in it.
        DataError: lines that are none, with their numbers; or there is no line.
    """
    path, column = _column_of(path)
    rows = list(_rows(path))
    recorded = imports.recorded(rows)
    if recorded is None:
        if column is not None:
            fix = f"name the file alone: {path}"
            raise ConfigError(Problem(f"lines of ours have no column {column!r}", str(path), fix=fix))
        return Lines(_taken([(row.line, "", row) for row in rows], path, take))
    placed = [replace(each, path=str(path)) for each in recorded.problems]
    if wrong := [each for each in placed if each.severity == "error"]:
        raise DataError(*wrong)
    chosen = _chosen(recorded, path, column)
    first = {each.asked: each.id for each in reversed(chosen)}
    groups = {"cluster": first} if len(first) < len(chosen) else {}  # a question that was asked again is one
    lines = [
        (
            each.line,
            each.at,
            Row(each.line, b"", each.to_json() | {name: ids[each.asked] for name, ids in groups.items()}),
        )
        for each in chosen
    ]
    warnings = [replace(one, path=str(path), line=each.line) for each in chosen for one in each.expected.problems]
    return Lines(_taken(lines, path, take), warnings)


def _column_of(path: Path) -> tuple[Path, str | None]:
    """Return the file that is named, and the column in it where one is."""
    name, sign, column = path.name.rpartition(COLUMN)
    return (path, None) if not sign or path.exists() else (path.with_name(name), column)


def _rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file but for blank ones; one of YAML is a single row.

    Raises:
        DataError: it is no YAML.
    """
    with reading(path) as file:
        if not packed.plain_name(path.name).endswith((".yaml", ".yml")):
            yield from (row for row in read(file).rows if not any(each.rule == BLANK for each in row.problems))
            return
        try:
            yield Row(1, b"", yaml_text.read(file.read()))
        except yaml.YAMLError as error:
            what, line = yaml_text.problem(error)
            raise DataError(Problem(what, str(path), line, fix="export the file again.")) from None


def _chosen(recorded: imports.Recorded, path: Path, column: str | None) -> list[imports.Answer]:
    """Return the answers of one column: the only one, or the one that is named, by its number or its name.

    Raises:
        ConfigError: there is no such column, or none is named of several.
    """
    columns = recorded.columns
    named = {**{name: name for name in columns}, **{str(at): name for at, name in enumerate(columns)}}
    if column is None and len(columns) < 2:
        return recorded.answers
    if column not in named:
        listed = "; ".join(f"{at} {name}" for at, name in enumerate(columns))
        what = f"no column {column!r}" if column is not None else f"the answers of {len(columns)} columns"
        fix = f"name one, as {path}{COLUMN}0: {listed}."
        raise ConfigError(Problem(what, str(path), fix=fix))
    return [each for each in recorded.answers if each.column == named[column]]


def _taken(rows: Sequence[tuple[int, str, Row]], path: Path, take: Callable[[Mapping[str, Any]], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    first: dict[str, int] = {}
    problems: list[Problem] = []
    for line, at, row in rows:
        if row.problems:
            problems += [Problem(each.what, str(path), line, fix=each.fix) for each in row.problems]
            continue
        try:
            name = _id(row.value)
            if name in first:
                raise ValueError(f"id {name!r} stands in line {first[name]} already")
            first[name] = line
            found[name] = take(row.value)
        except ValueError as error:
            problems.append(Problem(str(error), str(path), line, at=at))
    if not found and not problems:
        problems.append(Problem("holds no line", str(path)))
    if problems:
        raise DataError(*problems)
    return found


def _id(value: Any) -> str:
    if not isinstance(value, Mapping):
        raise ValueError("not a JSON object")
    name = value.get("id")
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise ValueError("no id, a text or a whole number" if name is None else f"id is {name!r}, no text")
    return str(name)


def cluster(value: Mapping[str, Any]) -> str | None:
    """Return the cluster that a line says it belongs to."""
    said = value.get("cluster")
    if said is not None and not isinstance(said, str | int):
        raise ValueError(f"cluster is {said!r}, no text")
    return None if said is None else str(said)


def clusters(found: Mapping[str, str | None], path: Path) -> dict[str, str] | None:
    """Return the clusters by id, None where no line has one.

    Raises:
        DataError: some lines have one and others have not.
    """
    named = {name: each for name, each in found.items() if each is not None}
    if named and len(named) < len(found):
        lacking = next(name for name in found if name not in named)
        why = "Examples of one cluster are no independent evidence."
        what = f"{len(named)} of {len(found)} lines have a cluster; {lacking!r} has none"
        raise DataError(Problem(what, str(path), why=why, fix="give all of them one, or none."))
    return named or None
