"""Where examples come from."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ftbuild.example import Split
from ftbuild.settings.node import Node

SourceKind = Literal["pairs", "csv", "chat_jsonl", "sharegpt", "alpaca", "bfcl", "dpo_jsonl", "generator"]
# What a kind needs, and what it takes besides what every kind takes.
FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pairs": (("input", "target", "group"), ("rejected", "time")),
    "csv": (("input", "target"), ("group", "rejected", "time")),
    "dpo_jsonl": ((), ("group", "time")),
    "chat_jsonl": ((), ("group", "time")),
    "sharegpt": ((), ("group", "time")),
    "alpaca": ((), ("group", "time")),
    "bfcl": ((), ("group", "time")),
    "generator": (("n", "calls", "seed"), ("unseen", "quiet", "tools")),
}


class Calls(Node):
    """How often, by weight, a request needs so many calls."""

    one: int = Field(ge=0)
    two: int = Field(ge=0)
    three: int = Field(ge=0)

    @model_validator(mode="after")
    def _are_some(self) -> "Calls":
        if self.one + self.two + self.three == 0:
            raise ValueError("one of one, two and three is above 0")
        return self


class Unseen(Node):
    """How many examples test on `values` that were not trained on, and how many on `phrasings` too."""

    values: int = Field(ge=0)
    phrasings: int = Field(ge=0)


class Source(Node):
    """A file of examples, one JSON object a line, or all in one array; it may be compressed with gzip.

    `kind` is what a line is: `pairs`, whose fields `input` and `target` name, and `rejected` where there are
    preferences; `csv`, the same with columns; `chat_jsonl`, OpenAI's training lines; `dpo_jsonl`, its
    preferences; `sharegpt`, `alpaca` and `bfcl`; `generator`, phrasings and values out of which it makes `n`
    requests to learn from and those of `unseen` to test on, of so many `calls` and a share of `quiet` ones that
    need none, of all the file's tools or just `tools`, drawn with `seed`. Other fields may stand in a line.
    `path` is seen from the tree that holds the YAML file; `group` names the field whose examples stay in one
    split, every example being its own group without it; `slices` maps a slice's name to a field; `only` pins
    all of it to a split. `time` names the field that says when an example was said, ISO 8601 or seconds since 1970,
    for a split by time; `share` is how much of the training split it makes up, by leaving some of it out.
    `path` and `licence` are written beside every example, so they are keyed; `origin` is for people.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"origin"})
    sparse: ClassVar[bool] = True
    kind: SourceKind
    path: str
    input: str | None = None
    target: str | None = None
    rejected: str | None = None
    group: str | None = None
    n: int | None = Field(default=None, ge=20)
    calls: Calls | None = None
    unseen: Unseen | None = None
    tools: list[str] | None = Field(default=None, min_length=1)
    quiet: float | None = Field(default=None, ge=0, lt=1)
    seed: int | None = None
    slices: dict[str, str] = {}
    only: Split | None = None
    time: str | None = None
    share: float | None = Field(default=None, gt=0, lt=1)
    licence: str
    origin: str

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Source":
        needed, taken = FIELDS[self.kind]
        own = {name for one, other in FIELDS.values() for name in (*one, *other)}
        given = {name for name in own if getattr(self, name) is not None}
        if missing := [name for name in needed if name not in given]:
            raise ValueError(f"a source of the kind {self.kind} needs {' and '.join(missing)}")
        if extra := sorted(given - {*needed, *taken}):
            raise ValueError(f"a source of the kind {self.kind} takes no {' and no '.join(extra)}")
        if self.share is not None and self.only not in (None, "train"):
            raise ValueError(f"share is for what is learnt from, and only: {self.only} keeps it out")
        return self
