"""Which checkpoint of a job is used: the last, or the one that fits the validation file best.

Chosen when the job is over, from what its result tells: another rule is another choice, never another job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ftbuild.errors import EvaluationError
from ftbuild.problem import Problem

Rule = Literal["last", "lowest_validation_loss"]


@dataclass(frozen=True)
class Chosen:
    """The model to use, and the step it was written at where the job tells."""

    model: str
    step: int | None


def choose(job: Mapping[str, Any], rule: str) -> Chosen:
    """Return the checkpoint of a finished job (its `job.json`) by a rule; of equal ones the earliest.

    Raises:
        EvaluationError: no checkpoint has a validation loss.
    """
    checkpoints, model = job["checkpoints"], job["fine_tuned_model"]
    if rule == "last":
        steps = [each["step"] for each in checkpoints]
        return Chosen(model, max(steps, default=None))
    told = [each for each in checkpoints if each["valid_loss"] is not None]
    if not told:
        raise EvaluationError(
            Problem(
                f"{job['job_id']}: no checkpoint has a validation loss to choose by",
                why="method.checkpoint asks for the lowest, and the provider told of none.",
                fix="method.checkpoint=last",
            )
        )
    best = min(told, key=lambda each: (each["valid_loss"], each["step"]))
    last = max(each["step"] for each in checkpoints)
    return Chosen(model if best["step"] == last else best["model"], best["step"])
