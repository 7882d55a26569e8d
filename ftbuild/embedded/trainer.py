"""One job, trained in a process of its own: lessons in, adapters, events and checkpoints out.

Owns the recipe and the loop. Started by the server; ends when its standard input closes, which
is when the server died. Loss is the mean over learnt tokens of a batch. Same seed, same machine,
same number of threads: same numbers.
"""

import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftbuild.embedded.lessons import InvalidFileError, epoch, pieces, read_lessons, shared_prefix
from ftbuild.embedded.state import CHECKPOINTS_KEPT, Record, State, new_id
from ftbuild.embedded.template import Lesson, Template

if TYPE_CHECKING:
    from torch import Tensor

    from ftbuild.embedded.llama import Llama, LowRank


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


def run(state: State, job_id: str, threads: int) -> None:
    """Train the job and write its end; ends the process when standard input closes."""
    threading.Thread(target=_end_with_server, daemon=True).start()
    job = state.job(job_id)
    if job is None:
        raise ValueError(f"no job {job_id!r} in {state.folder}")
    base = state.base(job["model"])
    if base is None:
        state.end_job(job_id, "failed", f"The base model {job['model']} is gone.", "model_not_found", "model")
        return
    template = Template(base.folder)
    files: dict[str, list[Lesson]] = {"training": [], "validation": []}
    for kind in files:
        if file_id := job[f"{kind}_file"]:
            try:
                files[kind], cut = read_lessons(state.content(file_id), template, kind)
            except (InvalidFileError, FileNotFoundError) as error:
                message = f"The job failed due to an invalid {kind} file. Invalid file format. {error}"
                state.end_job(job_id, "failed", message, f"invalid_{kind}_file", f"{kind}_file")
                return
            if cut:
                message = f"{cut} examples of the {kind} file are longer than the model's context and were cut"
                state.add_event(job_id, message, level="warn")
    state.add_event(job_id, "Files validated, moving job to queued state")
    Training(state, job, files["training"], files["validation"], threads).run(base.folder)


def _end_with_server() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would be held when the process ends by itself
        pass
    os._exit(1)


