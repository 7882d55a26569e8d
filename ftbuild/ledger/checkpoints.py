"""Which checkpoint of a job is used: the last, or the one that fits the validation file or answers it best.

Chosen when the job is over, from what its result tells: another rule is another choice, never another job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftbuild.errors import EvaluationError
from ftbuild.problem import Problem

# What a rule asks of a checkpoint, in words.
WANTED = {"lowest_validation_loss": "validation loss", "best_evaluation": "scored answer to a validation example"}


@dataclass(frozen=True)
class Chosen:
    """The model to use, and the step it was written at where the job tells."""

    model: str
    step: int | None


def choose(job: Mapping[str, Any], rule: str) -> Chosen:
    """Return the checkpoint of a finished job (its `job.json`) by a rule; of equal ones the earliest.

    Raises:
        EvaluationError: no checkpoint has what the rule chooses by.
    """
    checkpoints, model = job["checkpoints"], job["fine_tuned_model"]
    if rule == "last":
        steps = [each["step"] for each in checkpoints]
        return Chosen(model, max(steps, default=None))
    of_rule = _evaluation if rule == "best_evaluation" else _loss
    told = [(found, each) for each in checkpoints if (found := of_rule(each)) is not None]
    if not told:
        raise EvaluationError(
            Problem(
                f"{job['job_id']}: no checkpoint has a {WANTED[rule]} to choose by",
                why=f"method.checkpoint={rule} compares them, and the job is over: nothing of it is lost.",
                fix="method.checkpoint=last",
            )
        )
    _, best = min(told, key=lambda each: (each[0], each[1]["step"]))
    last = max(each["step"] for each in checkpoints)
    return Chosen(model if best["step"] == last else best["model"], best["step"])


def _loss(checkpoint: Mapping[str, Any]) -> float | None:
    found: float | None = checkpoint["valid_loss"]
    return found


def _evaluation(checkpoint: Mapping[str, Any]) -> float | None:
    """Return how far the answers of a checkpoint are from the best, None where they were not scored."""
    found = checkpoint.get("evaluation")
    if found is None or found["mean"] is None:
        return None
    mean: float = found["mean"]
    return mean if found["lower_is_better"] else -mean
