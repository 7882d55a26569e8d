"""The bytes between actions: JSON lines and JSON documents."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from ftbuild.chat import Message, said
from ftbuild.completion import Completion
from ftbuild.rows import line
from ftbuild.stream import Content, lines


def json_lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    """Return JSON lines, members in the order given."""
    return b"".join(line(value) + b"\n" for value in values)


def json_file(value: Mapping[str, Any]) -> bytes:
    """Return one JSON document, indented."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def messages(predictions: Content) -> dict[str, Message]:
    """Return each answer of an arm, by the id of its example."""
    return {each.pop("id"): Completion.from_json(each).message for each in parse_lines(predictions)}


def texts(predictions: Content) -> dict[str, str]:
    """Return what each answer of an arm says, by the id of its example."""
    return {name: said(each) for name, each in messages(predictions).items()}


def parse_lines(content: Content) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines that we wrote."""
    return map(orjson.loads, each_line(content))


def each_line(content: Content) -> Iterator[bytes]:
    """Yield the lines of JSON lines without their ends."""
    return (each for piece in lines(content) for each in piece.split(b"\n") if each)
