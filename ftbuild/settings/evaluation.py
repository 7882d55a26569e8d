"""What is compared, on which metrics, and what is sent with every request."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from ftbuild.settings.node import Node, without_nulls
from ftbuild.settings.provider import Provider
from ftbuild.settings.training import Model


class Request(Node):
    """What goes with every chat completion, of every arm alike.

    `parallel_tool_calls` goes into every training line that has tools too, whatever its answer. `strict_tools` brings
    the tools into the subset of JSON Schema that strict calls take, with a `base` model or with a `tuned` one, which
    takes less; answers are scored against the tools as they were.
    """

    sparse: ClassVar[bool] = True
    temperature: float = Field(ge=0, le=2)
    max_completion_tokens: int = Field(ge=1)
    parallel_tool_calls: bool | None = None
    strict_tools: Literal["base", "tuned"] | None = None


class Arm(Node):
    """One way to answer.

    `echo` returns the input, `rules` substitutes words, sets sentence case and puts `opening`
    first; `base` and `tuned` ask a model. `substitute` and `opening` belong to `rules`. `retrieval` says of a model
    whether it is asked with the passages of the experiment's retrieval, null as all others: what it was tuned on does
    not change with it. `examples` is how many examples of the training split stand before each question as turns, the
    same ones before all, drawn by the seed. A `base` arm may ask another `model`, at a `provider` of its own, as the
    one that is in production today.
    """

    sparse: ClassVar[bool] = True

    kind: Literal["echo", "rules", "base", "tuned"]
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
        trained = {"base": "the model before training", "tuned": "the model after training"}[self.kind]
        parts = [self.model.title if self.model is not None else trained]
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
ScorerName = Literal["style", "chrf", "facts", "exact", "cited", "tool_calls", "json_schema"]


class ScorerOptions(Node):
    """Options of a scorer; `tool_calls` alone has any.

    `compare` says of single arguments, by tool and name, when two values are one: exact if it says nothing. `bfcl`
    judges by the rules of the Berkeley Function Calling Leaderboard instead.
    """

    sparse: ClassVar[bool] = True
    compare: dict[str, dict[str, Comparison]] | None = None
    mode: Literal["bfcl"] | None = None


class Evaluation(Node):
    """Arms and scorers by name; `concurrency` is how many requests are under way at once.

    `knowledge` are the metrics of what an answer knows, `behaviour` those of its form and tone: told apart, they show
    what passages in the prompt do and what tuning does.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"concurrency"})
    arms: Annotated[dict[str, Arm], BeforeValidator(without_nulls)]
    scorers: Annotated[dict[ScorerName, ScorerOptions], BeforeValidator(without_nulls)]
    knowledge: list[str] = []
    behaviour: list[str] = []
    concurrency: int = Field(ge=1, le=256)

    @model_validator(mode="after")
    def _has_no_idle_option(self) -> "Evaluation":
        for name, options in self.scorers.items():
            if name != "tool_calls" and options.keyed():
                raise ValueError(f"scorers.{name} takes no options; {', '.join(options.keyed())} is of tool_calls")
            if options.mode is not None and options.compare is not None:
                raise ValueError(f"scorers.{name}: mode says how arguments are compared; leave out compare")
        return self
