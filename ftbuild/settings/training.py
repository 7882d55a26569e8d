"""What is trained, and how: model and method."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ftbuild.settings.graders import Grader
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
    """A base model: `id` is its name on the wire; the weights come from a package, lie in a `folder` as transformers
    saves them (a Llama, with an absolute path), or are random.

    One without any is somebody else's, to be tuned where it is hosted. `languages` are those it is made for, null
    where nobody says. An id of the form ft:BASE:... is a fine-tuned model to be tuned on: the weights are those of its
    base, what was learnt lies where it was tuned.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"title", "licence", "languages"})
    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]*$")
    title: str
    licence: str
    languages: list[str] | None = None
    package: Package | None = None
    folder: Annotated[str, Field(pattern=r"^(/|[A-Za-z]:[\\/])")] | None = None
    random: RandomWeights | None = None

    @property
    def is_here(self) -> bool:
        """Return whether its weights can be had on this machine."""
        return bool(self._origins)

    @property
    def base(self) -> str:
        """Return the name of the base model: of a fine-tuned one, what it was made of."""
        return self.id.split(":")[1] if self.id.startswith("ft:") else self.id

    def keyed(self) -> dict[str, Any]:
        """Return the fields that change results; a folder only where there is one."""
        return {name: value for name, value in super().keyed().items() if (name, value) != ("folder", None)}

    @property
    def _origins(self) -> list[str]:
        return [name for name in ("package", "folder", "random") if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _has_one_origin_at_most(self) -> "Model":
        if len(self._origins) > 1:
            raise ValueError("a model has one of package, folder and random, or none of them where it is hosted")
        return self


class Hyperparameters(Node):
    """As OpenAI names them; ranges from its API reference (2026-11)."""

    sparse: ClassVar[bool] = True
    n_epochs: Annotated[int, Field(ge=1, le=50)] | Auto = "auto"
    batch_size: Annotated[int, Field(ge=1, le=256)] | Auto = "auto"
    learning_rate_multiplier: Annotated[float, Field(gt=0)] | Auto = "auto"
    beta: Annotated[float, Field(gt=0, le=2)] | Auto | None = None
    compute_multiplier: Annotated[float, Field(gt=1e-5, le=10)] | Auto | None = None
    eval_interval: Annotated[int, Field(ge=1)] | Auto | None = None
    eval_samples: Annotated[int, Field(ge=1)] | Auto | None = None
    reasoning_effort: Literal["default", "low", "medium", "high"] | None = None


MethodName = Literal["supervised", "dpo", "reinforcement"]
OF_METHOD: Mapping[str, MethodName] = {
    "beta": "dpo",
    **dict.fromkeys(("compute_multiplier", "eval_interval", "eval_samples", "reasoning_effort"), "reinforcement"),
}


class Method(Node):
    """How the model is tuned: `supervised` from answers, `dpo` from answers and rejected ones, whose `beta` says how
    far the model may go from where it began, `reinforcement` from its own answers, which a `grader` rewards; with
    `none` nothing is tuned, and the arms that need no training are compared.
    `checkpoint` says which one is used: the `last`, the one with the `lowest_validation_loss`, or by
    `best_evaluation` the one whose answers to the validation examples are best by the goal's metric; it is keyed where
    the model is asked, not in the job: another choice is no other training.
    """

    sparse: ClassVar[bool] = True
    type: MethodName | Literal["none"]
    hyperparameters: Hyperparameters = Hyperparameters()
    grader: Grader | None = None
    checkpoint: Literal["last", "lowest_validation_loss", "best_evaluation"] = "last"

    @property
    def lines(self) -> MethodName:
        """Return the method that training lines are written for, whether any of them is trained on."""
        return "supervised" if self.type == "none" else self.type

    def keyed(self) -> dict[str, Any]:
        """Return the fields that change results; the last checkpoint is no choice."""
        return {name: value for name, value in super().keyed().items() if (name, value) != ("checkpoint", "last")}

    @model_validator(mode="after")
    def _has_what_is_its_own(self) -> "Method":
        for name, method in OF_METHOD.items():
            if getattr(self.hyperparameters, name) is not None and self.type != method:
                raise ValueError(f"hyperparameters.{name} is of the method {method}")
        if (self.grader is not None) != (self.type == "reinforcement"):
            said = "needs a grader" if self.grader is None else "takes no grader: it is of the method reinforcement"
            raise ValueError(f"the method {self.type} {said}")
        return self
