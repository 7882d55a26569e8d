"""Snippets marked inside a text.

Owns finding a snippet in a text; what a fact looks like there the scorer's own reader tells. Knows nothing
of HTML: the answer is a list of pieces, which joined give the text back unchanged.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ftbuild.report.misses import INVENTED, LOST, Snippet
from ftbuild.scorers.mentions import mentions

LONGEST_FACT = 4
Span = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """A stretch of text; `kind` is the kind of miss it shows, None for plain text."""

    text: str
    kind: str | None = None


def mark(text: str, snippets: Sequence[Snippet]) -> list[Piece]:
    """Return `text` in pieces, every occurrence of a snippet a piece of its own.

    A fact ("time 15:00") is looked for as the fewest words that say it ("3 p.m."), then by its value. Any
    other snippet is looked for as it is written, and without regard to case where that is found
    nowhere. Where two overlap the shorter stays, so that a word inside a long sentence is seen.
    """
    found = {(*span, s.kind) for s in snippets for span in _spans(text, s)}
    taken: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(found, key=lambda each: (each[1] - each[0], each)):
        if all(end <= other[0] or start >= other[1] for other in taken):
            taken.append((start, end, kind))
    pieces, at = [], 0
    for start, end, kind in sorted(taken):
        pieces += [Piece(text[at:start]), Piece(text[start:end], kind)]
        at = end
    pieces.append(Piece(text[at:]))
    return [piece for piece in pieces if piece.text]


def _spans(text: str, snippet: Snippet) -> list[Span]:
    if snippet.kind not in (LOST, INVENTED):
        return _verbatim(text, snippet.text)
    value = snippet.text.split(" ", 1)[-1]
    return _said(text, snippet.text) or _verbatim(text, snippet.text) or _verbatim(text, value)


def _said(text: str, fact: str) -> list[Span]:
    """Return where the fewest words in a row say the fact."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    for size in range(1, LONGEST_FACT + 1):
        windows = [(words[n][0], words[n + size - 1][1]) for n in range(len(words) - size + 1)]
        found = [span for span in windows if fact in map(str, mentions(text[slice(*span)]).facts)]
        if found:
            return [_trimmed(text, span, fact) for span in found]
    return []


def _trimmed(text: str, span: Span, fact: str) -> Span:
    """Return the span without the punctuation around it that the fact can do without; `p.m.` keeps its last point."""
    start, end = span
    inner = text[start:end].strip(",;:!?()\"'“”")
    if not inner.endswith(".m."):
        inner = inner.strip(".,;:!?()\"'“”")
    if fact not in map(str, mentions(inner).facts):
        return span
    at = text.index(inner, start)
    return at, at + len(inner)


def _verbatim(text: str, snippet: str) -> list[Span]:
    wanted = snippet.strip()
    if not wanted:
        return []
    before = r"(?<!\w)" if re.match(r"\w", wanted) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", wanted) else ""
    pattern = before + r"\s+".join(re.escape(word) for word in wanted.split()) + after
    found = [match.span() for match in re.finditer(pattern, text)]
    return found or [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
