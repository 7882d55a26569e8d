"""Rules of tool calls: each by itself, against the tools that are offered, and with its results."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftbuild.problem import Problem, nearest
from ftbuild.rows import NotJsonError, parse
from ftbuild.rules.pack import Pack, found, special_token
from ftbuild.tools.schemas import Checker, shown, within

WRAPPER = "multi_tool_use.parallel"
CALL_KEYS = ("id", "type", "function")
FUNCTION_KEYS = ("name", "arguments")


@dataclass(frozen=True)
class Offered:
    """The tools of a line by name, each with what checks its arguments, None where its schema is no sound one.

    `are_known` is false where the line's tools could not be read: then no call is held against them.
    """

    schemas: Mapping[str, Checker | None] = field(default_factory=dict)
    parallel: bool = True
    are_known: bool = True


def of_message(message: Mapping[str, Any], at: str, tools: Offered, pack: Pack) -> Iterator[Problem]:
    """Yield what is wrong with the tool calls of an assistant message."""
    if message.get("tool_calls") is None:
        return
    listed = message["tool_calls"]
    at = f"{at}.tool_calls"
    if not isinstance(listed, list):
        yield found("not-a-list", at, f"{shown(listed)} is not a list of calls")
        return
    if not listed:
        yield found("no-calls", at, "an empty list", "leave the key out.")
    if len(listed) > pack.max_calls:
        yield found("too-many-calls", at, f"{len(listed)} calls, at most {pack.max_calls}")
    if len(listed) > 1 and not tools.parallel:
        fix = "set parallel_tool_calls to true, or answer each call before the next."
        yield found("calls-against-flag", at, f"{len(listed)} calls, and parallel_tool_calls is false", fix)
    for number, each in enumerate(listed):
        yield from _call(each, f"{at}[{number}]", tools, pack)
    yield from _repeated(listed, at)


def _call(call: Any, at: str, tools: Offered, pack: Pack) -> Iterator[Problem]:
    if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
        fix = 'write {"id": ..., "type": "function", "function": {"name": ..., "arguments": "..."}}.'
        yield found("bad-tool-call", at, f"{shown(call)} is not a tool call", fix)
        return
    if call.get("type") != "function":
        fix = 'write "type": "function".'
        yield found("bad-tool-call", f"{at}.type", f"{shown(call.get('type'))} instead of 'function'", fix)
    yield from _unknown_keys(call, CALL_KEYS, at)
    yield from _unknown_keys(call["function"], FUNCTION_KEYS, f"{at}.function")
    if not isinstance(call.get("id"), str) or not call["id"]:
        yield found("missing-call-id", at, "no id", "give every call of the line an id of its own.")
    elif len(call["id"]) > pack.call_id_characters:
        n = f"{len(call['id'])} characters, at most {pack.call_id_characters}"
        yield found("long-call-id", f"{at}.id", n, "shorten it, here and where its result names it.")
    yield from _name(call["function"], f"{at}.function", tools, pack)


def _unknown_keys(value: Mapping[str, Any], known: Sequence[str], at: str) -> Iterator[Problem]:
    for key in value:
        if key not in known:
            what = f"no key {key!r} in a call"
            yield found("unknown-call-key", f"{at}.{key}", what, f"a call has {', '.join(known)}.")


def _name(function: Mapping[str, Any], at: str, tools: Offered, pack: Pack) -> Iterator[Problem]:
    name = function.get("name")
    if name == WRAPPER:
        fix = "write each call inside it as a call of its own."
        yield found("wrapper-call", f"{at}.name", f"{WRAPPER!r} around other calls", fix)
        return
    if not isinstance(name, str) or not re.fullmatch(pack.name_pattern, name):
        said = "no name" if name is None else f"{shown(name)} is no name of a tool"
        yield found("bad-call-name", f"{at}.name", said, "up to 64 of a-z, A-Z, 0-9, _ and -.")
    elif tools.are_known and not tools.schemas:
        yield found("calls-without-tools", f"{at}.name", f"a call of {name!r}, and the line has no tools")
    elif tools.are_known and name not in tools.schemas:
        close = nearest(name, tools.schemas)
        fix = f"the nearest is {close!r}." if close else f"the line offers {shown(', '.join(tools.schemas))[1:-1]}."
        yield found("unknown-tool", f"{at}.name", f"no tool {name!r}", fix)
    yield from _arguments(function, f"{at}.arguments", tools.schemas.get(name) if isinstance(name, str) else None)


def _arguments(function: Mapping[str, Any], at: str, checker: Checker | None) -> Iterator[Problem]:
    if function.get("arguments") is None:
        yield found("arguments-missing", at, "no arguments", 'write "{}" where there are none.')
        return
    text = function["arguments"]
    if not isinstance(text, str):
        fix = "write it as a text: ftbuild check --fix does."
        yield found("arguments-not-a-text", at, f"{type(text).__name__} instead of JSON in a text", fix)
        return
    yield from special_token(text, at)
    try:
        value = parse(text.encode("utf-8", "surrogatepass"))
    except NotJsonError as error:
        fix = 'write "{}" where there are none.' if not text.strip() else ""
        yield found("arguments-not-json", at, error.problem.what, fix)
        return
    if isinstance(value, str):
        yield found("arguments-encoded-twice", at, "JSON text inside JSON text", "ftbuild check --fix unwraps it.")
    elif not isinstance(value, dict):
        yield found("arguments-not-an-object", at, f"{shown(value)} is not an object", 'write {"name": value}.')
    elif checker is not None:
        for inner, said in checker.misfits(value):
            yield found("arguments-misfit", within(at, inner), said)
        for name in undefined(value, checker.schema):
            close = nearest(name, checker.schema.get("properties") or {})
            fix = f"the nearest is {close!r}." if close else "define it, or take it out."
            yield found("undefined-argument", within(at, name), f"the tool has no argument {name!r}", fix)


def undefined(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return the names of arguments of which a schema says nothing, though it takes them."""
    if schema.get("additionalProperties") is not None or schema.get("patternProperties"):
        return []
    properties, required = schema.get("properties") or {}, schema.get("required", ())
    return [name for name in arguments if name not in properties and name not in required]


