"""What a page says of the training: losses, checkpoints and which of them was chosen, hyperparameters."""

from collections.abc import Mapping
from typing import Any

from ftbuild.report import charts, words
from ftbuild.scorers import metric_of

CHOSEN = {
    "last": "the last one",
    "lowest_validation_loss": "the lowest validation loss",
    "best_evaluation": "the best answers to validation examples",
}


def trained(training: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the job's part of the page; None where nothing was trained."""
    if training is None:
        return None
    asked, used = training["asked"], training["hyperparameters"]
    names = [*used, *(name for name in asked if name not in used)]
    checkpoints, chosen = training["checkpoints"], training["chosen"]
    evaluations = [checkpoint.get("evaluation") for checkpoint in checkpoints]
    models = [checkpoint["model"] for checkpoint in checkpoints]
    picked = models.index(training["model"]) if training["model"] in models else len(models) - 1
    tokens = training["trained_tokens"]
    return {
        **training,
        "chart": charts.loss(training),
        "hyperparameters": [
            {"name": n, "asked": words.setting(before), "used": words.setting(after), "same": before == after}
            for n, before, after in ((name, asked.get(name), used.get(name)) for name in names)
        ],
        "checkpoints": [
            {
                "step": checkpoint["step"],
                "valid_loss": "" if checkpoint["valid_loss"] is None else f"{checkpoint['valid_loss']:.3f}",
                "evaluation": f"{found['mean']:.3f}" if found and found["mean"] is not None else "",
                "model": checkpoint["model"],
                "chosen": n == picked,
            }
            for n, (checkpoint, found) in enumerate(zip(checkpoints, evaluations, strict=True))
        ],
        "why": CHOSEN.get(chosen, chosen),
        "evaluated": next((metric_of(each["metric"]).label for each in evaluations if each), None),
        "tokens": None if tokens is None else f"{tokens:,}",
    }
