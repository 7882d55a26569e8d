"""Supervised lines: {"messages": [...], "tools": [...], "parallel_tool_calls": ...}, one JSON object a line.

Source: OpenAI supervised fine-tuning guide and API reference, fine-tuning chat input (2026-11).
"""

import json
from collections.abc import Mapping
from typing import Any

from ftbuild import rows

UNTAUGHT = frozenset({"own_tools", "response_format", "rejected"})  # said in a conversation, and in no line


def value(conversation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of a conversation as a JSON value, its members in the documented order.

    `conversation` is what `Example.conversation` says.
    """
    return {name: conversation[name] for name in ("messages", "tools", "parallel_tool_calls") if name in conversation}


def line(conversation: Mapping[str, Any]) -> bytes:
    """Return one training line without its line end, UTF-8.

    Raises:
        ValueError: half a surrogate pair in a text.
    """
    return rows.reread(value(conversation))


def parse(content: bytes) -> dict[str, Any]:
    """Return the conversation of a line that `line` wrote."""
    found: dict[str, Any] = json.loads(content)
    return found
