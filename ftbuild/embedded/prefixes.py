"""Keys and values of texts that were read before, so that a text that begins like one of them is read from there on.

A tree: what texts have in common is kept once. A leaf that was not used for longest goes first. The bytes kept are
bounded; texts of different models never meet.
Source: RadixAttention (Zheng et al., SGLang, 2024).
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

BYTES_AT_MOST = 256 * 2**20


@dataclass(eq=False)
class Piece:
    """Tokens that follow each other in a text, and their keys and values (..., tokens, width)."""

    tokens: tuple[int, ...]
    kept: "Tensor | None"
    parent: "Piece | None"
    used: int = 0
    after: "dict[int, Piece]" = field(default_factory=dict)  # by their first token

    @property
    def n_bytes(self) -> int:
        """Return the size of what is kept."""
        return 0 if self.kept is None else self.kept.numel() * self.kept.element_size()


class Prefixes:
    """The texts that were read."""

    def __init__(self, bytes_at_most: int = BYTES_AT_MOST) -> None:
        self._at_most = bytes_at_most
        self._roots: dict[Hashable, Piece] = {}
        self._clock = count(1)
        self.n_bytes = 0

    def beginning(self, model: Hashable, tokens: Sequence[int]) -> "list[Tensor]":
        """Return the keys and values of the longest beginning that is known, in pieces."""
        now = next(self._clock)
        found = []
        for piece, same in self._walk(model, tokens):
            piece.used = now
            assert piece.kept is not None
            found.append(piece.kept[..., :same, :])
        return found

    def add(self, model: Hashable, tokens: Sequence[int], kept: "Callable[[int, int], Tensor]") -> None:
        """Keep a text that was read; `kept` returns the keys and values from one place to another."""
        now = next(self._clock)
        last, at = self._roots.setdefault(model, Piece((), None, None)), 0
        for piece, same in list(self._walk(model, tokens)):
            last, at = piece if same == len(piece.tokens) else _cut(piece, same), at + same
            last.used = now
        if at < len(tokens):
            new = Piece(tuple(tokens[at:]), kept(at, len(tokens)).clone(), last, now)
            last.after[tokens[at]] = new
            self.n_bytes += new.n_bytes
        while self.n_bytes > self._at_most and (leaf := self._oldest_leaf()) is not None:
            assert leaf.parent is not None
            del leaf.parent.after[leaf.tokens[0]]
            self.n_bytes -= leaf.n_bytes

    def clear(self) -> None:
        """Let everything go."""
        self._roots.clear()
        self.n_bytes = 0

    def _walk(self, model: Hashable, tokens: Sequence[int]) -> Iterator[tuple[Piece, int]]:
        """Yield the pieces that a text begins with, and how many tokens of each."""
        piece, at = self._roots.get(model), 0
        while piece is not None and at < len(tokens):
            piece = piece.after.get(tokens[at])
            if piece is None:
                return
            pairs = zip(piece.tokens, tokens[at : at + len(piece.tokens)], strict=False)
            same = next((number for number, (one, other) in enumerate(pairs) if one != other), None)
            if same is None:
                same = min(len(piece.tokens), len(tokens) - at)
            yield piece, same
            if same < len(piece.tokens):
                return
            at += same

    def _oldest_leaf(self) -> Piece | None:
        leaves = []
        waiting = list(self._roots.values())
        while waiting:
            piece = waiting.pop()
            waiting += piece.after.values()
            if not piece.after and piece.parent is not None:
                leaves.append(piece)
        return min(leaves, key=lambda leaf: leaf.used, default=None)


def _cut(piece: Piece, at: int) -> Piece:
    """Part a piece in two that follow each other; return the first."""
    assert piece.kept is not None
    assert piece.parent is not None
    first = Piece(piece.tokens[:at], piece.kept[..., :at, :].clone(), piece.parent, piece.used)
    piece.parent.after[first.tokens[0]] = first
    piece.tokens, piece.kept, piece.parent = piece.tokens[at:], piece.kept[..., at:, :].clone(), first
    first.after[piece.tokens[0]] = piece
    return first
