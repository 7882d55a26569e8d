"""Calls of what a provider was offered, read as calls of the tools as they were: with their names, without added nulls.

The way back from `dataset/offered.py`; examples and messages in their JSON form.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ftbuild import digits
from ftbuild.chat import ToolCall
from ftbuild.tools.schemas import Checker
from ftbuild.tools.strictify import read_arguments, without_nulls


def own_calls(calls: Sequence[ToolCall], example: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Return calls as calls of an example's own tools; what calls none of them stays as it is."""
    if "own_tools" not in example:
        return tuple(calls)
    pairs = zip(example["tools"], example["own_tools"], strict=True)
    known = {told["function"]["name"]: (told["function"], own["function"]) for told, own in pairs}
    return tuple(_own(call, *known[call.name]) if call.name in known else call for call in calls)


def as_it_was(example: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an example with its own tools and with calls of them, as it was before a provider was offered others."""
    if "own_tools" not in example:
        return example
    messages = [_message(each, example) for each in example["messages"]]
    found = {**example, "messages": messages, "tools": example["own_tools"]}
    if "rejected" in example:
        found["rejected"] = _message(example["rejected"], example)
    del found["own_tools"]
    return found


def _message(message: Mapping[str, Any], example: Mapping[str, Any]) -> Mapping[str, Any]:
    calls = [ToolCall.from_json(each) for each in message.get("tool_calls", ())]
    return {**message, "tool_calls": [each.to_json() for each in own_calls(calls, example)]} if calls else message


def _own(call: ToolCall, told: Mapping[str, Any], own: Mapping[str, Any]) -> ToolCall:
    return ToolCall(call.id, own["name"], _arguments(call.arguments, told, own))


def _arguments(text: str, told: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    if told.get("parameters") == own.get("parameters"):
        return text
    try:
        given = read_arguments(text)
        kept = without_nulls(given, _checker(json.dumps(own.get("parameters") or {})))
        return digits.written(kept) if kept != given else text
    except RecursionError:  # a model that went on opening brackets
        return text


@lru_cache(maxsize=1024)
def _checker(schema: str) -> Checker:
    return Checker(json.loads(schema))
