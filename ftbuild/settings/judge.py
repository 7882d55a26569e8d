"""A model that judges answers: by which rubric, which model, and what must be shown before it may decide anything."""

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from ftbuild.settings.node import Node
from ftbuild.settings.provider import Provider
from ftbuild.settings.training import Model


class Judge(Node):
    """The judge of the scorer `judge`; without a rubric there is none.

    `labelled` is a file of pairs of answers of which somebody has said which is the better by the rubric; seen from
    the tree that holds the YAML. Conditions of the goal on the judge's metric count only where Cohen's kappa of judge
    and labels is `at_least` so much, by the lower bound of its 95 % interval. `model` and `provider` are those of the
    experiment where they are not said.
    """

    sparse: ClassVar[bool] = True
    unkeyed: ClassVar[frozenset[str]] = frozenset({"licence", "origin"})
    rubric: str | None = None
    labelled: str | None = None
    at_least: Annotated[float, Field(gt=0, le=1)] = 0.6
    model: Model | None = None
    provider: Provider | None = None
    licence: str | None = None
    origin: str | None = None

    @model_validator(mode="after")
    def _says_where_its_labels_are_from(self) -> "Judge":
        lacking = [name for name in ("labelled", "licence", "origin") if getattr(self, name) is None]
        if self.rubric is not None and lacking:
            raise ValueError(f"a rubric comes with labelled examples and their origin; no {', '.join(lacking)}")
        return self
