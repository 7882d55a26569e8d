"""The index of the passages of documents: how near each is to a question, and how it is kept as bytes."""

import io
from collections.abc import Sequence

import numpy as np

from ftbuild.retrieval.lexical import Lexical
from ftbuild.retrieval.passages import Passage
from ftbuild.retrieval.ranking import Scores

BETWEEN = "\n"  # n-grams, which are made of letters, figures and blanks


class Index:
    """How near passages, numbered from 0 in their order, are to a question."""

    def __init__(self, lexical: Lexical) -> None:
        self._lexical = lexical

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> "Index":
        """Return the index of some passages; their titles and headings are searched too."""
        return cls(Lexical.of([searched(each) for each in passages]))

    @classmethod
    def from_bytes(cls, content: bytes) -> "Index":
        """Return the index that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        said = arrays.pop("grams").tobytes().decode()
        return cls(Lexical(said.split(BETWEEN) if said else [], arrays))

    def to_bytes(self) -> bytes:
        """Return the index as NumPy keeps arrays in one file; equal ones give the same bytes."""
        said = np.frombuffer(BETWEEN.join(self._lexical.grams).encode(), np.uint8)
        written = io.BytesIO()
        np.savez(written, allow_pickle=False, grams=said, **self._lexical.arrays)
        return written.getvalue()

    def scores(self, question: str) -> Scores:
        """Return the score of every passage, 0 where it is not found."""
        return self._lexical.scores(question)


def searched(passage: Passage) -> str:
    """Return what is searched of a passage."""
    return "\n".join((passage.title, *passage.headings, passage.text))
