"""Rules of a conversation: its messages one by one, and their order.

Every function gets a JSON value and the place it stands at, and yields what is wrong with it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ftbuild.problem import Problem, nearest
from ftbuild.rules import calls
from ftbuild.rules.pack import CALL_IN_TEXT, Method, Pack, found, special_token
from ftbuild.tools.schemas import shown

ROLES = ("system", "user", "assistant", "tool", "function")
KEYS = {
    "system": ("role", "content", "name"),
    "developer": ("role", "content", "name"),
    "user": ("role", "content", "name"),
    "assistant": ("role", "content", "name", "refusal", "weight", "tool_calls", "function_call", "audio"),
    "tool": ("role", "content", "tool_call_id"),
    "function": ("role", "content", "name"),
}
# What people name otherwise: ShareGPT, Anthropic, templates.
CALLED = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "ai": "assistant"}
MESSAGE_NAME = re.compile(r"[^\s<|\\/>]{1,64}")


def conversation(messages: Any, at: str, tools: calls.Offered, pack: Pack, method: Method) -> Iterator[Problem]:
    """Yield what is wrong with the messages of a line, and with their order."""
    if not isinstance(messages, list):
        yield found("not-a-list", at, f"{shown(messages)} is not a list of messages")
        return
    if not messages:
        yield found("no-messages", at, "no messages")
        return
    for number, each in enumerate(messages):
        yield from message(each, f"{at}[{number}]", tools, pack, method)
    spoken = [each if isinstance(each, dict) else {} for each in messages]
    yield from _order(spoken, at)
    yield from calls.results(spoken, at)


def message(value: Any, at: str, tools: calls.Offered, pack: Pack, method: Method) -> Iterator[Problem]:
    """Yield what is wrong with one message."""
    if not isinstance(value, dict):
        yield found("message-not-an-object", at, f"{shown(value)} is not a message")
        return
    if "role" not in value:
        yield found("missing-role", at, "no role", _renamed(value, {"from": "role", "speaker": "role"}))
        return
    role = value["role"]
    if not isinstance(role, str) or role not in KEYS:
        close = CALLED.get(str(role)) or nearest(str(role), ROLES)
        fix = f"write {close!r}." if close else f"the roles are {', '.join(ROLES)}."
        yield found("unknown-role", f"{at}.role", f"no role {shown(role)}", fix)
        return
    if role == "developer" and method != "reinforcement":
        yield found("developer-role", f"{at}.role", f"no role 'developer' in {method} lines", "write 'system'.")
    yield from _keys(value, role, at)
    yield from _content(value, role, at, method)
    if role == "assistant":
        yield from _answer(value, at)
        yield from _call_in_text(value, at, tools)
        yield from calls.of_message(value, at, tools, pack)
    elif "tool_calls" in value:
        yield found("calls-on-other-role", f"{at}.tool_calls", f"tool calls of the role {role!r}")
    if role == "tool":
        yield from _tool_result(value, at)


def _keys(value: dict[str, Any], role: str, at: str) -> Iterator[Problem]:
    for key, each in value.items():
        if key == "weight" and role != "assistant":
            yield found("weight-on-other-role", f"{at}.weight", f"a weight on the role {role!r}", "take it out.")
        elif key == "tool_calls" and role != "assistant":
            continue
        elif key not in KEYS[role]:
            close = nearest(key, KEYS[role])
            fix = f"the nearest is {close!r}." if close else f"{role} takes {', '.join(KEYS[role])}."
            yield found("unknown-message-key", f"{at}.{key}", f"no key {key!r} in a message of the role {role!r}", fix)
        elif each is None and not (key == "content" and _acts(value)):
            fix = "write a text." if key == "content" else "leave the key out."
            yield found("null-value", f"{at}.{key}", "null", fix)
    if role == "function" or "function_call" in value:
        fix = "use tools, tool_calls and the role 'tool'."
        yield found("legacy-function-call", at, "the older form of tool calls", fix)
    name = value.get("name")
    if name is not None and not (isinstance(name, str) and MESSAGE_NAME.fullmatch(name)):
        yield found("bad-message-name", f"{at}.name", f"{shown(name)} is no name", "up to 64 letters, no spaces.")


def _content(value: dict[str, Any], role: str, at: str, method: Method) -> Iterator[Problem]:
    content = value.get("content")
    if content is None:
        if "content" not in value and not (role == "assistant" and _acts(value)):
            fix = _renamed(value, {"value": "content", "text": "content"})
            yield found("missing-content", at, "no content", fix)
        return
    at = f"{at}.content"
    if isinstance(content, list):
        yield from _parts(content, role, at, method)
    elif not isinstance(content, str):
        fix = "write it as a text: JSON goes in as a string." if isinstance(content, dict) else ""
        yield found("content-not-a-text", at, f"{shown(content)} is not a text", fix)
    else:
        yield from special_token(content, at)
        if role in ("user", "assistant") and not content.strip() and not _acts(value):
            yield found("empty-content", at, "an empty text")


def _acts(value: dict[str, Any]) -> bool:
    """Return whether a message says something by other means than its content."""
    return bool(value.get("refusal")) or any(
        value.get(key) is not None for key in ("tool_calls", "function_call", "audio")
    )


def _parts(parts: Sequence[Any], role: str, at: str, method: Method) -> Iterator[Problem]:
    if role != "user":
        fix = "join the parts into one text."
        yield found("content-in-parts", at, f"a list of parts in a message of the role {role!r}", fix)
        return
    if not parts:
        yield found("empty-content", at, "no parts")
    for number, part in enumerate(parts):
        here = f"{at}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            yield from special_token(part["text"], f"{here}.text")
        elif not (kind == "image_url" and _is_image(part.get("image_url"))):
            yield found("unknown-part", here, f"{shown(part)} is neither a text nor an image")
        elif method == "dpo":
            yield found("unknown-part", here, "an image, and preferences are of texts alone", "leave the line out.")


def _is_image(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("url"), str)


def _answer(value: dict[str, Any], at: str) -> Iterator[Problem]:
    if "weight" in value and (value["weight"] not in (0, 1) or isinstance(value["weight"], bool)):
        yield found("weight-not-0-or-1", f"{at}.weight", f"{shown(value['weight'])} is neither 0 nor 1")
    if isinstance(value.get("refusal"), str):
        yield from special_token(value["refusal"], f"{at}.refusal")
    if isinstance(value.get("refusal"), str) and value["refusal"] and value.get("content"):
        yield found("refusal-with-content", f"{at}.refusal", "a refusal beside a content", "keep one of them.")
    elif value.get("refusal") is not None and not isinstance(value["refusal"], str):
        yield found("content-not-a-text", f"{at}.refusal", f"{shown(value['refusal'])} is not a text")


def _call_in_text(value: dict[str, Any], at: str, tools: calls.Offered) -> Iterator[Problem]:
    content = value.get("content")
    if tools.schemas and isinstance(content, str) and (written := CALL_IN_TEXT.search(content)):
        yield found("call-in-text", f"{at}.content", f"a call written as text: {written.group()}")


def _tool_result(value: dict[str, Any], at: str) -> Iterator[Problem]:
    if not isinstance(value.get("tool_call_id"), str):
        fix = "name the id of the call it answers."
        yield found("tool-result-without-id", at, "no tool_call_id", fix)


def _order(messages: Sequence[dict[str, Any]], at: str) -> Iterator[Problem]:
    roles = [str(each.get("role")) for each in messages]
    if "user" not in roles and "assistant" in roles and all(each in KEYS for each in roles):
        yield found("no-user-message", at, "no message of the role 'user'")
    for number, role in enumerate(roles):
        if role in ("system", "developer") and any(each not in ("system", "developer") for each in roles[:number]):
            yield found("late-system-message", f"{at}[{number}]", f"a {role} message behind others", "put it first.")
        if role == "assistant" and number and roles[number - 1] == "assistant":
            fix = "put what was said between them, or make one message of the two."
            if messages[number - 1].get("tool_calls"):
                fix = "put the results of the calls between them, as messages of the role 'tool'."
            yield found("roles-alternate", f"{at}[{number}]", "an assistant message behind an assistant message", fix)


def _renamed(value: dict[str, Any], names: dict[str, str]) -> str:
    return next((f"rename {old!r} to {new!r}." for old, new in names.items() if old in value), "")
