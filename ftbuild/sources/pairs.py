"""Pairs: one JSON object a line, an input, a target and a group.

Read as bytes and split at \\n alone, so that U+2028 inside a text ends no line. A line with a
problem gives a finding and no example; the others are read all the same.
"""

import json
from typing import Any

from ftbuild.chat import Message
from ftbuild.example import Example
from ftbuild.problem import Problem, nearest
from ftbuild.settings import Source

BOM = b"\xef\xbb\xbf"
SHOWN_AT_MOST = 60


def read(content: bytes, name: str, source: Source) -> tuple[list[Example], list[Problem]]:
    """Return the examples and the findings, in the order of the lines."""
    examples: list[Example] = []
    problems: list[Problem] = []
    for number, line in enumerate(content.removeprefix(BOM).split(b"\n"), 1):
        if not line.strip():
            continue
        value = _parse(line, source.path, number)
        found = [value] if isinstance(value, Problem) else _check(value, source, number)
        if found:
            problems += found
        else:
            assert isinstance(value, dict)
            examples.append(_example(value, name, source, number))
    if not examples and not problems:
        problems.append(Problem("no examples in the file", source.path, rule="empty-source"))
    return examples, problems


def _parse(line: bytes, path: str, number: int) -> dict[str, Any] | Problem:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Problem(
            f"not UTF-8 (byte {error.start + 1} of the line)", path, number, fix="save it as UTF-8.", rule="not-utf8"
        )
    try:
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        said = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        return Problem(
            f"not JSON (column {error.colno}: {said})",
            path,
            number,
            fix="mend the line; every line is one JSON object.",
            rule="not-json",
        )
    except _NotJsonError as error:
        return Problem(str(error), path, number, rule="not-json")
    except (ValueError, RecursionError):
        return Problem("a number too long, or brackets nested too deep, to be read", path, number, rule="not-json")
    if not isinstance(value, dict):
        return Problem(f"{type(value).__name__} instead of a JSON object", path, number, rule="not-an-object")
    return value


class _NotJsonError(ValueError):
    """Something Python reads and JSON does not allow, or leaves open."""


def _refuse(constant: str) -> None:
    raise _NotJsonError(f"{constant} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(key for key, _ in pairs if [name for name, _ in pairs].count(key) > 1)
        raise _NotJsonError(f"key {twice!r} twice in one object")
    return value


def _check(value: dict[str, Any], source: Source, number: int) -> list[Problem]:
    problems = []
    for field in dict.fromkeys((source.input, source.target, source.group, *source.slices.values())):
        if field not in value:
            close = nearest(field, value)
            problems.append(
                Problem(
                    f"no field {field!r}",
                    source.path,
                    number,
                    fix=f"the line has {close!r}: rename it, or name the field in the source's YAML."
                    if close
                    else f"the line has {_shown([*value]) if value else 'nothing'}.",
                    rule="missing-field",
                )
            )
        elif not isinstance(value[field], str) or not value[field].strip():
            problems.append(
                Problem(f"{field}: {_shown(value[field])} is not a text", source.path, number, rule="not-a-text")
            )
        elif any("\ud800" <= letter <= "\udfff" for letter in value[field]):
            problems.append(Problem(f"{field}: half a surrogate pair", source.path, number, rule="lone-surrogate"))
    return problems


def _example(value: dict[str, Any], name: str, source: Source, number: int) -> Example:
    raw, target = value[source.input].strip(), value[source.target].strip()
    return Example(
        messages=(Message("user", raw), Message("assistant", target)),
        source=name,
        path=source.path,
        line=number,
        group=value[source.group].strip(),
        raw=raw,
        slices={"source": name, **{each: value[field].strip() for each, field in sorted(source.slices.items())}},
        only=source.only,
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_AT_MOST else text[: SHOWN_AT_MOST - 3] + "..."
