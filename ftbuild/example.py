"""One training or evaluation item, and where it came from.

An Example is provider-neutral: its messages end with the assistant message that is the
target. Its id depends on what it says and on nothing else, so it survives reordering,
renaming of files and a move to another machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ftbuild.chat import Message
from ftbuild.digest import of_value

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Example:
    """A conversation whose last message is the target.

    `source` is the source's name in the config, `path` and `line` its place there (line from 1);
    examples with one `group` never part across splits; `slices` name the parts reported apart;
    `only` pins an example to a split. `raw` is the user's text as it came, before any transform.
    """

    messages: tuple[Message, ...]
    source: str
    path: str
    line: int
    group: str
    raw: str
    slices: Mapping[str, str] = field(default_factory=dict)
    only: Split | None = None

    @property
    def id(self) -> str:
        """Return 16 hex digits that name the original input and the target."""
        return of_value(["example.v1", self.raw, self.target.content])[:16]

    @property
    def target(self) -> Message:
        """Return the last message, which the model should answer."""
        return self.messages[-1]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Return the messages before the target."""
        return self.messages[:-1]

    def with_messages(self, messages: tuple[Message, ...]) -> "Example":
        """Return the example with other messages, everything else kept."""
        return replace(self, messages=messages)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form kept in the store."""
        return {
            "id": self.id,
            "messages": [message.to_json() for message in self.messages],
            "source": self.source,
            "path": self.path,
            "line": self.line,
            "group": self.group,
            "raw": self.raw,
            "slices": dict(self.slices),
            "only": self.only,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Example":
        """Return the example that `to_json` wrote."""
        return cls(
            messages=tuple(Message.from_json(message) for message in value["messages"]),
            source=value["source"],
            path=value["path"],
            line=value["line"],
            group=value["group"],
            raw=value["raw"],
            slices=value["slices"],
            only=value["only"],
        )