def _repeated(listed: Sequence[Any], at: str) -> Iterator[Problem]:
    functions = [call.get("function") if isinstance(call, dict) else None for call in listed]
    for number, function in enumerate(functions):
        first = functions.index(function)
        if isinstance(function, dict) and first < number:
            yield found("repeated-call", f"{at}[{number}]", f"the same call as {at}[{first}]", "keep one.")


def results(messages: Sequence[Mapping[str, Any]], at: str) -> Iterator[Problem]:
    """Yield calls and results that do not belong together: after N calls come N results, in any order, or nothing."""
    asked: dict[str, str] = {}  # id -> where it was called
    answered: set[str] = set()
    ids: set[str] = set()
    for number, message in enumerate(messages):
        here = f"{at}[{number}]"
        if message.get("role") == "tool":
            called = message.get("tool_call_id")
            if not isinstance(called, str):
                continue
            if called in answered and called in asked:
                yield found("tool-result-twice", f"{here}.tool_call_id", f"{called!r} is answered already")
            elif called not in asked:
                fix = "drop the message, or add the call before it."
                yield found("tool-result-without-call", f"{here}.tool_call_id", _orphan(called, ids), fix)
            answered.add(called)
            continue
        yield from _unanswered(asked, answered, "goes on")
        asked, answered = {}, set()
        listed = message.get("tool_calls")
        for place, call in enumerate(listed if isinstance(listed, list) else []):
            name = call.get("id") if isinstance(call, dict) else None
            if not isinstance(name, str) or not name:
                continue
            where = f"{here}.tool_calls[{place}]"
            if name in ids:
                yield found(
                    "duplicate-call-id", f"{where}.id", f"{name!r} twice in one line", "give it an id of its own."
                )
            ids.add(name)
            asked.setdefault(name, where)
    if answered:
        yield from _unanswered(asked, answered, "ends")


def ids(messages: Any) -> dict[str, str]:
    """Return the ids of all calls that stand in messages, each with its place in them."""
    return {
        call["id"]: f"[{number}].tool_calls[{place}]"
        for number, message in enumerate(messages if isinstance(messages, list) else [])
        if isinstance(message, dict) and isinstance(message.get("tool_calls"), list)
        for place, call in enumerate(message["tool_calls"])
        if isinstance(call, dict) and isinstance(call.get("id"), str)
    }


def _orphan(called: str, ids: set[str]) -> str:
    return f"{called!r} answers a call that nobody made" if called not in ids else f"{called!r} was called further up"


def _unanswered(asked: Mapping[str, str], answered: set[str], how: str) -> Iterator[Problem]:
    for name, where in asked.items():
        if name not in answered:
            what = f"{name!r} has no result, and the conversation {how}"
            yield found("tool-call-without-result", where, what, "add a message of the role 'tool' with its id.")
