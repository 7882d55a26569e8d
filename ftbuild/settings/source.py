"""Where examples come from."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ftbuild.example import Split
from ftbuild.settings import queries
from ftbuild.settings.node import Node, without_nulls

SourceKind = Literal[
    "pairs",
    "csv",
    "chat_jsonl",
    "sharegpt",
    "alpaca",
    "bfcl",
    "dpo_jsonl",
    "stored_completions",
    "langfuse",
    "langsmith",
    "generator",
    "functions",
    "parquet",
    "sql",
    "huggingface",
    "documents",
]
Layout = Literal["chat_jsonl", "sharegpt", "alpaca", "dpo_jsonl"]
FIRST_QUESTION = "first question"  # in conversations a group is what the user says first
COLUMNS = ("input", "target", "rejected", "layout", "group", "keep", "time", "schema", "passage")
# What a kind needs, and what it takes besides what every kind takes.
FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pairs": (("input", "target", "group"), ("rejected", "keep", "time", "schema", "passage", "criteria")),
    "csv": (("input", "target"), ("group", "rejected", "keep", "time", "schema", "passage")),
    "dpo_jsonl": ((), ("group", "keep", "time", "schema", "passage")),
    "chat_jsonl": ((), ("group", "keep", "time", "schema", "passage", "criteria")),
    "sharegpt": ((), ("group", "keep", "time", "schema", "passage")),
    "alpaca": ((), ("group", "keep", "time", "schema", "passage")),
    "bfcl": ((), ("group", "keep", "time")),
    "stored_completions": ((), ("group", "keep", "time", "schema")),
    "langfuse": ((), ("group", "keep", "time", "schema")),
    "langsmith": ((), ("group", "keep", "time", "schema")),
    "generator": (("n", "calls", "seed"), ("unseen", "quiet", "tools")),
    "functions": ((), ("tools",)),
    "parquet": ((), COLUMNS),
    "sql": (("query",), COLUMNS),
    "huggingface": ((), COLUMNS),
    "documents": ((), ("passage_characters",)),
}
GENERATED_SLICES = ("calls", "parallel", "unseen")  # what a generator says of its examples
OF_EXAMPLES = ("slices", "only", "share", "walled")  # what every other kind takes
ONE_FILE = ("generator", "sql")  # of several, each would be made up anew, or asked the same
ONE_FOLDER = ("huggingface",)
TESTS = ("at_least", "at_most", "equals", "one_of", "matches")
Value = str | int | float | bool


class Filter(Node):
    """Which lines to keep: those whose `field` passes every test that is named here; a line without it fails.

    A `field` within another is written with a dot: metadata.csat. `at_least` and `at_most` are for numbers, also for
    those that stand in a text, `equals` and `one_of` for whole values, `matches` is a regular expression that is
    found somewhere in the text (Python's `re`).
    """

    sparse: ClassVar[bool] = True
    field: str = Field(min_length=1)
    at_least: float | None = None
    at_most: float | None = None
    equals: Value | None = None
    one_of: list[Value] | None = Field(default=None, min_length=1)
    matches: str | None = None

    @model_validator(mode="after")
    def _tests_something(self) -> "Filter":
        if all(getattr(self, name) is None for name in TESTS):
            raise ValueError(f"a filter says one of {', '.join(TESTS)}")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                raise ValueError(f"{self.matches!r} is no regular expression: {error}") from None
        return self


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


class PassageFields(Node):
    """The fields that say which passage an answer is taken from: its `document`, by file name, and the heading of it.

    Without `section` it is anywhere in the document. A field that is null says that it is not known.
    """

    sparse: ClassVar[bool] = True
    document: str = Field(min_length=1)
    section: str | None = Field(default=None, min_length=1)


class Source(Node):
    """A file of examples, or several: one JSON object a line, or all in one array; compressed with gzip, zstd or not.

    `kind` is what a line is: `pairs`, whose fields `input` and `target` name, and `rejected` where there are
    preferences; `csv`, the same with columns; `chat_jsonl`, OpenAI's training lines; `dpo_jsonl`, its preferences;
    `sharegpt`, `alpaca` and `bfcl`; `stored_completions`, `langfuse` and `langsmith`, logged calls of models;
    `generator`, phrasings and values out of which it makes `n` requests to learn from and those of `unseen` to test
    on, of so many `calls` and a share of `quiet` ones that need none, of all the file's tools or just `tools`,
    drawn with `seed`; `functions`, a file of Python whose docstrings show requests and the calls that answer them,
    of all functions or just `tools`. `parquet`, `huggingface` (a folder that `save_to_disk` wrote) and `sql` (what
    `query` finds in a file of SQLite, DuckDB, Parquet or CSV) are tables: of pairs where `input` and `target` name
    columns, else of lines of a `layout`, chat_jsonl unless said. Other fields may stand in a line; `keep` names
    filters by them, and a line stays if it passes all.
    `path` is seen from the tree that holds the YAML file; with * or ? in it, it is all files of such names, **
    standing for folders at any depth; `group` names the field whose examples stay in one
    split, every example being its own group without it; in conversations `group: first question` keeps together those
    that begin with the same question; `schema` names the one of `schemas` that its answers fit, as
    JSON in a text or as they are; `slices` maps a slice's name to a field; `only` pins all of it to a split. `time`
    names the field that says when an example was said, ISO 8601 or seconds since 1970, for a split by time; `share` is
    how much of the training split it makes up, by leaving some of it out. Nothing that is learnt of a `walled` source
    may be made out of a test example; `walled: meaning` has what says the same in other words told, too, where the
    provider gives vectors. `documents` are no examples: Markdown or text, cut into passages of at most
    `passage_characters`, which `retrieval` puts into prompts; `passage` names the fields that say which of them an
    answer is taken from. `criteria` names the field with what an answer is to be like, a list of
    {type: contains, value: ...}, for the scorer of that name.
    `path` and `licence` are written beside every example, so they are keyed, and so is `consent`: who agreed that what
    was said is learnt from, and when, in words. `origin` is for people.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"origin"})
    sparse: ClassVar[bool] = True
    kind: SourceKind
    path: str
    input: str | None = None
    target: str | None = None
    rejected: str | None = None
    layout: Layout | None = None
    query: str | None = None
    group: str | None = None
    schema_name: str | None = Field(default=None, alias="schema")  # pydantic has a use for the name itself
    n: int | None = Field(default=None, ge=20)
    calls: Calls | None = None
    unseen: Unseen | None = None
    tools: list[str] | None = Field(default=None, min_length=1)
    quiet: float | None = Field(default=None, ge=0, lt=1)
    seed: int | None = None
    keep: Annotated[
        Annotated[dict[str, Filter], BeforeValidator(without_nulls)] | None,
        AfterValidator(lambda filters: filters or None),  # all taken out is as none
    ] = None
    slices: dict[str, str] = {}
    only: Split | None = None
    time: str | None = None
    share: float | None = Field(default=None, gt=0, lt=1)
    walled: Annotated[bool | Literal["meaning"] | None, AfterValidator(lambda walled: walled or None)] = None
    passage: PassageFields | None = None
    criteria: str | None = Field(default=None, min_length=1)
    passage_characters: int | None = Field(default=None, ge=80)
    licence: str
    consent: str | None = Field(default=None, min_length=1)
    origin: str

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Source":
        needed, taken = FIELDS[self.kind]
        own = {name for one, other in FIELDS.values() for name in (*one, *other)}
        given = {name for name in own if getattr(self, "schema_name" if name == "schema" else name) is not None}
        if missing := [name for name in needed if name not in given]:
            alone = f"; where every line stands alone, group: {self.input}" if missing == ["group"] else ""
            raise ValueError(f"a source of the kind {self.kind} needs {' and '.join(missing)}{alone}")
        if self.kind == "documents":
            given |= {name for name in OF_EXAMPLES if getattr(self, name)}
        if extra := sorted(given - {*needed, *taken}):
            raise ValueError(f"a source of the kind {self.kind} takes no {' and no '.join(extra)}")
        if self.kind in (*ONE_FILE, *ONE_FOLDER) and set("*?") & set(self.path):
            one = "folder" if self.kind in ONE_FOLDER else "file"
            raise ValueError(f"a source of the kind {self.kind} is one {one}, no pattern")
        if "layout" in taken:
            self._fits_a_table()
        if self.share is not None and self.only not in (None, "train"):
            raise ValueError(f"share is for what is learnt from, and only: {self.only} keeps it out")
        if self.walled and self.only in ("test", "confirm"):
            raise ValueError(f"walled is for what is learnt from, and only: {self.only} keeps it out")
        return self

    def _fits_a_table(self) -> None:
        if (self.input is None) != (self.target is None) or (self.rejected and not self.input):
            raise ValueError("input and target go together, and rejected with them")
        if self.layout and self.input:
            raise ValueError("pairs have no layout: say layout, or input and target")
        if self.query is not None and (reason := queries.wrong(self.query)):
            raise ValueError(reason)
