"""Where examples come from."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from ftbuild.example import Split
from ftbuild.settings.node import Node

SourceKind = Literal["pairs", "csv", "chat_jsonl", "sharegpt", "alpaca"]
# What a kind needs, and what it takes besides what every kind takes.
FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pairs": (("input", "target", "group"), ()),
    "csv": (("input", "target"), ("group",)),
    "chat_jsonl": ((), ("group",)),
    "sharegpt": ((), ("group",)),
    "alpaca": ((), ("group",)),
}


class Source(Node):
    """A file of examples, one JSON object a line, or all in one array; it may be compressed with gzip.

    `kind` is what a line is: `pairs`, whose fields `input` and `target` name; `csv`, the same with columns;
    `chat_jsonl`, OpenAI's training lines; `sharegpt` and `alpaca`. Other fields may stand in a line.
    `path` is seen from the tree that holds the YAML file; `group` names the field whose examples stay in one
    split, every example being its own group without it; `slices` maps a slice's name to a field; `only` pins
    all of it to a split.
    `path` and `licence` are written beside every example, so they are keyed; `origin` is for people.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"origin"})
    kind: SourceKind
    path: str
    input: str | None = None
    target: str | None = None
    group: str | None = None
    slices: dict[str, str] = {}
    only: Split | None = None
    licence: str
    origin: str

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Source":
        needed, taken = FIELDS[self.kind]
        given = {name for name in ("input", "target", "group") if getattr(self, name) is not None}
        if missing := [name for name in needed if name not in given]:
            raise ValueError(f"a source of the kind {self.kind} needs {' and '.join(missing)}")
        if extra := sorted(given - {*needed, *taken}):
            raise ValueError(f"a source of the kind {self.kind} takes no {' and no '.join(extra)}")
        return self

    def keyed(self) -> dict[str, Any]:
        """Return the fields that change results, those that are not set left out."""
        return {name: value for name, value in super().keyed().items() if value is not None}
