"""The words of a conversation, provider-neutral: a message and its JSON form.

Source of the names: OpenAI chat completions API reference (2026-11).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str

    def to_json(self) -> dict[str, Any]:
        """Return the message as chat completions and training lines spell it."""
        return {"role": self.role, "content": self.content}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Message":
        """Return the message that `to_json` wrote."""
        return cls(role=value["role"], content=value["content"])
