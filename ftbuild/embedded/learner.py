"""The arithmetic of a step with torch: adapters that learn answers.

Owns the optimizer and the loss, which is the mean over learnt tokens of a batch. Knows nothing of jobs. Same seed, same
machine, same number of threads: same numbers, whether a learner was saved and restored on the way or not.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from ftbuild.embedded.adamw import AdamW
from ftbuild.embedded.lessons import Item, pieces, shared_prefix
from ftbuild.embedded.llama import Llama, LowRank, encode
from ftbuild.embedded.lora import Lora
from ftbuild.embedded.template import Lesson
from ftbuild.embedded.training import RECIPE
from ftbuild.embedded.weights import Base


class LoraLearner(ABC, Generic[Item]):
    """Adapters on a base model, trained by AdamW; what is learnt from is the matter of those that inherit."""

    def __init__(
        self, base: Base, seed: int, dtype: torch.dtype, adapters: Path | None = None, device: str = "cpu"
    ) -> None:
        """Load the base model and begin with the `adapters` of a fine-tuned one, or with some that change nothing."""
        self._model = base.model
        self.llama = Llama(base.folder, dtype, device)
        self.lora = (
            Lora.start(self.llama, RECIPE.rank, RECIPE.alpha, seed) if adapters is None else Lora.read(adapters, device)
        )
        self._parameters = self.lora.parameters()
        for parameter in self._parameters:
            parameter.requires_grad_()
        self._optimizer = AdamW(self._parameters, RECIPE.weight_decay)

    @abstractmethod
    def gradients(self, batch: Sequence[Item]) -> tuple[float, float]:
        """Add the batch's gradients to the adapters; return its loss and the share that was told right."""

    @abstractmethod
    def measure(self, lessons: Sequence[Item]) -> tuple[float, float]:
        """Return the loss over the lessons and the share that was told right; nothing is learnt."""

    def learn(self, batch: Sequence[Item], rate: float) -> tuple[float, float]:
        """Take one step at this learning rate; return the loss before it and the share that was told right."""
        self._optimizer.forget()
        measured = self.gradients(batch)
        torch.nn.utils.clip_grad_norm_(self._parameters, RECIPE.max_norm)
        self._optimizer.step(rate)
        return measured

    def low_rank(self) -> LowRank:
        """Return the adapters as they are now, as the forward pass takes them, without gradients."""
        with torch.no_grad():
            return self.lora.fused(self.llama)

    def write(self, folder: Path) -> None:
        """Write the adapters into `folder`, which appears when it is whole."""
        self.lora.write(folder, self._model)

    def save(self, folder: Path) -> None:
        """Write the adapters and the optimizer's moments."""
        learnt = {f"{number}": parameter.detach() for number, parameter in enumerate(self._parameters)}
        save_file(learnt | self._optimizer.moments(), folder / "learner.safetensors")

    def restore(self, folder: Path) -> None:
        """Be as the one that was saved."""
        tensors = load_file(folder / "learner.safetensors", self.llama.device)
        with torch.no_grad():
            for number, parameter in enumerate(self._parameters):
                parameter.copy_(tensors[f"{number}"])
        self._optimizer.take_up(tensors)


class SupervisedLearner(LoraLearner[Lesson]):
    """Adapters that learn answers."""

    def gradients(self, batch: Sequence[Lesson]) -> tuple[float, float]:
        """Add the batch's gradients to the adapters; return its loss and the share of tokens guessed right."""
        return learn(self.llama, self.lora, batch)

    def measure(self, lessons: Sequence[Lesson]) -> tuple[float, float]:
        """Return the loss over the lessons and the share of tokens guessed right; nothing is learnt."""
        return measure(self.llama, self.low_rank(), lessons)


def learn(llama: Llama, lora: Lora, batch: Sequence[Lesson]) -> tuple[float, float]:
    """Add the batch's gradients to the adapters; return its loss and the share of tokens guessed right."""
    n = n_learnt(batch)
    loss, right = 0.0, 0
    for piece in pieces(batch, RECIPE.piece_tokens):
        losses, hits = token_losses(llama, lora.fused(llama), piece)
        (losses.sum() / n).backward()  # type: ignore[no-untyped-call]
        loss += float(losses.detach().sum())
        right += hits
    return loss / n, right / n


def measure(llama: Llama, low_rank: LowRank | None, lessons: Sequence[Lesson]) -> tuple[float, float]:
    """Return the loss over all learnt tokens of the lessons and the share guessed right; no gradients."""
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
    llama: Llama, low_rank: LowRank | None, batch: Sequence[Lesson], *, share: bool = True
) -> tuple[Tensor, int]:
    """Return the cross-entropy of every learnt token (row by row) and how many were the likeliest.

    With `share` the prefix that all rows have in common is computed once.
    """
    shared = shared_prefix(batch) if share else 0
    past = None
    if shared:
        _, past = encode(llama, torch.tensor([batch[0].ids[:shared]], device=llama.device), lora=low_rank)
    longest = max(len(lesson.ids) for lesson in batch) - shared
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    learnt = torch.zeros(len(batch), longest, dtype=torch.bool)
    for row, lesson in enumerate(batch):
        ids[row, : len(lesson.ids) - shared] = torch.tensor(lesson.ids[shared:])
        learnt[row, : len(lesson.ids) - shared] = torch.tensor(lesson.learnt[shared:])
    ids, learnt = ids.to(llama.device), learnt.to(llama.device)
    hidden, _ = encode(llama, ids[:, :-1], past, low_rank)
    logits = llama.logits(hidden[learnt[:, 1:]]).float()
    targets = ids[:, 1:][learnt[:, 1:]]
    losses = functional.cross_entropy(logits, targets, reduction="none")
    return losses, int((logits.detach().argmax(-1) == targets).sum())
