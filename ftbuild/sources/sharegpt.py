"""ShareGPT: {"conversations": [{"from": "human", "value": ...}, ...], "system"?, "tools"?}.

Calls are messages from `function_call` whose value is JSON, {"name", "arguments"} or a list of such; what
they gave comes from `observation`, one or as many as there were calls. `tools` are a list, or one in a text.
Source: lm-sys/FastChat data format, hiyouga/LLaMA-Factory data/README (2026-11).
"""

import json
from typing import Any

from ftbuild.problem import Problem
from ftbuild.sources.conversations import Converted
from ftbuild.tools.schemas import shown

ROLES = {
    "system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "function_call": "call",
    "observation": "result", "tool": "result", "function_response": "result",
}  # fmt: skip


def convert(value: Any) -> Converted:
    """Return a ShareGPT line as a training line."""
    if not isinstance(value, dict) or not isinstance(value.get("conversations"), list):
        fix = 'write {"conversations": [{"from": "human", "value": ...}, ...]}.'
        return Converted(None, (Problem("no conversations", fix=fix, rule="missing-messages"),))
    problems: list[Problem] = []
    messages: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    if value.get("system"):
        places["messages[0]"] = "system"
        messages.append({"role": "system", "content": value["system"]})
    waiting: list[str] = []  # ids of calls that nothing has answered yet
    for number, turn in enumerate(value["conversations"]):
        at = f"conversations[{number}]"
        role = ROLES.get(str(turn.get("from")).lower()) if isinstance(turn, dict) else None
        if role is None:
            what = f"{shown(turn.get('from') if isinstance(turn, dict) else turn)} is nobody who speaks"
            problems.append(Problem(what, at=at, fix=f"from is one of {', '.join(ROLES)}.", rule="unknown-role"))
            continue
        places[f"messages[{len(messages)}]"] = at
        if role == "call":
            message = _calls(turn.get("value"), at, number, problems)
            waiting = [each["id"] for each in message["tool_calls"]]
        elif role == "result":
            message = {"role": "tool", **_content(turn)}
            if waiting:
                message["tool_call_id"] = waiting.pop(0)
        else:
            message = {"role": role, **_content(turn)}
        messages.append(message)
    line: dict[str, Any] = {"messages": messages}
    if tools := _tools(value.get("tools"), problems):
        line["tools"] = tools
    return Converted(line, tuple(problems), places)


def _content(turn: dict[str, Any]) -> dict[str, Any]:
    return {"content": turn["value"]} if "value" in turn else {}


def _calls(text: Any, at: str, number: int, problems: list[Problem]) -> dict[str, Any]:
    found = _json(text)
    listed = found if isinstance(found, list) else [found]
    calls = []
    for place, each in enumerate(listed):
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            what = f"{shown(each)} is no call"
            fix = 'write {"name": ..., "arguments": {...}}.'
            problems.append(Problem(what, at=f"{at}.value", fix=fix, rule="bad-tool-call"))
            continue
        given = each.get("arguments", {})
        arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        function = {"name": each["name"], "arguments": arguments}
        calls.append({"id": f"call_{number}_{place}", "type": "function", "function": function})
    return {"role": "assistant", "tool_calls": calls}


def _tools(given: Any, problems: list[Problem]) -> list[Any]:
    listed = _json(given) if isinstance(given, str) and given.strip() else given
    if listed in (None, ""):
        return []
    if not isinstance(listed, list):
        problems.append(Problem(f"{shown(given)} is no list of tools", at="tools", rule="not-a-list"))
        return []
    return [
        each if isinstance(each, dict) and "function" in each else {"type": "function", "function": each}
        for each in listed
        if each
    ]


def _json(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
