"""The words of a conversation, provider-neutral: messages, tool calls, tools, and their JSON forms.

Source of the names: OpenAI chat completions API reference (2026-11).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Role = Literal["system", "developer", "user", "assistant", "tool"]


class ToolCall(NamedTuple):
    """A call that an assistant message makes; `arguments` are JSON in a text, as the model wrote it."""

    id: str
    name: str
    arguments: str

    def to_json(self) -> dict[str, Any]:
        """Return the call as chat completions and training lines spell it."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ToolCall":
        """Return the call that `to_json` wrote."""
        return cls(value["id"], value["function"]["name"], value["function"]["arguments"])


class Message(NamedTuple):
    """One message of a conversation.

    `content` is None where an assistant message only calls tools; `tool_call_id` names the call that a
    message of the role tool answers; `weight` 0 keeps an answer from being learnt.
    """

    role: Role
    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    weight: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the message as chat completions and training lines spell it; what it has not is left out."""
        value: dict[str, Any] = {"role": self.role}
        if self.tool_call_id is not None:
            value["tool_call_id"] = self.tool_call_id
        if self.content is not None:
            value["content"] = self.content
        if self.refusal is not None:
            value["refusal"] = self.refusal
        if self.tool_calls:
            value["tool_calls"] = [each.to_json() for each in self.tool_calls]
        if self.name is not None:
            value["name"] = self.name
        if self.weight is not None:
            value["weight"] = self.weight
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Message":
        """Return the message that `to_json` wrote, or that a provider takes."""
        get = value.get
        if len(value) == 2 and "content" in value:  # most messages are a text of a role
            return cls(value["role"], value["content"])
        calls = get("tool_calls")
        return cls(
            value["role"],
            get("content"),
            tuple(map(ToolCall.from_json, calls)) if calls else (),
            get("tool_call_id"),
            get("name"),
            get("refusal"),
            get("weight"),
        )


@dataclass(frozen=True)
class Tool:
    """A function that may be called. `parameters` is the JSON Schema of its arguments, their order kept."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the tool as chat completions and training lines spell it."""
        function: dict[str, Any] = {"name": self.name}
        if self.description is not None:
            function["description"] = self.description
        if self.parameters is not None:
            function["parameters"] = dict(self.parameters)
        if self.strict is not None:
            function["strict"] = self.strict
        return {"type": "function", "function": function}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Tool":
        """Return the tool that `to_json` wrote, or that a provider takes."""
        function = value["function"]
        return cls(function["name"], function.get("description"), function.get("parameters"), function.get("strict"))


@dataclass(frozen=True)
class ResponseFormat:
    """The form an answer must have: JSON that fits a JSON Schema, its members in the schema's order."""

    name: str
    schema: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the form as chat completions spell it, always strict."""
        inner = {"name": self.name, "strict": True, "schema": dict(self.schema)}
        return {"type": "json_schema", "json_schema": inner}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ResponseFormat":
        """Return the form that `to_json` wrote."""
        return cls(value["json_schema"]["name"], value["json_schema"]["schema"])


def said(message: Message) -> str:
    """Return what a message says, for people and for scorers of text: its content, then its calls, a line each."""
    parts = [part for part in (message.content, message.refusal) if part]
    return "\n".join([*parts, *(f"{each.name}({each.arguments})" for each in message.tool_calls)])


def as_asked(text: str) -> str:
    """Return a text without the case of its letters and with one space between words: two that ask the same do so."""
    return " ".join(text.lower().split())


def called(call: ToolCall) -> str:
    """Return a call as people write it: get_weather(city="Lisbon")."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        return f"{call.name}({call.arguments})"
    given = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
    return f"{call.name}({given})"
