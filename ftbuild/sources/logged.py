"""What logs of model calls share: messages and tools, as OpenAI spells them or as LangChain serialises them.

A message of LangChain is what `dumpd` makes of it ({"lc": 1, "type": "constructor", "id": [..., "AIMessage"], "kwargs":
{...}}), what `message_to_dict` makes of it ({"type": "ai", "data": {...}}), or its fields alone. Its blocks of text
are one text, as its own `text` has it; what a model thought (`reasoning`, `thinking`) and the blocks that repeat its
calls (`tool_use`) are no answer. What a log adds to a message (ids, annotations, usage) is not learnt from.
A call that came to nothing, cut short or broken, is left out with a warning that names it: nothing is wrong with the
file. What cannot be read is an error.
Source: the packages openai 3.57.0 and langchain-core 1.8.4 (2026-11).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftbuild.problem import Problem
from ftbuild.sources.conversations import Converted
from ftbuild.sources.filters import left_out
from ftbuild.tools.schemas import shown

ROLES = {
    "human": "user", "HumanMessage": "user", "HumanMessageChunk": "user",
    "ai": "assistant", "AIMessage": "assistant", "AIMessageChunk": "assistant",
    "system": "system", "SystemMessage": "system",
    "tool": "tool", "ToolMessage": "tool",
    "function": "function", "FunctionMessage": "function",
}  # fmt: skip
KEPT = ("content", "name", "tool_calls", "tool_call_id", "refusal", "weight", "function_call", "audio")
SAYS = ("content", "refusal", "tool_calls", "function_call", "audio")
UNANSWERED = "without an answer"
UNSAID = ("reasoning", "thinking", "redacted_thinking", "tool_use")
CUT = {"length": "the limit of tokens", "max_tokens": "the limit of tokens", "content_filter": "a filter of content"}


@dataclass
class Log:
    """One logged call as it becomes a training line: its messages, where each stands, its tools, what is wrong."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    tools: list[Any] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def ask(self, listed: Any, at: str) -> None:
        """Add the messages of a request; `at` is where their list stands."""
        if not isinstance(listed, list) or not listed:
            fix = "export the requests with their answers."
            self.problems.append(Problem(f"{shown(listed)} is no list of messages", at=at, fix=fix, rule="no-request"))
            return
        for number, value in enumerate(listed):
            self.add(value, f"{at}[{number}]")

    def add(self, value: Any, at: str) -> None:
        """Add a message."""
        self.places[f"messages[{len(self.messages)}]"] = at
        self.messages.append(self._message(value, at))

    def answer(self, value: Any, at: str) -> None:
        """Add the message that answers; one that neither says nor calls anything leaves the line out.

        LangChain tells in the message why a model stopped; of Anthropic's models that is the only place.
        """
        told = fields(value)[1].get("response_metadata")
        if isinstance(told, Mapping) and not self.problems:
            self.ended(told.get("finish_reason", told.get("stop_reason")), f"{at}.response_metadata")
        self.add(value, at)
        given = [self.messages[-1].get(key) for key in SAYS]
        if not self.problems and not any(each.strip() if isinstance(each, str) else each for each in given):
            self.problems.append(left_out(UNANSWERED))

    def offer(self, listed: Any, at: str) -> None:
        """Add the tools of a request."""
        if listed is None:
            return
        if not isinstance(listed, list):
            self.problems.append(Problem(f"{shown(listed)} is no list of tools", at=at, rule="not-a-list"))
            return
        for number, value in enumerate(listed):
            given = value.get("function") if isinstance(value, Mapping) else None
            if not isinstance(given, Mapping):
                what = f"{shown(value)} is no tool of the form {{type: function, function: ...}}"
                fix = "leave the line out: a tool that the provider itself runs cannot be learnt."
                self.problems.append(Problem(what, at=f"{at}[{number}]", fix=fix, rule="not-a-tool"))
                continue
            self.tools.append({"type": "function", "function": _given(given)})

    def ended(self, reason: Any, at: str) -> None:
        """Note why the model stopped: an answer that was cut short is not learnt from."""
        if isinstance(reason, str) and reason in CUT:
            why = "It is left out: the model would learn to stop in the middle."
            what = f"the answer was cut by {CUT[reason]}"
            self.problems.append(Problem(what, at=at, why=why, rule="cut-answer", severity="warning"))

    def line(self) -> Converted:
        """Return the training line."""
        line: dict[str, Any] = {"messages": self.messages}
        if self.tools:
            line["tools"] = self.tools
        return Converted(line, tuple(self.problems), self.places)

    def _message(self, value: Any, at: str) -> dict[str, Any]:
        role, given = fields(value)
        if role is None:
            fix = 'a message is {"role": ..., "content": ...}, or one of LangChain.'
            self.problems.append(Problem(f"{shown(value)} is no message", at=at, fix=fix, rule="not-a-message"))
            return {}
        kept = {"role": role} | {key: given[key] for key in KEPT if given.get(key) is not None}
        if given.get("content") is None and given.get("content_parts") is not None:
            kept["content"] = given["content_parts"]
        more = given.get("additional_kwargs")
        if not kept.get("tool_calls") and isinstance(more, Mapping):
            kept |= {key: more[key] for key in ("tool_calls", "function_call") if more.get(key)}
        if given.get("invalid_tool_calls"):
            why = "It is left out: what the model wrote as arguments was no JSON."
            problem = Problem("a call that failed", at=at, why=why, rule="invalid-tool-call", severity="warning")
            self.problems.append(problem)
        if role == "tool":
            kept.pop("name", None)
        calls = kept.pop("tool_calls", None)
        if isinstance(calls, list) and calls:
            kept["tool_calls"] = [_call(each) for each in calls]
        elif calls:
            self.problems.append(Problem(f"{shown(calls)} is no list of calls", at=at, rule="not-a-list"))
        if isinstance(kept.get("content"), list):
            kept["content"] = _text(kept["content"])
        if not kept.get("content") and kept.get("tool_calls"):
            kept.pop("content", None)
        return kept


