"""The goal: what must be true of the tuned model, and how strictly it is judged."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from ftbuild.settings.node import Node, without_nulls


class Condition(Node):
    """One condition on the arm that is judged.

    Exactly one of: `at_least` or `at_most` (an absolute bound), `beats` an arm (by more than
    `by`), `compared_to` an arm (it may drop by `may_drop`). `metric` defaults to the goal's;
    `slice` is "name=value", as in source=unseen.
    """

    metric: str | None = None
    slice: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    beats: str | None = None
    by: float = 0.0
    compared_to: str | None = None
    may_drop: float = 0.0

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Condition":
        said = [name for name in ("at_least", "at_most", "beats", "compared_to") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError("a condition says exactly one of at_least, at_most, beats, compared_to")
        return self


class Goal(Node):
    """`require` is what the tuned model must reach, `keep` what it must not lose.

    Judged by the bound of the 95 % interval that is worse for the model, or leniently by the estimate.
    `arm` is the one that is to be used if the goal is met, `against` the one that the verdict compares it with.
    """

    metric: str
    require: Annotated[dict[str, Condition], BeforeValidator(without_nulls)]
    keep: Annotated[dict[str, Condition], BeforeValidator(without_nulls)] = {}
    judge_by: Literal["lower_bound", "estimate"] = "lower_bound"
    arm: str = "tuned"
    against: str = "base"

    def keyed(self) -> dict[str, Any]:
        """Return the fields that change results; which arms are compared only where it is not tuned with base."""
        usual = (("arm", "tuned"), ("against", "base"))
        return {name: value for name, value in super().keyed().items() if (name, value) not in usual}
