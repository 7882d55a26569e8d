"""Whether a line to learn from is sound, told in less than half the time that the rules need to say what is wrong.

A line is sound if no rule finds anything in it. Most lines are; what is unusual is doubted, and the rules look at it.
"""

from collections.abc import Container, Mapping
from typing import Any

from ftbuild.rows import NotJsonError, parse
from ftbuild.rules import definitions
from ftbuild.rules.calls import Offered, undefined
from ftbuild.rules.pack import Pack

KEYS = frozenset({"messages", "tools", "parallel_tool_calls"})
SPECIAL = "<|"  # as special tokens begin


def is_sound(line: Mapping[str, Any], pack: Pack) -> bool:
    """Return whether a supervised line is beyond doubt sound; False says nothing."""
    messages = line.get("messages")
    if not line.keys() <= KEYS or not isinstance(messages, list) or ("tools" in line and not line["tools"]):
        return False
    offered, wrong = definitions.tools(line, pack)
    return not wrong and _are_sound(messages, offered, pack)


def _are_sound(messages: list[Any], offered: Offered, pack: Pack) -> bool:
    """Say whether messages are of known forms, each may follow the one before, and calls have one result each.

    The calls that end a line have none.
    """
    before: Any = "system"
    has_user = False
    waiting: set[str] = set()  # ids of calls without a result so far
    ids: set[str] = set()
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if role == "tool":
            if not _is_result(message, waiting):
                return False
            waiting.remove(message["tool_call_id"])
        elif waiting or not _may_follow(role, before) or not (_is_text(message) or _is_calling(message, offered, pack)):
            return False
        else:
            calls = message.get("tool_calls", ())
            waiting = {each["id"] for each in calls}
            if len(waiting) < len(calls) or not ids.isdisjoint(waiting):
                return False
            ids |= waiting
        has_user = has_user or role == "user"
        before = role
    return has_user and before == "assistant"


def _may_follow(role: Any, before: str) -> bool:
    return bool(role == "user" or (role == "assistant" != before) or (role == "system" == before))


def _is_result(message: Mapping[str, Any], waiting: Container[str]) -> bool:
    content, called = message.get("content"), message.get("tool_call_id")
    is_text = isinstance(content, str) and SPECIAL not in content
    return len(message) == 3 and is_text and isinstance(called, str) and called in waiting


def _is_text(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    if not isinstance(content, str) or SPECIAL in content or len(message) != 2:
        return False
    return message["role"] == "system" or bool(content.strip())


def _is_calling(message: Mapping[str, Any], offered: Offered, pack: Pack) -> bool:
    content = message.get("content")
    if message["role"] != "assistant" or len(message) != (3 if "content" in message else 2):
        return False
    is_fine = content is None or (isinstance(content, str) and SPECIAL not in content)
    return is_fine and _are_calls(message.get("tool_calls"), offered, pack)


def _are_calls(calls: Any, offered: Offered, pack: Pack) -> bool:
    """Say whether calls are of tools that are offered, with arguments that fit, no two alike."""
    if not isinstance(calls, list) or not 1 <= len(calls) <= (pack.max_calls if offered.parallel else 1):
        return False
    if not all(isinstance(each, dict) and _is_call(each, offered, pack) for each in calls):
        return False
    functions = [each["function"] for each in calls]
    return len(functions) == 1 or all(functions.index(each) == at for at, each in enumerate(functions))


def _is_call(call: Mapping[str, Any], offered: Offered, pack: Pack) -> bool:
    name, function = call.get("id"), call.get("function")
    if len(call) != 3 or call.get("type") != "function" or not isinstance(function, dict) or len(function) != 2:
        return False
    if not isinstance(name, str) or not 1 <= len(name) <= pack.call_id_characters:
        return False
    called, arguments = function.get("name"), function.get("arguments")
    checker = offered.schemas.get(called) if isinstance(called, str) else None
    if checker is None or not isinstance(arguments, str):
        return False
    try:
        value = parse(arguments.encode("utf-8", "surrogatepass"))
    except NotJsonError:
        return False
    return isinstance(value, dict) and checker.fits(value) and not undefined(value, checker.schema)
