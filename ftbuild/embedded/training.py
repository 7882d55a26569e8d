"""One job from its files to its end, whoever learns: steps, events, checkpoints, the result.

Owns the recipe and the loop. Knows nothing of tensors: that is the Learner's. Files are checked with
the same rules, and a curve has the same steps, whether anything is really learnt or not.
"""

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ftbuild.embedded import mirror
from ftbuild.embedded.lessons import InvalidFileError, epoch
from ftbuild.embedded.state import CHECKPOINTS_KEPT, Record, State, new_id
from ftbuild.embedded.template import Lesson


@dataclass(frozen=True)
class Recipe:
    """What a job does not say. `learning_rate` is what a multiplier of 1 means; "auto" is 1."""

    n_epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 5e-4
    rank: int = 16
    alpha: float = 32.0
    weight_decay: float = 0.0
    warm_up: float = 0.06  # share of the steps
    last_rate: float = 0.05  # share of the rate left at the end of the linear decay
    max_norm: float = 1.0
    piece_tokens: int = 1024  # rows x tokens computed at once; more only costs memory


RECIPE = Recipe()
METRICS = ("train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy")


class Learner(Protocol):
    """A model that is being tuned."""

    def learn(self, batch: Sequence[Lesson], rate: float) -> tuple[float, float]:
        """Take one step at this learning rate; return the loss before it and the share of tokens guessed right."""
        ...

    def measure(self, lessons: Sequence[Lesson]) -> tuple[float, float]:
        """Return the loss over the lessons and the share of tokens guessed right; nothing is learnt."""
        ...

    def write(self, folder: Path) -> None:
        """Write what was learnt so far into `folder`, which appears when it is whole."""
        ...


Read = Callable[[bytes, str], tuple[list[Lesson], int]]


def read_files(state: State, job: Record, read: Read) -> dict[str, list[Lesson]] | None:
    """Return the lessons of the job's training and validation file; None where one is bad: the job has failed.

    `read` returns those of a file's content, which is for "training" or for "validation", and how many it cut.
    """
    files: dict[str, list[Lesson]] = {"training": [], "validation": []}
    for kind in files:
        if file_id := job[f"{kind}_file"]:
            try:
                files[kind], cut = read(state.content(file_id), kind)
            except (InvalidFileError, FileNotFoundError) as error:
                message = f"The job failed due to an invalid {kind} file. Invalid file format. {error}"
                state.end_job(job["id"], "failed", message, f"invalid_{kind}_file", f"{kind}_file")
                return None
            if cut:
                message = f"{cut} examples of the {kind} file are longer than the model's context and were cut"
                state.add_event(job["id"], message, level="warn")
    state.add_event(job["id"], "Files validated, moving job to queued state")
    return files