class Training:
    """The loop of one job."""

    def __init__(self, state: State, job: Record, train: list[Lesson], valid: list[Lesson], threads: int) -> None:
        """Settle what the job left to "auto"."""
        import torch

        torch.set_num_threads(threads)
        self.state, self.job, self.train, self.valid = state, job, train, valid
        asked = job["method"]["supervised"]["hyperparameters"]
        auto = {"n_epochs": RECIPE.n_epochs, "batch_size": RECIPE.batch_size, "learning_rate_multiplier": 1.0}
        used = {name: value if asked[name] == "auto" else asked[name] for name, value in auto.items()}
        self.n_epochs, self.batch_size = int(used["n_epochs"]), int(used["batch_size"])
        self.rate = RECIPE.learning_rate * used["learning_rate_multiplier"]
        self.n_steps = self.n_epochs * -(-len(train) // self.batch_size)
        job["method"] = {"type": "supervised", "supervised": {"hyperparameters": used}}
        job |= {"hyperparameters": used, "status": "running", "_pid": os.getpid()}
        state.write_job(job)
        state.add_event(job["id"], "Fine-tuning job started")

    def run(self, base_folder: Any) -> None:
        """Train, write checkpoints, and write the job's success."""
        import torch

        from ftbuild.embedded.llama import Llama, fast_dtype
        from ftbuild.embedded.lora import Lora

        llama = Llama(base_folder, fast_dtype(base_folder))
        lora = Lora.start(llama, RECIPE.rank, RECIPE.alpha, self.job["seed"])
        parameters = lora.parameters()
        for parameter in parameters:
            parameter.requires_grad_()
        optimizer = torch.optim.AdamW(parameters, lr=self.rate, weight_decay=RECIPE.weight_decay, fused=True)
        rows: list[dict[str, Any]] = []
        started = time.time()
        step = 0
        for number in range(1, self.n_epochs + 1):
            for batch in epoch(self.train, self.batch_size, self.job["seed"], number):
                step += 1
                for group in optimizer.param_groups:
                    group["lr"] = self.rate * rate_at(step, self.n_steps)
                optimizer.zero_grad(set_to_none=True)
                loss, accuracy = learn(llama, lora, batch)
                if not math.isfinite(loss):
                    message = f"The training loss is not a number at step {step}. Lower learning_rate_multiplier."
                    self.state.end_job(self.job["id"], "failed", message, "training_diverged", "method")
                    return
                torch.nn.utils.clip_grad_norm_(parameters, RECIPE.max_norm)
                optimizer.step()
                row = {"step": step, "train_loss": loss, "train_mean_token_accuracy": accuracy}
                if step == number * (self.n_steps // self.n_epochs):
                    row |= self._checkpoint(llama, lora, step, number, row)
                rows.append(row)
                self.job["estimated_finish"] = int(started + (time.time() - started) * self.n_steps / step + 1)
                self.state.write_job(self.job, durable=False)
                message = f"Step {step}/{self.n_steps}: training loss={loss:.2f}"
                if "valid_loss" in row:
                    loss = row["valid_loss"]
                    message += f", validation loss={loss:.2f}, full validation loss={loss:.2f}"
                self.state.add_event(self.job["id"], message, metrics={"total_steps": self.n_steps, **row})
        self._succeed(rows)

    def _checkpoint(self, llama: "Llama", lora: Any, step: int, number: int, row: Record) -> Record:
        """Write the adapters and their record; return the metrics of the validation file."""
        import torch

        metrics: Record = {}
        if self.valid:
            with torch.no_grad():
                low_rank = lora.fused(llama)
            loss, accuracy = measure(llama, low_rank, self.valid)
            metrics = {"valid_loss": loss, "valid_mean_token_accuracy": accuracy}
            metrics |= {"full_valid_loss": loss, "full_valid_mean_token_accuracy": accuracy}
        job_id = self.job["id"]
        adapters = self.state.job_folder(job_id) / "adapters"
        lora.write(adapters / f"step-{step}", self.job["model"])
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


def learn(llama: "Llama", lora: Any, batch: Sequence[Lesson]) -> tuple[float, float]:
    """Add the batch's gradients to the adapters; return its loss and the share of tokens guessed right."""
    n = n_learnt(batch)
    loss, right = 0.0, 0
    for piece in pieces(batch, RECIPE.piece_tokens):
        losses, hits = token_losses(llama, lora.fused(llama), piece)
        (losses.sum() / n).backward()  # type: ignore[no-untyped-call]
        loss += float(losses.detach().sum())
        right += hits
    return loss / n, right / n


def measure(llama: "Llama", low_rank: "LowRank | None", lessons: Sequence[Lesson]) -> tuple[float, float]:
    """Return the loss over all learnt tokens of the lessons and the share guessed right; no gradients."""
    import torch

    loss, right = 0.0, 0
    for piece in pieces(lessons, RECIPE.piece_tokens):
        with torch.no_grad():
            losses, hits = token_losses(llama, low_rank, piece)
        loss += float(losses.sum())
        right += hits
    return loss / n_learnt(lessons), right / n_learnt(lessons)


def n_learnt(lessons: Sequence[Lesson]) -> int:
    """Return how many tokens are learnt, the first of a conversation never among them."""
    return sum(sum(lesson.learnt[1:]) for lesson in lessons)


def token_losses(
    llama: "Llama", low_rank: "LowRank | None", batch: Sequence[Lesson], *, share: bool = True
) -> tuple["Tensor", int]:
    """Return the cross-entropy of every learnt token (row by row) and how many were the likeliest.

    With `share` the prefix that all rows have in common is computed once.
    """
    import torch
    from torch.nn import functional

    from ftbuild.embedded.llama import encode

    shared = shared_prefix(batch) if share else 0
    past = None
    if shared:
        _, past = encode(llama, torch.tensor([batch[0].ids[:shared]]), lora=low_rank)
    longest = max(len(lesson.ids) for lesson in batch) - shared
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    learnt = torch.zeros(len(batch), longest, dtype=torch.bool)
    for row, lesson in enumerate(batch):
        ids[row, : len(lesson.ids) - shared] = torch.tensor(lesson.ids[shared:])
        learnt[row, : len(lesson.ids) - shared] = torch.tensor(lesson.learnt[shared:])
    hidden, _ = encode(llama, ids[:, :-1], past, low_rank)
    logits = llama.logits(hidden[learnt[:, 1:]]).float()
    targets = ids[:, 1:][learnt[:, 1:]]
    losses = functional.cross_entropy(logits, targets, reduction="none")
    return losses, int((logits.detach().argmax(-1) == targets).sum())