def fields(value: Any) -> tuple[str | None, Mapping[str, Any]]:
    """Return the role of a message, None for what is none, and its fields."""
    if not isinstance(value, Mapping):
        return None, {}
    if isinstance(value.get("role"), str):
        return value["role"], value
    inner = value.get("kwargs", value.get("data"))
    name = value.get("type")
    if isinstance(value.get("id"), list) and value["id"] and isinstance(inner, Mapping):
        name = value["id"][-1]
    given = inner if isinstance(inner, Mapping) else value
    if name in ("chat", "ChatMessage", "ChatMessageChunk") and isinstance(given.get("role"), str):
        return given["role"], given
    return (ROLES.get(name), given) if isinstance(name, str) else (None, {})


def _call(value: Any) -> Any:
    """Return a call as OpenAI spells it; one of LangChain has its arguments as an object."""
    if isinstance(value, Mapping) and isinstance(value.get("function"), Mapping):
        given = value["function"]
        return {
            **{key: value[key] for key in ("id", "type") if value.get(key) is not None},
            "function": {key: given[key] for key in ("name", "arguments") if key in given},
        }
    if isinstance(value, Mapping) and "name" in value and "args" in value:
        arguments = json.dumps(value["args"], ensure_ascii=False)
        function = {"name": value["name"], "arguments": arguments}
        return {"id": value.get("id"), "type": "function", "function": function}
    return value


def _text(parts: list[Any]) -> Any:
    """Return the parts of a content as one text, as they are if one of them is none."""
    said = [each for each in parts if not (isinstance(each, Mapping) and each.get("type") in UNSAID)]
    found = [each.get("text") if isinstance(each, Mapping) and each.get("type") == "text" else each for each in said]
    texts = [each for each in found if isinstance(each, str)]
    return "".join(texts) if len(texts) == len(found) else parts


def _given(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool's definition without the fields that were not set; what stands in its schema stays."""
    return {key: value for key, value in function.items() if value is not None}


def parsed(value: Any) -> Any:
    """Return what a text of JSON holds, anything else as it is: exports write objects as texts."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def chosen(log: Log, choices: Any, at: str = "choices") -> None:
    """Add the one answer of a completion."""
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], Mapping):
        n = f"{len(choices)} answers" if isinstance(choices, list) else f"{shown(choices)} is no list of answers"
        fix = f"keep the one to learn from in {at}."
        log.problems.append(Problem(n, at=at, fix=fix, rule="not-one-answer"))
        return
    log.ended(choices[0].get("finish_reason"), f"{at}[0].finish_reason")
    log.answer(choices[0].get("message"), f"{at}[0].message")
