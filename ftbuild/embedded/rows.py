"""Keys and values of the texts that a batch goes on with: a row a text, joined and left at any time.

Room for a whole row is there from the start, but memory is taken only where something was written, so an answer grows
without a copy. A row's next key goes behind its own last one, so no row sees padding. When a row leaves, the last one
takes its place. What a row is does not depend on the rows beside it, nor on what was read before and what at once, to
the last bit where the kernels are those of oneDNN on x86. Rows are laid out rows x key heads x tokens x head width, in
every layer.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ftbuild.embedded.llama import Llama

ROWS_AT_MOST = 32
BYTES_AT_MOST = 2 * 2**30
LEAST_TOKENS = 1024
KEYS_AT_ONCE = 32  # whole vectors of any CPU: the rest of one would be rounded otherwise
TOKENS_AT_ONCE = 2048  # rows x tokens that are read in one pass; more only costs memory


class Rows:
    """The rows of one batch."""

    def __init__(self, llama: "Llama") -> None:
        self._llama = llama
        self.lengths: list[int] = []  # tokens of each row that were read
        self.tokens = min(LEAST_TOKENS, llama.shape.context)  # room in a row
        self._kept = self._memory(self.tokens)

    def room(self, tokens: int, joining: int = 0) -> bool:
        """Return whether a row of so many tokens may join besides those that are `joining`; the first always may."""
        n_rows = len(self.lengths) + joining
        return n_rows == 0 or n_rows < self._at_most(max(tokens, self.tokens))

    def join(self, beginning: "Sequence[Tensor]", tokens: int) -> None:
        """Add a row that may become `tokens` long and begins with what was read before."""
        if tokens > self.tokens:
            self._widen(tokens)
        row, at = len(self.lengths), 0
        for piece in beginning:
            self._kept[:, :, row, :, at : at + piece.shape[-2]] = piece
            at += piece.shape[-2]
        self.lengths.append(at)

    def leave(self, row: int) -> None:
        """Let a row go; the last one takes its number."""
        last = len(self.lengths) - 1
        if row != last:
            self._kept[:, :, row, :, : self.lengths[last]] = self._kept[:, :, last, :, : self.lengths[last]]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()

    def kept(self, row: int, start: int, end: int) -> "Tensor":
        """Return the keys and values of a row from one place to another: layers x 2 x key heads x tokens x width."""
        return self._kept[:, :, row, :, start:end]

    def read(self, first: int, new: Sequence[Sequence[int]]) -> "Tensor":
        """Read tokens behind the rows from `first` on; return the hidden state of each one's last (rows x width)."""
        import torch

        hidden = []
        piece: list[Sequence[int]] = []
        for tokens in new:  # in pieces that memory allows
            longest = max(map(len, (tokens, *piece)))
            if piece and longest * (len(piece) + 1) > TOKENS_AT_ONCE:
                hidden.append(self._read(first, piece))
                first, piece = first + len(piece), []
            piece.append(tokens)
        hidden.append(self._read(first, piece))
        return torch.cat(hidden)

    def _read(self, first: int, new: Sequence[Sequence[int]]) -> "Tensor":
        import torch

        if len(new) == 1 and len(new[0]) > TOKENS_AT_ONCE:
            self._read(first, [new[0][:TOKENS_AT_ONCE]])
            return self._read(first, [new[0][TOKENS_AT_ONCE:]])
        counts = torch.tensor([len(tokens) for tokens in new])
        longest = int(counts.max())
        ids = torch.zeros(len(new), longest, dtype=torch.long)
        for row, tokens in enumerate(new):
            ids[row, : len(tokens)] = torch.tensor(tokens)
        starts = torch.tensor(self.lengths[first : first + len(new)])
        hidden = self._pass(first, ids, starts)
        for row, tokens in enumerate(new):
            self.lengths[first + row] += len(tokens)
        return hidden[torch.arange(len(new)), counts - 1]

    def _pass(self, first: int, ids: "Tensor", starts: "Tensor") -> "Tensor":
        """Run the model over new tokens of some rows; behind a short row's last one stands what nobody sees."""
        import torch

        shape = self._llama.shape
        n_rows, n_new = ids.shape
        end = int(starts.max()) + n_new
        level = bool((starts == starts[0]).all())
        positions = (starts[:1] if level else starts)[:, None] + torch.arange(n_new)
        looked_at = min(-(-end // KEYS_AT_ONCE) * KEYS_AT_ONCE, self.tokens)
        seen = torch.arange(looked_at) <= positions[:, :, None]
        mask = torch.zeros(seen.shape, dtype=self._llama.dtype).masked_fill_(~seen, float("-inf"))[:, None]
        mask = mask.repeat(1, 1, shape.heads // shape.kv_heads, 1)
        positions = positions.clamp(max=self.tokens - 1)
        rows = torch.arange(first, first + n_rows)[:, None]
        at = int(starts[0])

        def remember(layer: int, k: "Tensor", v: "Tensor") -> tuple["Tensor", "Tensor"]:
            found = []
            for kept, fresh in zip(self._kept[layer], (k, v), strict=True):
                if level and end <= self.tokens:
                    kept[first : first + n_rows, :, at:end] = fresh
                else:
                    kept[rows, :, positions] = fresh.transpose(1, 2)
                found.append(kept[first : first + n_rows, :, :looked_at])
            return found[0], found[1]

        return self._llama.forward(ids, positions, mask, remember)

    def _at_most(self, tokens: int) -> int:
        shape = self._llama.shape
        a_token = 2 * shape.layers * shape.kv_heads * shape.head_width * self._llama.dtype.itemsize
        return max(1, min(ROWS_AT_MOST, BYTES_AT_MOST // (a_token * tokens)))

    def _memory(self, tokens: int) -> "Tensor":
        import numpy as np
        import torch

        shape = self._llama.shape
        size = (shape.layers, 2, self._at_most(tokens), shape.kv_heads, tokens, shape.head_width)
        kind: torch.dtype = self._llama.dtype
        return torch.from_numpy(np.zeros(size, dtype=f"i{kind.itemsize}")).view(kind)  # zeros of numpy are not written

    def _widen(self, tokens: int) -> None:
        """Have rows of twice the room or more: the one time that what was read is copied."""
        before = self._kept
        while self.tokens < tokens:
            self.tokens = min(2 * self.tokens, self._llama.shape.context)
        self._kept = self._memory(self.tokens)
        for row, length in enumerate(self.lengths):
            self._kept[:, :, row, :, :length] = before[:, :, row, :, :length]
