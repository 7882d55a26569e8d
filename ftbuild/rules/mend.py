"""What can be mended without knowing more than the line: a new line, and what was changed where.

Only what leaves the meaning as it was. What needs a decision is left for people, and what is sound is
not touched, so a line without changes keeps its bytes.
"""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.rules.calls import WRAPPER
from ftbuild.rules.lines import DPO_KEYS, RENAMED
from ftbuild.rules.messages import CALLED as ROLES_CALLED
from ftbuild.rules.pack import Method, Pack
from ftbuild.tools.schemas import CALLED as TYPES_CALLED
from ftbuild.tools.schemas import TYPES, nodes, say_all, within

DROPPED_NULLS = (
    "tools", "functions", "parallel_tool_calls", "name", "refusal", "weight", "tool_calls", "function_call",
)  # fmt: skip
FUNCTIONS = "functions."


@dataclass(frozen=True)
class Change:
    """One change: the rule that was broken, the place inside the line, what was done."""

    rule: str
    at: str
    what: str


def mend(line: Any, method: Method, pack: Pack) -> tuple[Any, list[Change]]:
    """Return a line with what can be mended mended, and the changes; the line itself if there are none."""
    if not isinstance(line, dict):
        return line, []
    mended = copy.deepcopy(line)
    changes = [*_renamed(mended)] if method == "dpo" else []
    inner = mended.get("input") if method == "dpo" else mended
    if isinstance(inner, dict):
        at = "input" if method == "dpo" else ""
        if method == "reinforcement":  # what is beside messages and tools is the grader's
            changes += _nulls(inner, at, ("tools",))
        else:
            changes += [*_nulls(inner, at), *_flag(inner, at)]
        for number, tool in enumerate(inner["tools"] if isinstance(inner.get("tools"), list) else []):
            changes += _tool(tool, within(at, f"tools[{number}]"))
        changes += _messages(inner.get("messages"), within(at, "messages"), method, pack)
    if method == "dpo":
        for key in DPO_KEYS[1:]:
            changes += _messages(mended.get(key), key, method, pack)
    return (mended, changes) if changes else (line, [])


def _renamed(line: dict[str, Any]) -> Iterator[Change]:
    """Rename the keys of older documentation where they stand."""
    for old, new in RENAMED.items():
        if old in line and new not in line:
            for key in [*line]:
                line[new if key == old else key] = line.pop(key)
            yield Change("renamed-key", old, f"renamed to {new!r}")


def _nulls(value: dict[str, Any], at: str, keys: Sequence[str] = DROPPED_NULLS) -> Iterator[Change]:
    for key in [key for key in keys if key in value and value[key] is None]:
        del value[key]
        yield Change("null-value", within(at, key), "taken out")


def _flag(line: dict[str, Any], at: str) -> Iterator[Change]:
    if "parallel_tool_calls" in line and "tools" not in line:
        del line["parallel_tool_calls"]
        yield Change("flag-without-tools", within(at, "parallel_tool_calls"), "taken out")


def _tool(tool: Any, at: str) -> Iterator[Change]:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return
    for inner, node in nodes(function.get("parameters")):
        name = node.get("type")
        if not isinstance(name, str) or name in TYPES or not isinstance(node, dict):
            continue
        here = within(f"{at}.function.parameters", within(inner, "type"))
        if name.lower() == "any":
            del node["type"]
            yield Change("unknown-type", here, "'any' taken out")
        elif (known := TYPES_CALLED.get(name.lower())) is not None:
            node["type"] = known
            yield Change("unknown-type", here, f"{name!r} is {known!r} in JSON Schema")
    for inner, value in say_all(function.get("parameters")):
        yield Change("incomplete-schema", within(f"{at}.function.parameters", inner), f"{value!r} added")


def _messages(messages: Any, at: str, method: Method, pack: Pack) -> Iterator[Change]:
    if not isinstance(messages, list):
        return
    for number, message in enumerate(messages):
        if isinstance(message, dict):
            yield from _message(message, f"{at}[{number}]", method)
    spoken = [(f"{at}[{number}]", each) for number, each in enumerate(messages) if isinstance(each, dict)]
    yield from _unpacked(spoken)
    yield from _ids(spoken, pack)


