"""What a teacher model is asked for, and what becomes of its replies: drafts of training examples, for people to read.

Pure. The prompt says what kind of example is missing and shows how training examples look; nothing of a validation or
test example is in it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.chat import Message, Tool, ToolCall
from ftbuild.improve.groups import Group, label
from ftbuild.improve.neighbours import Learnt
from ftbuild.scorers.tool_calls import misfit

SHOWN_AT_MOST = 6
TOOLS = """\
You write training examples for an assistant that answers requests with tool calls. Its tools, as JSON:
{tools}

The assistant {wrong}. {where}Write {n} new requests that would teach it better, each with all the calls that it needs \
and no other. Values in a call are taken over from the request as they stand. Every request is worded in its own way.

This is how examples look:
{shown}

Reply with {n} lines and nothing else, a JSON object a line: \
{{"user": "the request", "calls": [{{"name": "a tool", "arguments": {{}}}}]}}"""
TEXTS = """\
You write training examples for an assistant with these instructions:
{system}

The assistant {wrong}. {where}Write {n} new examples that would teach it better: what a user says, and what the \
assistant should answer. Every one is about something else, worded in its own way.

This is how examples look:
{shown}

Reply with {n} lines and nothing else, a JSON object a line: {{"user": "what is said", "assistant": "the answer"}}"""


def prompt(group: Group, n: int, tools: Sequence[Tool], system: str, against: str) -> str:
    """Return what a teacher is asked for: `n` examples against a kind of miss, with training examples to go by."""
    near: dict[str, Learnt] = {one.learnt.place: one.learnt for each in group.misses for one in each.near}
    out = [each.where.replace("=", " is ") for each in group.parts if each.stands_out]
    where = f"It does so most where {' and where '.join(out)}. " if out else ""
    told = [tool for tool in tools if not group.tools or tool.name in group.tools] or list(tools)
    form = {
        "wrong": label(group.kind, against),
        "where": where,
        "n": n,
        "system": system or "None are given.",
        "tools": "\n".join(json.dumps(each.to_json()["function"], ensure_ascii=False) for each in told),
        "shown": "\n".join(json.dumps(_shown(each), ensure_ascii=False) for each in [*near.values()][:SHOWN_AT_MOST]),
    }
    return (TOOLS if tools else TEXTS).format(**form)


def _shown(learnt: Learnt) -> Mapping[str, Any]:
    if learnt.calls is None:
        return {"user": learnt.asked, "assistant": learnt.answer}
    calls = [each.partition("(") for each in learnt.answer.split("\n")] if learnt.calls else []
    told = [{"name": name, "arguments": json.loads(rest.removesuffix(")"))} for name, _, rest in calls if rest]
    return {"user": learnt.asked, "calls": told}


@dataclass(frozen=True)
class Drafts:
    """Training lines in OpenAI's form made of a teacher's replies, and how many of its lines were none."""

    lines: Sequence[Mapping[str, Any]]
    n_unread: int


def drafts(replies: Sequence[str], by: str, group: str, tools: Sequence[Tool]) -> Drafts:
    """Return the examples in replies; `by` is the model, `group` the kind of miss, both kept beside each.

    A line that is no JSON object of the form asked for, or whose calls are none of these tools, counts as unread.
    """
    found: list[Mapping[str, Any]] = []
    n_unread = 0
    for line in _lines(replies):
        messages = _messages(line, tools)
        if messages is None:
            n_unread += 1
        else:
            drafted = {"by": by, "against": group}
            found.append({"messages": [each.to_json() for each in messages], "drafted": drafted})
    return Drafts(found, n_unread)


def _lines(replies: Sequence[str]) -> Iterator[str]:
    """Yield the lines that may hold an example; a fence around them is none."""
    for reply in replies:
        for line in reply.splitlines():
            if (text := line.strip().rstrip(",")) and not text.startswith("```") and text not in "[]":
                yield text


def _messages(line: str, tools: Sequence[Tool]) -> list[Message] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or not _is_text(value.get("user")):
        return None
    answer = _answer(value, tools)
    return [Message("user", value["user"].strip()), answer] if answer is not None else None


def _answer(value: Mapping[str, Any], tools: Sequence[Tool]) -> Message | None:
    if _is_text(value.get("assistant")):
        return Message("assistant", value["assistant"].strip())
    listed = value.get("calls")
    if not isinstance(listed, list) or not listed or not all(map(_is_call, listed)):
        return None
    calls = [
        ToolCall(f"call_{number}", each["name"], json.dumps(each["arguments"], ensure_ascii=False))
        for number, each in enumerate(listed, 1)
    ]
    return None if any(misfit(each, tools) is not None for each in calls) else Message("assistant", None, tuple(calls))


def _is_call(value: object) -> bool:
    return isinstance(value, dict) and _is_text(value.get("name")) and isinstance(value.get("arguments"), dict)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
