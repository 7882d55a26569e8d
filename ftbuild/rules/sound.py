"""Whether a line to learn from is sound, told in a fraction of the time that the rules need to say what is wrong.

A line is sound if no rule finds anything in it. Most lines are; what is unusual is doubted, and the rules look at it.
What can be said of each message by itself is a JSON Schema, which is checked in one go.
"""

from collections.abc import Mapping
from typing import Any

from ftbuild.remembered import Remembered
from ftbuild.rows import plainly
from ftbuild.rules import definitions
from ftbuild.rules.calls import Offered, undefined
from ftbuild.rules.pack import CALL_IN_TEXT, Pack
from ftbuild.tools.schemas import Checker

KEYS = frozenset({"messages", "tools", "parallel_tool_calls"})
TEXT: Mapping[str, Any] = {"type": "string", "not": {"type": "string", "pattern": r"<\|"}}  # as special tokens begin
ANSWER: Mapping[str, Any] = {"type": "string", "not": {"type": "string", "pattern": rf"<\||{CALL_IN_TEXT.pattern}"}}
MORE_THAN_SPACE = {"pattern": r"[\p{L}\p{N}\p{P}\p{S}]"}


def _object(**members: Any) -> dict[str, Any]:
    """Return the schema of an object that has these members and no others."""
    return {"type": "object", "properties": members, "required": [*members], "additionalProperties": False}


def _messages(pack: Pack) -> Checker:
    """Return what checks messages one by one."""
    name = {"type": "string", "minLength": 1, "maxLength": pack.call_id_characters}
    function = _object(name={"type": "string"}, arguments=TEXT)
    call = _object(id=name, type={"const": "function"}, function=function)
    calls = {"type": "array", "items": call, "minItems": 1, "maxItems": pack.max_calls}
    system, user, assistant, tool = ({"const": role} for role in ("system", "user", "assistant", "tool"))
    forms = [
        _object(role=user, content={**TEXT, **MORE_THAN_SPACE}),
        _object(role=assistant, content={**ANSWER, **MORE_THAN_SPACE}),
        _object(role=assistant, tool_calls=calls),
        _object(role=tool, tool_call_id={"type": "string"}, content=TEXT),
        _object(role=system, content=TEXT),
        _object(role=assistant, content={**ANSWER, "type": ["string", "null"]}, tool_calls=calls),
    ]
    return Checker({"type": "array", "items": {"anyOf": forms}})


_forms = Remembered(_messages)


def is_sound(line: Mapping[str, Any], pack: Pack) -> bool:
    """Return whether a supervised line is beyond doubt sound; False says nothing."""
    messages = line.get("messages")
    if not line.keys() <= KEYS or ("tools" in line and not line["tools"]) or not _forms(pack).fits(messages):
        return False
    offered, wrong = definitions.tools(line, pack)
    assert isinstance(messages, list)
    return not wrong and _are_in_order(messages, offered)


def stays_sound(line: Mapping[str, Any], known: Pack, pack: Pack) -> bool:
    """Return whether a line in which no rule of one pack finds anything is sound by another; False says nothing.

    A pack differs in how many calls it takes and how they are named, and in what it takes for a tool.
    """
    takes_calls = pack.max_calls >= known.max_calls and pack.call_id_characters >= known.call_id_characters
    return takes_calls and not definitions.tools(line, pack)[1]


def _are_in_order(messages: list[dict[str, Any]], offered: Offered) -> bool:
    """Say whether each message may follow the one before, and calls are sound and have one result each.

    The calls that end a line have none.
    """
    before = "system"
    has_user = False
    waiting: set[str] = set()  # ids of calls without a result so far
    ids: set[str] = set()
    for message in messages:
        role = message["role"]
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                return False
            waiting.remove(message["tool_call_id"])
        elif waiting or role == before == "assistant" or (role == "system" != before):
            return False
        elif role == "user":
            has_user = True
        elif "tool_calls" in message:
            calls = message["tool_calls"]
            waiting = {each["id"] for each in calls}
            if len(waiting) < len(calls) or not ids.isdisjoint(waiting) or not _are_calls(calls, offered):
                return False
            ids |= waiting
        before = role
    return has_user and before == "assistant"


def _are_calls(calls: list[dict[str, Any]], offered: Offered) -> bool:
    """Say whether calls are of tools that are offered, with arguments that fit, no two alike."""
    if len(calls) > 1 and not offered.parallel:
        return False
    functions: list[dict[str, str]] = []
    for each in calls:
        function = each["function"]
        checker = offered.schemas.get(function["name"])
        arguments = plainly(function["arguments"].encode())
        if checker is None or not isinstance(arguments, dict) or function in functions:
            return False
        if not checker.fits(arguments) or undefined(arguments, checker.schema):
            return False
        functions.append(function)
    return True
