"""A job trained with torch, in a process of its own: the arithmetic of one step, and the door of the process.

Started by the server; a line on its standard input asks it to stand still, and it ends when that closes, which is when
the server died. Loss is the mean over learnt tokens of a batch. Same seed, same machine, same number of threads: same
numbers, whether the job was stopped and taken up or not.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftbuild.embedded.lessons import pieces, read_lessons, shared_prefix
from ftbuild.embedded.state import State
from ftbuild.embedded.template import Lesson, Template
from ftbuild.embedded.training import RECIPE, Training, read_files

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ftbuild.embedded.llama import Llama, LowRank
    from ftbuild.embedded.lora import Lora


def run(state: State, job_id: str, threads: int) -> None:
    """Train the job until its end or until it is to stand still; ends the process when standard input closes."""
    from filelock import FileLock

    pausing = threading.Event()
    threading.Thread(target=_listen, args=(pausing,), daemon=True).start()
    with FileLock(state.job_folder(job_id) / "trainer.lock"):  # of one that is just dying with its server
        _train(state, job_id, threads, pausing)


def _train(state: State, job_id: str, threads: int, pausing: threading.Event) -> None:
    job = state.job(job_id)
    if job is None:
        raise ValueError(f"no job {job_id!r} in {state.folder}")
    base = state.base(job["model"])
    if base is None:
        state.end_job(job_id, "failed", f"The base model {job['model']} is gone.", "model_not_found", "model")
        return
    template = Template(base.folder)
    files = read_files(state, job, lambda content, kind: read_lessons(content, template, kind))
    if files is not None:
        import torch

        from ftbuild.embedded.llama import fast_dtype

        torch.set_num_threads(threads)
        if "_dtype" not in job:  # a probe says it, which might say something else the next time
            job["_dtype"] = str(fast_dtype(base.folder)).removeprefix("torch.")
        training = Training(state, job, files["training"], files["validation"], pausing)
        training.run(LoraLearner(base.folder, job["model"], job["seed"], getattr(torch, job["_dtype"])))


def _listen(pausing: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would be held when the process ends by itself
        pausing.set()
    os._exit(1)


class LoraLearner:
    """Adapters on a base model, trained by AdamW."""

    def __init__(self, base: Path, model: str, seed: int, dtype: "torch.dtype") -> None:
        """Load the base model that lies in `base`; `model` is its name in what `write` writes."""
        import torch

        from ftbuild.embedded.llama import Llama
        from ftbuild.embedded.lora import Lora

        self._model = model
        self._llama = Llama(base, dtype)
        self._lora = Lora.start(self._llama, RECIPE.rank, RECIPE.alpha, seed)
        self._parameters = self._lora.parameters()
        for parameter in self._parameters:
            parameter.requires_grad_()
        self._optimizer = torch.optim.AdamW(self._parameters, weight_decay=RECIPE.weight_decay, fused=True)

    def learn(self, batch: Sequence[Lesson], rate: float) -> tuple[float, float]:
        """Take one step at this learning rate; return the loss before it and the share of tokens guessed right."""
        import torch

        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        measured = learn(self._llama, self._lora, batch)
        torch.nn.utils.clip_grad_norm_(self._parameters, RECIPE.max_norm)
        self._optimizer.step()
        return measured

    def measure(self, lessons: Sequence[Lesson]) -> tuple[float, float]:
        """Return the loss over the lessons and the share of tokens guessed right; nothing is learnt."""
        import torch

        with torch.no_grad():
            low_rank = self._lora.fused(self._llama)
        return measure(self._llama, low_rank, lessons)

    def write(self, folder: Path) -> None:
        """Write the adapters into `folder`, which appears when it is whole."""
        self._lora.write(folder, self._model)

    def save(self, folder: Path) -> None:
        """Write the adapters and the optimizer's moments."""
        from safetensors.torch import save_file

        tensors = {}
        for number, parameter in enumerate(self._parameters):
            tensors[f"{number}"] = parameter.detach()
            tensors |= {f"{number}.{name}": value for name, value in self._optimizer.state[parameter].items()}
        save_file(tensors, folder / "learner.safetensors")

    def restore(self, folder: Path) -> None:
        """Be as the one that was saved."""
        import torch
        from safetensors.torch import load_file

        tensors = load_file(folder / "learner.safetensors")
        with torch.no_grad():
            for number, parameter in enumerate(self._parameters):
                parameter.copy_(tensors[f"{number}"])
                at = f"{number}."
                moments = {name.removeprefix(at): value for name, value in tensors.items() if name.startswith(at)}
                self._optimizer.state[parameter] = moments


def learn(llama: "Llama", lora: "Lora", batch: Sequence[Lesson]) -> tuple[float, float]:
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
