"""What is compared, on which metrics, and what is sent with every request."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from ftbuild.settings.node import Node, without_nulls
from ftbuild.settings.provider import Provider
from ftbuild.settings.training import Model


class Request(Node):
    """What goes with every chat completion, of every arm alike.

    `parallel_tool_calls` goes into every training line that has tools too, whatever its answer. `strict_tools` brings
    the tools into the subset of JSON Schema that strict calls take, with a `base` model or with a `tuned` one, which
    takes less; answers are scored against the tools as they were. With `logprobs` an answer comes with how likely its
    tokens were, and with `top_logprobs` of the likeliest in each place; not every server gives them.
    """

    sparse: ClassVar[bool] = True
    temperature: float = Field(ge=0, le=2)
    max_completion_tokens: int = Field(ge=1)
    parallel_tool_calls: bool | None = None
    strict_tools: Literal["base", "tuned"] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = None

    @model_validator(mode="after")
    def _asks_for_logprobs(self) -> "Request":
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs goes with logprobs: true")
        return self


ASKED = ("base", "tuned", "before")  # kinds of arms that ask a model


class Arm(Node):
    """One way to answer.

    `echo` returns the input, `rules` substitutes words, sets sentence case and puts `opening`
    first; `base` and `tuned` ask a model, and so does `before`, which no file says: it is the model of the round
    before, and there where `round` is. `substitute` and `opening` belong to `rules`. `retrieval` says of a model
    whether it is asked with the passages of the experiment's retrieval, null as all others: what it was tuned on does
    not change with it. `examples` is how many examples of the training split stand before each question as turns, the
    same ones before all, drawn by the seed. A `base` arm may ask another `model`, at a `provider` of its own, as the
    one that is in production today.
    """

    sparse: ClassVar[bool] = True

    kind: Literal["echo", "rules", "base", "tuned", "before"]
    substitute: dict[str, str] = {}
    opening: str = ""
    retrieval: bool | None = None
    examples: int = Field(default=0, ge=0, le=64)
    model: Model | None = None
    provider: Provider | None = None

    def about(self, has_passages: bool) -> str:
        """Return what it is, for people; `has_passages` says whether the experiment retrieves any."""
        if self.kind in ("echo", "rules"):
            return {"echo": "the message, unchanged", "rules": "word substitutions, no model"}[self.kind]
        models = {"base": "before training", "tuned": "after training", "before": "of the round before"}
        named = self.model.title if self.model is not None and self.kind == "base" else f"the model {models[self.kind]}"
        parts = [named]
        if has_passages:
            parts.append("without passages" if self.retrieval is False else "with passages")
        if self.examples:
            parts.append(f"with {self.examples} example{'s' if self.examples > 1 else ''} in the prompt")
        return ", ".join(parts)

    @model_validator(mode="after")
    def _has_no_idle_option(self) -> "Arm":
        said = [name for name in ("retrieval", "examples", "model", "provider") if getattr(self, name) not in (None, 0)]
        if self.kind in ("echo", "rules") and said:
            raise ValueError(f"{said[0]} is of an arm that asks a model, and {self.kind} asks none")
        if self.kind == "tuned" and (self.model or self.provider):
            raise ValueError("model and provider are of the kind base: what is tuned is the model of the experiment")
        if self.provider is not None and self.model is None:
            raise ValueError("a provider of its own needs a model of its own")
        return self


Comparison = Literal["exact", "value", "loose"]
ScorerName = Literal[
    "style",
    "chrf",
    "facts",
    "exact",
    "tool_calls",
    "json_schema",
    "results",
    "rouge_l",
    "constraints",
    "criteria",
    "register",
    "grounding",
    "judge",
]


class Count(Node):
    """How many there may be; at least one of the bounds is said."""

    sparse: ClassVar[bool] = True
    at_least: Annotated[int | None, Field(ge=0)] = None
    at_most: Annotated[int | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _says_something(self) -> "Count":
        if self.at_least is None and self.at_most is None:
            raise ValueError("neither at_least nor at_most is said")
        return self


CONSTRAINTS = (
    *("words", "characters", "sentences", "bullets"),
    *("banned", "required", "starts_with", "ends_with", "language"),
)
# What each scorer takes; the others take nothing.
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "tool_calls": ("compare", "mode"),
    "constraints": CONSTRAINTS,
    "grounding": ("abstains",),
}


class ScorerOptions(Node):
    """Options of a scorer; which scorer takes which stands in OPTIONS.

    `compare` says of single arguments, by tool and name, when two values are one: exact if it says nothing. `bfcl`
    judges by the rules of the Berkeley Function Calling Leaderboard instead.

    Of `constraints`: counts have bounds; `banned` and `required` are words or phrases, all of which count;
    `starts_with` and `ends_with` are texts; `language` is a code of two letters, as in ISO 639-1.

    Of `grounding`: by any of the phrases `abstains` an answer says that its passages do not hold what was asked.
    """

    sparse: ClassVar[bool] = True
    compare: dict[str, dict[str, Comparison]] | None = None
    mode: Literal["bfcl"] | None = None
    words: Count | None = None
    characters: Count | None = None
    sentences: Count | None = None
    bullets: Count | None = None
    banned: list[str] = []
    required: list[str] = []
    starts_with: str | None = None
    ends_with: str | None = None
    language: Annotated[str | None, Field(pattern="^[a-z]{2}$")] = None
    abstains: list[str] = []

    @property
    def constraints(self) -> tuple[str, ...]:
        """Return which constraints are set, in their order."""
        said = self.keyed()
        return tuple(name for name in CONSTRAINTS if name in said)


def misplaced(name: ScorerName, options: ScorerOptions) -> str | None:
    """Return which option a scorer does not take, None where it takes all of them."""
    known = OPTIONS.get(name, ())
    takes = f"takes {', '.join(known)}" if known else "takes no options"
    wrong = next((each for each in options.keyed() if each not in known), None)
    owner = next((each for each, those in OPTIONS.items() if wrong in those), "")
    return f"{name} {takes}; {wrong} is of {owner}" if wrong is not None else None


class ToolRun(Node):
    """What runs the calls of a tool: an implementation by its name, and the file that it reads where it reads one.

    The names are ftbuild's own (calculator, glossary, weather) and those that installed packages offer.
    """

    run: str
    path: str | None = None


class Evaluation(Node):
    """Arms and scorers by name, and how answers come about.

    `knowledge` are the metrics of what an answer knows, `behaviour` those of its form and tone: told apart, they show
    what passages in the prompt do and what tuning does.

    `targets` are the last answer of a conversation, or every one. With more than one of `turns` a dialogue is played:
    calls get their results, as recorded in the conversation or else from `results`, by tool, until there is an answer
    or the turns are used up. Of each answer there are `samples`, each with a seed of its own. `split` is what is
    measured on: confirm once the test split has been looked at too often. `concurrency` is how many requests are under
    way at once, `requests_per_minute` how many are begun.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"concurrency", "requests_per_minute"})
    arms: Annotated[dict[str, Arm], BeforeValidator(without_nulls)]
    scorers: Annotated[dict[ScorerName, ScorerOptions], BeforeValidator(without_nulls)]
    knowledge: list[str] = []
    behaviour: list[str] = []
    concurrency: int = Field(ge=1, le=256)
    requests_per_minute: int | None = Field(default=None, ge=1)
    targets: Literal["last", "every"] = "last"
    turns: int = Field(default=1, ge=1, le=20)
    results: Annotated[dict[str, ToolRun], BeforeValidator(without_nulls)] = {}
    samples: int = Field(default=1, ge=1, le=100)
    split: Literal["test", "confirm"] = "test"

    @model_validator(mode="after")
    def _has_no_idle_option(self) -> "Evaluation":
        for name, options in self.scorers.items():
            if wrong := misplaced(name, options):
                raise ValueError(f"scorers.{wrong}")
            if options.mode is not None and options.compare is not None:
                raise ValueError(f"scorers.{name}: mode says how arguments are compared; leave out compare")
            if name == "constraints" and not options.constraints:
                raise ValueError(f"scorers.{name} says none; it takes {', '.join(CONSTRAINTS)}")
            if name == "grounding" and not options.abstains:
                raise ValueError(f"scorers.{name}.abstains: say by which phrases an answer abstains")
        return self
