"""Lines that others recorded, answers or values of a metric: read and checked, each problem with its line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ftbuild.cli.reading import reading
from ftbuild.errors import DataError
from ftbuild.problem import Problem
from ftbuild.rows import BLANK, read

T = TypeVar("T")


def read_lines(path: Path, take: Callable[[Mapping[str, Any]], T]) -> dict[str, T]:
    """Return what `take` makes of each line, by the line's `id`; `take` raises ValueError where it cannot.

    Raises:
        ConfigError: there is no such file.
        DataError: lines that are none, with their numbers; or there is no line.
    """
    found: dict[str, T] = {}
    first: dict[str, int] = {}
    problems: list[Problem] = []
    with reading(path) as file:
        for row in read(file).rows:
            if row.problems:
                problems += [
                    Problem(each.what, str(path), row.line, fix=each.fix) for each in row.problems if each.rule != BLANK
                ]
                continue
            try:
                name = _id(row.value)
                if name in first:
                    raise ValueError(f"id {name!r} stands in line {first[name]} already")
                first[name] = row.line
                found[name] = take(row.value)
            except ValueError as error:
                problems.append(Problem(str(error), str(path), row.line))
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
