"""The bytes between actions: JSON lines and JSON documents."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ftbuild.chat import said
from ftbuild.completion import Completion


def json_lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    """Return JSON lines, members in the order given."""
    return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)


def json_file(value: Mapping[str, Any]) -> bytes:
    """Return one JSON document, indented."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def texts(predictions: bytes) -> dict[str, str]:
    """Return what each answer of an arm says, by the id of its example."""
    found = {each.pop("id"): Completion.from_json(each) for each in parse_lines(predictions)}
    return {name: said(each.message) for name, each in found.items()}


def parse_lines(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines."""
    return (json.loads(line) for line in content.split(b"\n") if line)
