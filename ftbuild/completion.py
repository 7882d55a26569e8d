"""A completion of a model, and the port that gives one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from ftbuild.chat import Message, ToolCall


@dataclass(frozen=True)
class Prompt:
    """What is asked: messages, and `parameters` that go with them, named as chat completions names them."""

    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Completion:
    """What came back for one request. `finish_reason` is "none" where no model was asked."""

    content: str
    finish_reason: str = "none"
    latency_seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def message(self) -> Message:
        """Return the answer as a message."""
        return Message("assistant", self.content or None, self.tool_calls)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form kept in the store."""
        value = asdict(self)
        del value["tool_calls"]
        return value | ({"tool_calls": [each.to_json() for each in self.tool_calls]} if self.tool_calls else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Completion":
        """Return the completion that `to_json` wrote."""
        calls = tuple(ToolCall.from_json(each) for each in value.get("tool_calls", ()))
        return cls(**{**value, "tool_calls": calls})


class Completer(Protocol):
    """The port: something that answers messages; raises ProviderError.

    `parameters` are what goes with the messages, named as chat completions names them.
    """

    async def complete(self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> Completion:
        """Return the answer of `model` to the messages."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Embedder(Protocol):
    """The port: something that turns texts into vectors; raises ProviderError."""

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, in their order; no text may be empty."""
        ...
