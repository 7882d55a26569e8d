"""Direct preference optimization: adapters learn to prefer one answer to another, not far from where they began.

The loss of a pair is -log sigmoid(beta * (gain of the preferred answer - gain of the rejected one)); a gain is log p -
log p', p being the model and p' the reference: the model before the first step, so the base model without adapters, or
with those that the job began from. What the reference says is computed once, before the first step, and kept as two
numbers a pair: no second model is ever in memory. What stands for accuracy is the share of pairs whose preferred answer
has gained more than the rejected one. Source: Rafailov et al., 2023.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ftbuild.embedded.learner import LoraLearner, token_losses
from ftbuild.embedded.llama import Llama, LowRank
from ftbuild.embedded.preferences import Pair
from ftbuild.embedded.training import RECIPE

Chances = tuple[Tensor, Tensor]  # log-probabilities of the preferred and of the rejected answers


class PreferenceLearner(LoraLearner[Pair]):
    """Adapters that learn from pairs."""

    def know(self, pairs: Sequence[Pair], beta: float) -> None:
        """Compute what the reference, which is what this learner is now, says of all pairs that will ever come."""
        self._beta = beta
        low_rank = self.low_rank()
        self._reference: dict[Pair, Sequence[float]] = {}
        for piece in pair_pieces(list(dict.fromkeys(pairs)), RECIPE.piece_tokens):
            with torch.no_grad():
                chances = torch.stack(answer_chances(self.llama, low_rank, piece), dim=1)
            self._reference |= dict(zip(piece, chances.tolist(), strict=True))

    def gradients(self, batch: Sequence[Pair]) -> tuple[float, float]:
        """Add the batch's gradients to the adapters; return its loss and the share of pairs told right."""
        loss, right = 0.0, 0
        for piece in pair_pieces(batch, RECIPE.piece_tokens):
            losses, hits = self._losses(piece, self.lora.fused(self.llama))
            (losses.sum() / len(batch)).backward()  # type: ignore[no-untyped-call]
            loss += float(losses.detach().sum())
            right += hits
        return loss / len(batch), right / len(batch)

    def measure(self, lessons: Sequence[Pair]) -> tuple[float, float]:
        """Return the loss over the pairs and the share told right; nothing is learnt."""
        low_rank = self.low_rank()
        loss, right = 0.0, 0
        for piece in pair_pieces(lessons, RECIPE.piece_tokens):
            with torch.no_grad():
                losses, hits = self._losses(piece, low_rank)
            loss += float(losses.sum())
            right += hits
        return loss / len(lessons), right / len(lessons)

    def _losses(self, pairs: Sequence[Pair], low_rank: LowRank | None) -> tuple[Tensor, int]:
        preferred, rejected = answer_chances(self.llama, low_rank, pairs)
        reference = torch.tensor([self._reference[pair] for pair in pairs], device=preferred.device)
        margins = (preferred - reference[:, 0]) - (rejected - reference[:, 1])
        return -functional.logsigmoid(self._beta * margins), int((margins.detach() > 0).sum())


def answer_chances(llama: Llama, low_rank: LowRank | None, pairs: Sequence[Pair]) -> Chances:
    """Return the log-probability of every preferred answer, and of every rejected one."""
    rows = [pair.preferred for pair in pairs] + [pair.rejected for pair in pairs]
    losses, _ = token_losses(llama, low_rank, rows)
    parts = torch.split(losses, [sum(row.learnt[1:]) for row in rows])
    chances = torch.stack([-part.sum() for part in parts])
    return chances[: len(pairs)], chances[len(pairs) :]


def pair_pieces(batch: Sequence[Pair], max_tokens: int) -> Iterator[list[Pair]]:
    """Yield the batch in pieces of at most `max_tokens` tokens with padding (or one pair): what memory allows."""
    piece: list[Pair] = []
    for pair in sorted(batch, key=_longest):
        if piece and 2 * (len(piece) + 1) * _longest(pair) > max_tokens:
            yield piece
            piece = []
        piece.append(pair)
    if piece:
        yield piece


def _longest(pair: Pair) -> int:
    return max(pair.preferred.n_tokens, pair.rejected.n_tokens)
