"""Supervised lines: {"messages": [...], "tools": [...], "parallel_tool_calls": ...}, one JSON object a line.

Source: OpenAI supervised fine-tuning guide and API reference, fine-tuning chat input (2026-11).
"""

import json
from collections.abc import Mapping
from typing import Any

from ftbuild import rows


def line(conversation: Mapping[str, Any]) -> bytes:
    """Return one training line without its line end: members in the documented order, UTF-8.

    `conversation` is what `Example.conversation` says.

    Raises:
        ValueError: it holds what JSON cannot say.
    """
    value = {name: conversation[name] for name in ("messages", "tools", "parallel_tool_calls") if name in conversation}
    return rows.line(value)


def parse(content: bytes) -> dict[str, Any]:
    """Return the conversation of a line that `line` wrote."""
    value: dict[str, Any] = json.loads(content)
    return value
