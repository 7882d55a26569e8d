"""ShareGPT: {"conversations": [{"from": "human", "value": ...}, ...], "system"?, "tools"?}.

Calls are messages from `function_call` whose value is JSON, {"name", "arguments"} or a list of such; what
they gave comes from `observation`, one a call or all of them in a JSON list. `tools` are a list, or one in a text. A
`weight` of 0 keeps an answer from being learnt. `chosen` and `rejected` are the two answers of a preference, which
come after the conversation.
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
RESULTS = "write one a call, or all of them in this one as a JSON list."
ANSWER = 'write {"from": "gpt", "value": ...}.'
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
            several = _several(turn, len(waiting), _is_result(value["conversations"][number + 1 : number + 2]))
            if several is None:
                what = "fewer results than calls"
                problems.append(Problem(what, at=at, fix=RESULTS, rule="tool-call-without-result"))
                continue
            for content in several:
                places |= {f"messages[{len(messages)}]": at, f"messages[{len(messages)}].content": f"{at}.value"}
                named = {"tool_call_id": waiting.pop(0)} if waiting else {}
                messages.append({"role": "tool", **content, **named})
            continue
        else:
            message = {"role": role, **_content(turn)}
        if message["role"] == "assistant" and turn.get("weight") is not None:
            message["weight"] = turn["weight"]
        messages.append(message)
    rejected: dict[str, Any] | None = None
    if value.keys() & {"chosen", "rejected"}:
        here = f"messages[{len(messages)}]"
        places |= {here: "chosen", f"{here}.content": "chosen.value"}
        messages.append(_answer(value, "chosen", problems))
        rejected = _answer(value, "rejected", problems)
    line: dict[str, Any] = {"messages": messages}
    if tools := _tools(value.get("tools"), problems):
        line["tools"] = tools
    return Converted(line, tuple(problems), places, rejected=rejected)


def _answer(value: dict[str, Any], key: str, problems: list[Problem]) -> dict[str, Any]:
    """Return the answer of a preference."""
    turn = value.get(key)
    said = (
        turn.get("value") if isinstance(turn, dict) and ROLES.get(str(turn.get("from")).lower()) == "assistant" else ""
    )
    if not isinstance(said, str) or not said.strip():
        problems.append(Problem(f"{shown(turn)} is no answer", at=key, fix=ANSWER, rule="missing-output"))
    return {"role": "assistant", "content": said}


def _is_result(turns: list[Any]) -> bool:
    return any(isinstance(each, dict) and ROLES.get(str(each.get("from")).lower()) == "result" for each in turns)


def _several(turn: dict[str, Any], n_waiting: int, goes_on: bool) -> list[dict[str, Any]] | None:
    """Return what a turn says of the calls that wait: one result, or all of them in a list; None where others lack."""
    if n_waiting < 2 or goes_on:
        return [_content(turn)]
    listed = turn.get("value")
    if isinstance(listed, str):
        try:
            listed = parse(listed.encode("utf-8", "surrogatepass"))
        except NotJsonError:
            return None
    if not isinstance(listed, list) or len(listed) != n_waiting:
        return None
    return [{"content": each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)} for each in listed]


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