def _message(message: dict[str, Any], at: str, method: Method) -> Iterator[Change]:
    yield from _nulls(message, at)
    role = message.get("role")
    known = ROLES_CALLED.get(role) if isinstance(role, str) else None
    if role == "developer" and method != "reinforcement":
        known = "system"
    if known is not None:
        message["role"] = known
        rule = "developer-role" if role == "developer" else "unknown-role"
        yield Change(rule, f"{at}.role", f"{role!r} is {known!r}")
    if "weight" in message and message.get("role") != "assistant":
        del message["weight"]
        yield Change("weight-on-other-role", f"{at}.weight", "taken out")
    parts = message.get("content")
    if isinstance(parts, list) and message.get("role") != "user" and parts and all(map(_is_text, parts)):
        message["content"] = "".join(part["text"] for part in parts)
        yield Change("content-in-parts", f"{at}.content", "joined into one text")
    listed = message.get("tool_calls")
    if listed == [] and message.get("content"):
        del message["tool_calls"]
        rule = "no-calls" if message.get("role") == "assistant" else "calls-on-other-role"
        yield Change(rule, f"{at}.tool_calls", "taken out")
    for number, call in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(call, dict) and isinstance(call.get("function"), dict):
            yield from _call(call, f"{at}.tool_calls[{number}]")


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _call(call: dict[str, Any], at: str) -> Iterator[Change]:
    function = call["function"]
    if "type" not in call:
        call["type"] = "function"
        yield Change("bad-tool-call", f"{at}.type", "'function' added")
    arguments, here = function.get("arguments"), f"{at}.function.arguments"
    if isinstance(arguments, dict):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False)
        yield Change("arguments-not-a-text", here, "written as a text")
    elif isinstance(arguments, str) and isinstance(inner := _json(arguments), str) and isinstance(_json(inner), dict):
        function["arguments"] = inner
        yield Change("arguments-encoded-twice", here, "unwrapped")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _unpacked(spoken: list[tuple[str, dict[str, Any]]]) -> Iterator[Change]:
    """Put the calls inside a wrapper in its place, unless something answers the wrapper itself."""
    answered = [each["tool_call_id"] for _, each in spoken if "tool_call_id" in each]
    for at, message in spoken:
        listed = message.get("tool_calls")
        if not isinstance(listed, list):
            continue
        calls: list[Any] = []
        for number, call in enumerate(listed):
            inside = _inside(call) if isinstance(call, dict) and call.get("id") not in answered else None
            calls += [call] if inside is None else inside
            if inside is not None:
                yield Change("wrapper-call", f"{at}.tool_calls[{number}]", f"unpacked into {len(inside)} calls")
        message["tool_calls"] = calls


def _inside(call: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the calls inside a wrapper, None if it is none, or holds something else."""
    function = call.get("function")
    if not isinstance(function, dict) or function.get("name") != WRAPPER:
        return None
    uses = _json(str(function.get("arguments")))
    uses = uses.get("tool_uses") if isinstance(uses, dict) else None
    if not isinstance(uses, list) or not uses or not all(map(_is_use, uses)):
        return None
    return [
        {
            "id": f"{call.get('id') or 'call'}_{number}",
            "type": "function",
            "function": {
                "name": each["recipient_name"].removeprefix(FUNCTIONS),
                "arguments": json.dumps(each["parameters"], ensure_ascii=False),
            },
        }
        for number, each in enumerate(uses, 1)
    ]


def _is_use(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("recipient_name"), str)
        and isinstance(value.get("parameters"), dict)
    )


def _ids(spoken: list[tuple[str, dict[str, Any]]], pack: Pack) -> Iterator[Change]:
    """Shorten ids that are too long, with the results that name them; give one to calls that nothing answers."""
    called = [
        (f"{at}.tool_calls[{number}]", call)
        for at, message in spoken
        for number, call in enumerate(message["tool_calls"] if isinstance(message.get("tool_calls"), list) else [])
        if isinstance(call, dict)
    ]
    taken = {call["id"] for _, call in called if isinstance(call.get("id"), str)}
    fresh = _fresh(taken)
    answered = any(message.get("role") == "tool" for _, message in spoken)
    for at, call in called:
        known = call.get("id")
        if isinstance(known, str) and len(known) > pack.call_id_characters:
            call["id"] = fresh()
            for _, message in spoken:
                if message.get("tool_call_id") == known:
                    message["tool_call_id"] = call["id"]
            yield Change("long-call-id", f"{at}.id", f"shortened to {call['id']!r}")
        elif not known and not answered and isinstance(call.get("function"), dict):
            others = {key: call.pop(key) for key in [*call]}
            call.update({"id": fresh(), **{key: value for key, value in others.items() if key != "id"}})
            yield Change("missing-call-id", at, f"{call['id']!r} added")


def _fresh(taken: set[str]) -> Callable[[], str]:
    """Return what gives ids that are not taken: call_1, call_2 ..."""
    numbers = iter(range(1, 1_000_000))

    def fresh() -> str:
        return next(name for number in numbers if (name := f"call_{number}") not in taken)

    return fresh
