"""What is trained, how, and where: model, method, provider, tracker."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ftbuild.settings.node import Node

Auto = Literal["auto"]


class Package(Node):
    """A model file inside a package of the Python index, pinned by digest; the package is not installed."""

    name: str
    version: str
    sha256: str
    file: str
    file_sha256: str


class RandomWeights(Node):
    """A tiny Llama with random weights and a byte vocabulary, for tests and `--smoke`."""

    hidden_size: int = Field(ge=8)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    seed: int


class Model(Node):
    """A base model: `id` is its name on the wire; the weights come from a package or are random."""

    unkeyed: ClassVar[frozenset[str]] = frozenset({"title", "licence"})
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    licence: str
    package: Package | None = None
    random: RandomWeights | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> "Model":
        if (self.package is None) == (self.random is None):
            raise ValueError("a model has exactly one of package and random")
        return self


class Hyperparameters(Node):
    """As OpenAI names them; ranges from its API reference (2026-11)."""

    n_epochs: int | Auto = "auto"
    batch_size: int | Auto = "auto"
    learning_rate_multiplier: float | Auto = "auto"

    @model_validator(mode="after")
    def _in_range(self) -> "Hyperparameters":
        if self.n_epochs != "auto" and not 1 <= self.n_epochs <= 50:
            raise ValueError("n_epochs is 1 to 50 or auto")
        if self.batch_size != "auto" and not 1 <= self.batch_size <= 256:
            raise ValueError("batch_size is 1 to 256 or auto")
        if self.learning_rate_multiplier != "auto" and self.learning_rate_multiplier <= 0:
            raise ValueError("learning_rate_multiplier is above 0 or auto")
        return self


class Method(Node):
    """How the model is tuned."""

    type: Literal["supervised"]
    hyperparameters: Hyperparameters


class Provider(Node):
    """Where jobs and requests go: so far our own server, started on demand on this machine.

    `settle_seconds` is how long after a lost answer a job may still appear in the provider's
    list; `idle_seconds` is how long the server outlives its last request.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"settle_seconds", "idle_seconds", "poll_seconds", "threads"})
    kind: Literal["embedded"]
    settle_seconds: float = Field(ge=0)
    idle_seconds: float = Field(gt=0)
    poll_seconds: float = Field(gt=0)
    threads: int | Auto = "auto"


class Tracker(Node):
    """Where metrics go. `local` writes outputs/runs/<run>/metrics.jsonl, always."""

    kind: Literal["local"]