class Training:
    """The loop of one job."""

    def __init__(self, state: State, job: Record, train: list[Lesson], valid: list[Lesson]) -> None:
        """Settle what the job left to "auto", and write that it runs."""
        self.state, self.job, self.train, self.valid = state, job, train, valid
        method = job["method"]["type"]
        asked = job["method"][method]["hyperparameters"]
        auto = {"n_epochs": RECIPE.n_epochs, "batch_size": RECIPE.batch_size, "learning_rate_multiplier": 1.0}
        used = {name: value if asked[name] == "auto" else asked[name] for name, value in auto.items()}
        self.n_epochs, self.batch_size = int(used["n_epochs"]), int(used["batch_size"])
        self.rate = RECIPE.learning_rate * used["learning_rate_multiplier"]
        self.n_steps = self.n_epochs * -(-len(train) // self.batch_size)
        job["method"] = {"type": method, method: {**job["method"][method], "hyperparameters": {**asked, **used}}}
        job |= {"hyperparameters": used, "status": "running", "_pid": os.getpid()}
        state.write_job(job)
        state.add_event(job["id"], "Fine-tuning job started")
        self._mirrors = mirror.start(state, job)  # held: they end when we do

    def run(self, learner: Learner, verdict: tuple[str, str] | None = None) -> None:
        """Train, write checkpoints, and write the job's end; a `verdict` (message, code) refuses what was learnt."""
        rows: list[dict[str, Any]] = []
        started = time.time()
        step = 0
        for number in range(1, self.n_epochs + 1):
            for batch in epoch(self.train, self.batch_size, self.job["seed"], number):
                step += 1
                loss, accuracy = learner.learn(batch, self.rate * rate_at(step, self.n_steps))
                if not math.isfinite(loss):
                    message = f"The training loss is not a number at step {step}. Lower learning_rate_multiplier."
                    self.state.end_job(self.job["id"], "failed", message, "training_diverged", "method")
                    return
                row = {"step": step, "train_loss": loss, "train_mean_token_accuracy": accuracy}
                if step == number * (self.n_steps // self.n_epochs):
                    row |= self._checkpoint(learner, step, number, row)
                rows.append(row)
                self.job["estimated_finish"] = int(started + (time.time() - started) * self.n_steps / step + 1)
                self.state.write_job(self.job, durable=False)
                message = f"Step {step}/{self.n_steps}: training loss={loss:.2f}"
                if "valid_loss" in row:
                    loss = row["valid_loss"]
                    message += f", validation loss={loss:.2f}, full validation loss={loss:.2f}"
                self.state.add_event(self.job["id"], message, metrics={"total_steps": self.n_steps, **row})
        if verdict is not None:
            self.state.end_job(self.job["id"], "failed", *verdict)
            return
        self._succeed(rows)

    def _checkpoint(self, learner: Learner, step: int, number: int, row: Record) -> Record:
        """Write the adapters and their record; return the metrics of the validation file."""
        metrics: Record = {}
        if self.valid:
            loss, accuracy = learner.measure(self.valid)
            metrics = {"valid_loss": loss, "valid_mean_token_accuracy": accuracy}
            metrics |= {"full_valid_loss": loss, "full_valid_mean_token_accuracy": accuracy}
        job_id = self.job["id"]
        adapters = self.state.job_folder(job_id) / "adapters"
        learner.write(adapters / f"step-{step}")
        name = f"{self.job['_name']}:ckpt-step-{step}"
        kept = self.job["_checkpoints"]
        kept.append(
            {
                "id": new_id("ftckpt_"),
                "object": "fine_tuning.job.checkpoint",
                "created_at": int(time.time()),
                "fine_tuned_model_checkpoint": name,
                "fine_tuning_job_id": job_id,
                "step_number": step,
                "metrics": {**row, **metrics},
            }
        )
        for old in kept[:-CHECKPOINTS_KEPT]:
            for path in (adapters / f"step-{old['step_number']}").iterdir():
                path.unlink()
            (adapters / f"step-{old['step_number']}").rmdir()
        del kept[:-CHECKPOINTS_KEPT]
        if number < self.n_epochs:
            self.state.add_event(job_id, f"Checkpoint created at step {step} with Snapshot ID: {name}")
        return metrics

    def _succeed(self, rows: Sequence[Record]) -> None:
        header = ("step", *METRICS)
        lines = [",".join(header)]
        lines += [",".join("" if row.get(name) is None else f"{row[name]:.6g}" for name in header) for row in rows]
        result = self.state.add_file("step_metrics.csv", "fine-tune-results", ("\n".join(lines) + "\n").encode())
        tokens = self.n_epochs * sum(len(lesson.ids) for lesson in self.train)
        self.job |= {
            "status": "succeeded",
            "finished_at": int(time.time()),
            "estimated_finish": None,
            "trained_tokens": tokens,
            "fine_tuned_model": self.job["_name"],
            "result_files": [result["id"]],
        }
        self.state.add_event(self.job["id"], f"New fine-tuned model created: {self.job['_name']}")
        self.state.add_event(self.job["id"], "The job has successfully completed")
        self.state.write_job(self.job)


def rate_at(step: int, n_steps: int) -> float:
    """Return the share of the learning rate at a step (from 1): a linear rise, then a linear fall."""
    warm_up = max(1, round(RECIPE.warm_up * n_steps))
    if step <= warm_up:
        return step / warm_up
    return RECIPE.last_rate + (1 - RECIPE.last_rate) * (n_steps - step) / max(1, n_steps - warm_up)
