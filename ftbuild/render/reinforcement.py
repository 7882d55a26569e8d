"""Reinforcement lines: {"messages": [..., the user's last], "tools"?, and the fields that graders read}.

`reference` is what the target says, as text: its content, else its refusal, else its calls as JSON. `reference_json` is
the same as a value where answers have a form, `reference_tools` the target's calls; both are spelled as the answer is,
so that a grader can compare sample.output_json and sample.output_tools with them. The system's messages are the
developer's here. Source: OpenAI reinforcement fine-tuning guide and API reference (2026-11).
"""

import json
from collections.abc import Mapping
from typing import Any

from ftbuild import rows

BESIDE = ("tools", "parallel_tool_calls")
OWN_MARK = "reference_is"  # says which part of the target `reference` is, where it is not the content


def value(conversation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of a conversation, as a JSON value."""
    *asked, target = conversation["messages"]
    line: dict[str, Any] = {"messages": [_role(each, "system", "developer") for each in asked]}
    line |= {name: conversation[name] for name in BESIDE if name in conversation}
    calls = target.get("tool_calls")
    said = "content" if "content" in target else "refusal" if "refusal" in target else "tool_calls"
    line["reference"] = json.dumps(calls, ensure_ascii=False) if said == "tool_calls" else target[said]
    if said != "content":
        line[OWN_MARK] = said
    if "response_format" in conversation and said == "content" and not calls:
        line["reference_json"] = json.loads(target["content"])
    if calls:
        line["reference_tools"] = calls
    return line


def line(conversation: Mapping[str, Any]) -> bytes:
    """Return one line without its line end; the weight and the name of the target are not in it.

    Raises:
        ValueError: half a surrogate pair in a text.
    """
    return rows.reread(value(conversation))


def parse(content: bytes) -> dict[str, Any]:
    """Return the conversation of a line that `line` wrote, without the form of its answer: that is the job's."""
    return read(json.loads(content))


def read(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conversation that `value` was given, as `parse` does."""
    said = found.get(OWN_MARK, "content")
    target = {"role": "assistant", **({said: found["reference"]} if said != "tool_calls" else {})}
    if "reference_tools" in found:
        target["tool_calls"] = found["reference_tools"]
    asked = [_role(each, "developer", "system") for each in found["messages"]]
    return {"messages": [*asked, target], **{name: found[name] for name in BESIDE if name in found}}


def _role(message: Mapping[str, Any], old: str, new: str) -> Mapping[str, Any]:
    return {**message, "role": new} if message["role"] == old else message
