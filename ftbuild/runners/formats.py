"""The bytes between actions: JSON lines and JSON documents."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from ftbuild.chat import said
from ftbuild.completion import Dialogue
from ftbuild.rows import line
from ftbuild.stream import Content, lines


def json_lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    """Return JSON lines, members in the order given."""
    return b"".join(line(value) + b"\n" for value in values)


def json_file(value: Mapping[str, Any]) -> bytes:
    """Return one JSON document, indented."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def dialogues(predictions: Content) -> dict[str, list[Dialogue]]:
    """Return the samples of each answer of an arm, by the id of its example."""
    found: dict[str, list[Dialogue]] = {}
    for each in parse_lines(predictions):
        found.setdefault(each["id"], []).append(Dialogue.from_json(each))
    return found


def texts(predictions: Content) -> dict[str, list[str]]:
    """Return what the samples of each answer say, by the id of its example: calls and their results before it."""
    return {name: ["\n".join(_told(each)) for each in samples] for name, samples in dialogues(predictions).items()}


def final(answer: Dialogue, *, is_played: bool) -> str:
    """Return what is scored of an answer: its end, and of a dialogue that ended before it answered nothing."""
    last = answer.last.message
    return "" if is_played and last.tool_calls else said(last)


def _told(dialogue: Dialogue) -> Iterator[str]:
    for each in dialogue.way:
        yield f"→ {each.content}" if each.role == "tool" else said(each)
    yield said(dialogue.last.message)


def parse_lines(content: Content) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines that we wrote."""
    return map(orjson.loads, each_line(content))


def each_line(content: Content) -> Iterator[bytes]:
    """Yield the lines of JSON lines without their ends."""
    return (each for piece in lines(content) for each in piece.split(b"\n") if each)
