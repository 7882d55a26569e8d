"""The labelled examples of a composition's judge, read from the file that stands beside its rubric."""

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

from ftbuild.composed import Composed
from ftbuild.errors import ConfigError, DataError
from ftbuild.problem import Problem
from ftbuild.rows import read
from ftbuild.scorers.judge import Better

FIELDS = ("message", "one", "other", "better")


def paths(composed: Composed) -> Iterator[Path]:
    """Yield the file, where the composition has a judge."""
    said = (composed.tree.get("judge") or {}).get("labelled")
    if said is not None and composed.tree["evaluation"]["scorers"].get("judge") is not None:
        origin = composed.origins.of("judge.labelled")
        yield (origin.tree if origin else Path.cwd()) / str(said)


def labelled_of(composed: Composed) -> list[dict[str, Any]]:
    """Return the labelled examples, in their order: `message, one, other, better`; none where no scorer judges.

    Raises:
        ConfigError: there is no such file.
        DataError: lines that are none, with their numbers; or there is no line.
    """
    if "judge" not in composed.settings.evaluation.scorers:
        return []
    [path] = paths(composed)
    origin = composed.origins.of("judge.labelled")
    try:
        content = path.read_bytes()
    except OSError as error:
        what = f"judge.labelled: {path}: {(error.strerror or 'cannot be read').lower()}"
        raise ConfigError(Problem(what, origin.path if origin else "", origin.line if origin else None)) from None
    found: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for row in read(BytesIO(content)).rows:
        wrong = [each.what for each in row.problems] or _wrong(row.value)
        problems += [Problem(each, str(path), row.line) for each in wrong]
        if not wrong:
            found.append({name: row.value[name] for name in FIELDS})
    if not found and not problems:
        problems.append(Problem("holds no labelled example", str(path)))
    if problems:
        raise DataError(*problems)
    return found


def _wrong(value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        return ["not a JSON object"]
    lacking = [f"no {name}, a text" for name in FIELDS if not isinstance(value.get(name), str)]
    if not lacking and value["better"] not in get_args(Better):
        return [f"better is {value['better']!r}, none of {', '.join(get_args(Better))}"]
    return lacking
