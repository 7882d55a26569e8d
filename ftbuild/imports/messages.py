"""Messages and answers as evaluation tools write them: texts, JSON of messages, calls of tools in several spellings."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.rows import NotJsonError, parse


def asked(raw: Any) -> list[dict[str, Any]]:
    """Return the messages of a prompt: those of a list or of a text that is the JSON of one, else the user's text."""
    value = _json(raw) if isinstance(raw, str) and raw.lstrip().startswith("[") else raw
    if isinstance(value, list) and value and all(isinstance(each, Mapping) and "role" in each for each in value):
        return [dict(each) for each in value]
    return [{"role": "user", "content": raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)}]


def last_asked(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what the user says last."""
    said = [each.get("content") for each in messages if each["role"] == "user"]
    return said[-1] if said and isinstance(said[-1], str) else ""


def answered(output: Any) -> str | dict[str, Any]:
    """Return an answer as `ftbuild score` takes it: a text, or a message with calls; what is neither as JSON."""
    if isinstance(output, str):
        return output
    if isinstance(output, Mapping) and output.get("tool_calls"):
        return {"content": output.get("content"), "tool_calls": _calls(output["tool_calls"])}
    listed = output if isinstance(output, list) else [output]
    if listed and all(isinstance(each, Mapping) and _is_call(each) for each in listed):
        return {"tool_calls": _calls(listed)}
    return json.dumps(output, ensure_ascii=False)


def _is_call(value: Mapping[str, Any]) -> bool:
    """Return whether it is a call, or just its name and arguments, as an older form has it."""
    return isinstance(value.get("function"), Mapping) or (
        set(value) == {"name", "arguments"} and isinstance(value["arguments"], str)
    )


def _calls(listed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"id": each.get("id") or f"call_{number}", "type": "function", "function": each.get("function", each)}
        for number, each in enumerate(listed, 1)
    ]


def _json(text: str) -> Any:
    try:
        return parse(text.encode("utf-8", "surrogatepass"))
    except NotJsonError:
        return None
