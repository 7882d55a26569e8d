"""ShareGPT: {"conversations": [{"from": "human", "value": ...}, ...], "system"?, "tools"?}.

Calls are messages from `function_call` whose value is JSON, {"name", "arguments"} or a list of such; what
they gave comes from `observation`, one a call. `tools` are a list, or one in a text. A `weight` of 0 keeps an answer
from being learnt.
Source: lm-sys/FastChat data format, hiyouga/LLaMA-Factory data/README (2026-11).
"""

import json
from typing import Any

from ftbuild.problem import Problem
from ftbuild.rows import NotJsonError, parse
from ftbuild.sources.conversations import Converted, media
from ftbuild.tools.schemas import shown

ROLES = {
    "system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "function_call": "call",
    "observation": "result", "tool": "result", "function_response": "result",
}  # fmt: skip
CALL = 'write {"name": ..., "arguments": {...}}.'


def convert(value: Any) -> Converted:
    """Return a ShareGPT line as a training line."""
    if not isinstance(value, dict) or not isinstance(value.get("conversations"), list):
        fix = 'write {"conversations": [{"from": "human", "value": ...}, ...]}.'
        return Converted(None, (Problem("no conversations", fix=fix, rule="missing-messages"),))
    problems = list(media(value))
    messages: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    if value.get("system"):
        places |= {"messages[0]": "system", "messages[0].content": "system"}
        messages.append({"role": "system", "content": value["system"]})
    waiting: list[str] = []  # ids of calls that nothing has answered yet
    for number, turn in enumerate(value["conversations"]):
        at = f"conversations[{number}]"
        role = ROLES.get(str(turn.get("from")).lower()) if isinstance(turn, dict) else None
        if role is None:
            what = f"{shown(turn.get('from') if isinstance(turn, dict) else turn)} is nobody who speaks"
            problems.append(Problem(what, at=at, fix=f"from is one of {', '.join(ROLES)}.", rule="unknown-role"))
            continue
        here = f"messages[{len(messages)}]"
        places |= {here: at, f"{here}.content": f"{at}.value"}
        if role == "call":
            message, inner = _calls(turn.get("value"), at, number, problems)
            places |= {f"{here}.{place}": place_in_file for place, place_in_file in inner.items()}
            waiting = [each["id"] for each in message["tool_calls"]]
        elif role == "result":
            message = {"role": "tool", **_content(turn)}
            if waiting:
                message["tool_call_id"] = waiting.pop(0)
        else:
            message = {"role": role, **_content(turn)}
        if message["role"] == "assistant" and turn.get("weight") is not None:
            message["weight"] = turn["weight"]
        messages.append(message)
    line: dict[str, Any] = {"messages": messages}
    if tools := _tools(value.get("tools"), problems):
        line["tools"] = tools
    return Converted(line, tuple(problems), places)


def _content(turn: dict[str, Any]) -> dict[str, Any]:
    return {"content": turn["value"]} if "value" in turn else {}


def _calls(text: Any, at: str, number: int, problems: list[Problem]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the message that makes the calls, and where its parts stand in the file."""
    found = _json(text, f"{at}.value", "bad-tool-call", problems)
    listed = found if isinstance(found, list) else [] if found is None else [found]
    calls: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    for place, each in enumerate(listed):
        if not isinstance(each, dict) or not isinstance(each.get("name"), str) or _is_otherwise(each):
            problems.append(Problem(f"{shown(each)} is no call", at=f"{at}.value", fix=CALL, rule="bad-tool-call"))
            continue
        given = each.get("arguments", {})
        arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        function = {"name": each["name"], "arguments": arguments}
        places[f"tool_calls[{len(calls)}].function"] = f"{at}.value[{place}]" if found is listed else f"{at}.value"
        calls.append({"id": f"call_{number}_{place}", "type": "function", "function": function})
    return {"role": "assistant", "tool_calls": calls}, places


def _is_otherwise(call: dict[str, Any]) -> bool:
    """Return whether the arguments of a call seem to stand under another name."""
    return "arguments" not in call and not call.keys() <= {"name", "id", "type"}


def _tools(given: Any, problems: list[Problem]) -> list[Any]:
    if given in (None, ""):
        return []
    listed = _json(given, "tools", "not-a-list", problems)
    if listed is None:
        return []
    if not isinstance(listed, list):
        fix = "write a list of tools, or one in a text."
        problems.append(Problem(f"{shown(given)} is no list of tools", at="tools", fix=fix, rule="not-a-list"))
        return []
    return [
        each if isinstance(each, dict) and "function" in each else {"type": "function", "function": each}
        for each in listed
        if each
    ]


def _json(text: Any, at: str, rule: str, problems: list[Problem]) -> Any:
    """Return what a text of JSON says, anything else as it is; None for no JSON, which is a problem of that rule."""
    if not isinstance(text, str):
        return text
    try:
        return parse(text.encode("utf-8", "surrogatepass"))
    except NotJsonError as error:
        fix = error.problem.fix if rule != "bad-tool-call" else CALL
        problems.append(Problem(f"{shown(text)}: {error.problem.what}", at=at, fix=fix, rule=rule))
    return None
