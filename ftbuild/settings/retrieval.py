"""Passages of documents in the prompts."""

from typing import Any, Literal

from pydantic import Field

from ftbuild.settings.node import Node

SLICE = "gold_passage"  # found or not found, of test examples that name their passage


class Retrieval(Node):
    """Which passages stand before a question, in training and in evaluation alike.

    `documents` names the source of the kind documents that they are taken from; without it there are none. Each
    example of the `sources` named, or of all, is given `n_passages`. Where its source says which passage its answer is
    taken from (`passage`), that gold one is among them in the splits `gold_in`, but for a share `without_gold`; the
    others are those nearest to the question, all in an order drawn with `seed`. In the other splits they are what a
    search finds, the nearest first.

    `kind` says how they are searched: by their letters (`lexical`), by vectors that the provider gives (`vector`), or
    by both (`hybrid`); `model` is the one that gives them, null the base model of the experiment.
    """

    documents: str | None = None
    kind: Literal["lexical", "vector", "hybrid"] = "lexical"
    model: str | None = None
    n_passages: int = Field(default=3, ge=1)
    sources: list[str] | None = Field(default=None, min_length=1)
    gold_in: list[Literal["train", "validation", "test"]] = ["train", "validation"]
    without_gold: float = Field(default=0.0, ge=0, le=1)
    seed: int = 0

    def keyed(self) -> dict[str, Any]:
        """Return the fields that change results, of those that are set; what is searched is in the index."""
        in_index = ("kind", "model")
        return {name: value for name, value in super().keyed().items() if value is not None and name not in in_index}
