"""A completion of a model, and the port that gives one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ftbuild.chat import Message


@dataclass(frozen=True)
class Completion:
    """What came back for one request. `finish_reason` is "none" where no model was asked."""

    content: str
    finish_reason: str = "none"
    latency_seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form kept in the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Completion":
        """Return the completion that `to_json` wrote."""
        return cls(**value)


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
