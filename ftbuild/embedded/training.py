"""One job from its files to its end, whoever learns: steps, events, checkpoints, the result.

Owns the recipe, the loop and what a job is taken up from: a folder at the end of every epoch, one a minute in a long
epoch, and one where it is paused. A job that was taken up goes the way of one that never stopped: a batch follows from
the seed and its number alone, and a step that was told is not told again. Knows nothing of tensors: that is the
Learner's. Files are checked with the same rules, and a curve has the same steps, whether anything is really learnt or
not.

The order of what is written makes every moment a good one to be killed: adapters, then what to go on from, then the
job's record, and only then what is no longer needed goes.
"""

import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ftbuild.embedded import mirror
from ftbuild.embedded.lessons import InvalidFileError, Item, Sized, epoch
from ftbuild.embedded.state import CHECKPOINTS_KEPT, Record, State, new_id, read_json, whole, write_json


@dataclass(frozen=True)
class Recipe:
    """What a job does not say. `learning_rate` is what a multiplier of 1 means; "auto" is 1."""

    n_epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 5e-4
    preference_rate: float = 5e-5  # the same for dpo
    preference_epochs: int = 1  # what is preferred is soon known, and more of it drives the model off
    beta: float = 0.1
    rank: int = 16
    alpha: float = 32.0
    weight_decay: float = 0.0
    warm_up: float = 0.06  # share of the steps
    last_rate: float = 0.05  # share of the rate left at the end of the linear decay
    max_norm: float = 1.0
    piece_tokens: int = 1024  # rows x tokens computed at once; more only costs memory


RECIPE = Recipe()
AUTO = "auto"
SAVE_SECONDS = 60.0
SAVING_AT_MOST = 0.05  # share of the time
TABLE = {  # the columns of OpenAI's result file (fine-tuning guide, 2026-11), and our names in events
    "step": "step",
    "train_loss": "train_loss",
    "train_accuracy": "train_mean_token_accuracy",
    "valid_loss": "valid_loss",
    "valid_mean_token_accuracy": "valid_mean_token_accuracy",
}


Learnt_contra = TypeVar("Learnt_contra", bound=Sized, contravariant=True)


class Learner(Protocol[Learnt_contra]):
    """A model that is being tuned."""

    def learn(self, batch: Sequence[Learnt_contra], rate: float) -> tuple[float, float]:
        """Take one step at this learning rate; return the loss before it and the share of tokens guessed right."""
        ...

    def measure(self, lessons: Sequence[Learnt_contra]) -> tuple[float, float]:
        """Return the loss over the lessons and the share of tokens guessed right; nothing is learnt."""
        ...

    def write(self, folder: Path) -> None:
        """Write what was learnt so far into `folder`, which appears when it is whole."""
        ...

    def save(self, folder: Path) -> None:
        """Write into `folder`, which is there, all that `restore` needs to go on as if nothing had happened."""
        ...

    def restore(self, folder: Path) -> None:
        """Be as the one that was saved."""
        ...


def read_files(
    state: State, job: Record, read: Callable[[bytes, str], tuple[list[Item], int]]
) -> dict[str, list[Item]] | None:
    """Return the lessons of the job's training and validation file; None where one is bad: the job has failed.

    `read` returns those of a file's content, which is for "training" or for "validation", and how many it cut.
    """
    files: dict[str, list[Item]] = {"training": [], "validation": []}
    for kind in files:
        if file_id := job[f"{kind}_file"]:
            try:
                files[kind], cut = read(state.content(file_id), kind)
            except (InvalidFileError, FileNotFoundError) as error:
                gone = isinstance(error, FileNotFoundError)
                why = f"{file_id} was deleted" if gone else f"Invalid file format. {error}"
                message = f"The job failed due to an invalid {kind} file. {why}"
                state.end_job(job["id"], "failed", message, f"invalid_{kind}_file", f"{kind}_file")
                return None
            if cut and "_validated" not in job:
                message = f"{cut} examples of the {kind} file are longer than the model's context and were cut"
                state.add_event(job["id"], message, level="warn")
    if "_validated" not in job:  # not by its status: one that was paused before it started is in the queue already
        job |= {"status": "queued", "_validated": True}
        state.add_event(job["id"], "Files validated, moving job to queued state")
        state.write_job(job)
    return files


