"""Preference lines: {"input": {"messages", "tools"?, ...}, "preferred_output": [...], "non_preferred_output": [...]}.

Both outputs are one assistant message. Source: OpenAI direct preference optimization guide (2026-11).
"""

import json
from collections.abc import Mapping
from typing import Any

from ftbuild import rows


def value(conversation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of a conversation that has a rejected answer, as a JSON value.

    Raises:
        KeyError: it has none.
    """
    asked = {"messages": conversation["messages"][:-1]}
    asked |= {name: conversation[name] for name in ("tools", "parallel_tool_calls") if name in conversation}
    return {
        "input": asked,
        "preferred_output": [conversation["messages"][-1]],
        "non_preferred_output": [conversation["rejected"]],
    }


def line(conversation: Mapping[str, Any]) -> bytes:
    """Return one line without its line end.

    Raises:
        KeyError: the conversation has no rejected answer.
        ValueError: half a surrogate pair in a text.
    """
    return rows.reread(value(conversation))


def parse(content: bytes) -> dict[str, Any]:
    """Return the conversation of a line that `line` wrote."""
    return read(json.loads(content))


def read(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conversation that `value` was given."""
    asked = found["input"]
    return {
        **asked,
        "messages": [*asked["messages"], *found["preferred_output"]],
        "rejected": found["non_preferred_output"][0],
    }