def settled(method: Record) -> Record:
    """Return the hyperparameters of a job's method, with a number in place of every "auto" that has one."""
    auto = {"n_epochs": RECIPE.n_epochs, "batch_size": RECIPE.batch_size, "learning_rate_multiplier": 1.0}
    asked = method[method["type"]]["hyperparameters"]
    if method["type"] == "dpo":
        auto |= {"n_epochs": RECIPE.preference_epochs, "beta": RECIPE.beta}
    return {**asked, **{name: value if asked.get(name, AUTO) == AUTO else asked[name] for name, value in auto.items()}}


class Training(Generic[Item]):
    """The loop of one job; it stands still before the next step once `pausing` is set."""

    def __init__(
        self,
        state: State,
        job: Record,
        train: list[Item],
        valid: list[Item],
        pausing: threading.Event | None = None,
    ) -> None:
        """Settle what the job left to "auto", and write that it runs, from the start or from where it was left."""
        self.state, self.job, self.train, self.valid = state, job, train, valid
        self._pausing = pausing or threading.Event()
        used = settled(job["method"])
        self.n_epochs, self.batch_size = int(used["n_epochs"]), int(used["batch_size"])
        self.rate = float(used["learning_rate_multiplier"])
        self.rate *= RECIPE.preference_rate if job["method"]["type"] == "dpo" else RECIPE.learning_rate
        self.per_epoch = -(-len(train) // self.batch_size)
        self.n_steps = self.n_epochs * self.per_epoch
        method = job["method"]["type"]
        job["method"] = {"type": method, method: {**job["method"][method], "hyperparameters": used}}
        job |= {"hyperparameters": used, "status": "running", "_pid": os.getpid()}
        self.step, self.saved = state.training(job["id"])
        self.rows: list[Record] = []
        if self.saved is not None:
            left = read_json(self.saved / "training.json") or {}
            self.rows, job["_checkpoints"] = left["rows"], left["checkpoints"]
        self._saved_at, self._saving = time.monotonic(), 0.0
        state.write_job(job)
        where = f"resumed after step {self.step}" if self.step else "started"
        state.add_event(job["id"], f"Fine-tuning job {where}")
        self._mirrors = mirror.start(state, job)  # held: they end when we do
        steps = [event["data"]["step"] for event in state.events(job["id"]) if event["type"] == "metrics"]
        self._told = max(steps, default=0)
        for row in self.rows:  # what was told may have been cut short
            self._tell(row)

    def run(self, learner: Learner[Item], verdict: tuple[str, str] | None = None) -> None:
        """Train, write checkpoints, and write the job's end; a `verdict` (message, code) refuses what was learnt."""
        if self.saved is not None:
            learner.restore(self.saved)
        begun, first = time.time(), self.step
        for number, batch in self._left():
            if self._pausing.is_set():
                self._pause(learner)
                return
            loss, accuracy = learner.learn(batch, self.rate * rate_at(self.step + 1, self.n_steps))
            self.step += 1
            if not math.isfinite(loss):
                message = f"The training loss is not a number at step {self.step}. Lower learning_rate_multiplier."
                self.state.end_job(self.job["id"], "failed", message, "training_diverged", "method")
                return
            row = {"step": self.step, "train_loss": loss, "train_mean_token_accuracy": accuracy}
            self.rows.append(row)
            left = (time.time() - begun) * (self.n_steps - self.step) / (self.step - first)
            self.job["estimated_finish"] = int(time.time() + left + 1)
            if self.step == number * self.per_epoch:
                self._checkpoint(learner, row)
            else:
                if time.monotonic() > self._saved_at + max(SAVE_SECONDS, self._saving / SAVING_AT_MOST):
                    self._save(learner)
                self.state.write_job(self.job, durable=False)
            self._tell(row)
        if verdict is not None:
            self.state.end_job(self.job["id"], "failed", *verdict)
            return
        self._succeed()

    def _left(self) -> Iterator[tuple[int, list[Item]]]:
        """Yield the batches still to be learnt, each with the number of its epoch."""
        for number in range(self.step // self.per_epoch + 1, self.n_epochs + 1):
            batches = epoch(self.train, self.batch_size, self.job["seed"], number)
            yield from ((number, batch) for batch in batches[self.step - (number - 1) * self.per_epoch :])

    def _tell(self, row: Record) -> None:
        """Write the events of a step, unless they were written before the job was taken up."""
        step, job_id = row["step"], self.job["id"]
        if step <= self._told:
            return
        if step % self.per_epoch == 0 and step < self.n_steps:
            name = self._checkpoint_name(step)
            self.state.add_event(job_id, f"Checkpoint created at step {step} with Snapshot ID: {name}")
        message = f"Step {step}/{self.n_steps}: training loss={row['train_loss']:.2f}"
        if "valid_loss" in row:
            loss = row["valid_loss"]
            message += f", validation loss={loss:.2f}, full validation loss={loss:.2f}"
        self.state.add_event(job_id, message, metrics={"total_steps": self.n_steps, **row})

    def _save(self, learner: Learner[Item]) -> None:
        """Write what the job can be taken up from; what it could be taken up from before goes."""
        begun = time.monotonic()
        folder = self.state.job_folder(self.job["id"]) / "training" / f"step-{self.step}"
        with whole(folder) as making:
            learner.save(making)
            write_json(making / "training.json", {"rows": self.rows, "checkpoints": self.job["_checkpoints"]})
        _keep(folder.parent, {folder.name})
        self.saved, self._saved_at = folder, time.monotonic()
        self._saving = self._saved_at - begun

    def _pause(self, learner: Learner[Item]) -> None:
        if self.step and (self.saved is None or self.saved.name != f"step-{self.step}"):
            self._save(learner)
        self.state.park_job(self.job["id"], f"The job was paused after step {self.step}")

    def _checkpoint(self, learner: Learner[Item], row: Record) -> None:
        """Write the adapters, their record, and what to go on from; the row gets the metrics of the validation file."""
        if self.valid:
            loss, accuracy = learner.measure(self.valid)
            row |= {"valid_loss": loss, "valid_mean_token_accuracy": accuracy}
            row |= {"full_valid_loss": loss, "full_valid_mean_token_accuracy": accuracy}
        learner.write(self.state.job_folder(self.job["id"]) / "adapters" / f"step-{self.step}")
        self.job["_checkpoints"].append(
            {
                "id": new_id("ftckpt_"),
                "object": "fine_tuning.job.checkpoint",
                "created_at": int(time.time()),
                "fine_tuned_model_checkpoint": self._checkpoint_name(self.step),
                "fine_tuning_job_id": self.job["id"],
                "step_number": self.step,
                "metrics": dict(row),
            }
        )
        del self.job["_checkpoints"][:-CHECKPOINTS_KEPT]
        self._save(learner)
        self.state.write_job(self.job)
        self._prune()

    def _prune(self) -> None:
        """Remove the adapters of checkpoints that are no longer kept."""
        adapters = self.state.job_folder(self.job["id"]) / "adapters"
        _keep(adapters, {f"step-{checkpoint['step_number']}" for checkpoint in self.job["_checkpoints"]})

    def _checkpoint_name(self, step: int) -> str:
        return f"{self.job['_name']}:ckpt-step-{step}"

    def _succeed(self) -> None:
        lines = [",".join(TABLE)]
        for row in self.rows:
            lines.append(",".join(f"{row[name]:.6g}" if name in row else "" for name in TABLE.values()))
        table = ("\n".join(lines) + "\n").encode()
        known_by = "file-" + self.job["id"].removeprefix("ftjob-")  # so that one killed here writes no second file
        result = self.state.add_file("step_metrics.csv", "fine-tune-results", table, known_by)
        tokens = self.n_epochs * sum(lesson.n_tokens for lesson in self.train)
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
        self._prune()  # the last time may have been cut short
        self.state.drop_training(self.job["id"])


def _keep(folder: Path, names: set[str]) -> None:
    """Remove all else from a folder of folders; the server may be removing a model there."""
    for path in folder.iterdir():
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def rate_at(step: int, n_steps: int) -> float:
    """Return the share of the learning rate at a step (from 1): a linear rise, then a linear fall."""
    warm_up = max(1, round(RECIPE.warm_up * n_steps))
    if step <= warm_up:
        return step / warm_up
    return RECIPE.last_rate + (1 - RECIPE.last_rate) * (n_steps - step) / max(1, n_steps - warm_up)
