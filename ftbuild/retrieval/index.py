"""The index of the passages of documents: how near each is to a question, and how it is kept as bytes.

By vectors every passage is compared with the question, none is left out for speed. Where a search goes by letters and
by vectors, their orders are added up, not their scores, which have no common scale.

Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
Methods" (2009), with its k of 60.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ftbuild.digest import of_plain
from ftbuild.retrieval.lexical import SCALE, Lexical
from ftbuild.retrieval.passages import Passage
from ftbuild.retrieval.ranking import Scores

BETWEEN = "\n"  # n-grams, which are made of letters, figures and blanks
OF_VECTORS = "vectors."

K = 60
FINE = 1_000_000_000
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Vectors:
    """A vector for each passage, passages x dimensions, and for each question that is known, by `name_of`."""

    passages: Matrix
    questions: Matrix
    names: Sequence[str]

    @classmethod
    def of(cls, passages: Sequence[Any], questions: Mapping[str, Any], dimensions: int) -> "Vectors":
        """Return the vectors of passages, and of questions by the question, each brought to length 1."""
        names = [name_of(each) for each in questions]
        return cls(_unit(passages, dimensions), _unit([*questions.values()], dimensions), names)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Vectors":
        """Return the vectors that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            return cls.from_arrays(kept)

    @classmethod
    def from_arrays(cls, kept: Mapping[str, Any]) -> "Vectors":
        """Return the vectors of some arrays."""
        names = kept["names"].tobytes().decode().split(BETWEEN) if len(kept["names"]) else []
        return cls(kept["passages"], kept["questions"], names)

    def to_bytes(self) -> bytes:
        """Return the vectors as NumPy keeps arrays in one file."""
        return _written(self.arrays)

    @property
    def arrays(self) -> dict[str, Any]:
        """Return the arrays that they are kept in."""
        names = np.frombuffer(BETWEEN.join(self.names).encode(), np.uint8)
        return {"passages": self.passages, "questions": self.questions, "names": names}


class Index:
    """How near passages, numbered from 0 in their order, are to a question.

    One with `vectors` goes by them, `is_hybrid` by letters and by them.
    """

    def __init__(self, lexical: Lexical, vectors: Vectors | None = None, *, is_hybrid: bool = False) -> None:
        self._lexical, self._vectors, self._is_hybrid = lexical, vectors, is_hybrid
        self._rows = {name: row for row, name in enumerate(vectors.names)} if vectors is not None else {}

    @classmethod
    def of(
        cls,
        passages: Sequence[Passage],
        kind: Literal["lexical", "vector", "hybrid"] = "lexical",
        vectors: Vectors | None = None,
    ) -> "Index":
        """Return the index of some passages; their titles and headings are searched too."""
        return cls(Lexical.of([searched(each) for each in passages]), vectors, is_hybrid=kind == "hybrid")

    @classmethod
    def from_bytes(cls, content: bytes) -> "Index":
        """Return the index that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        said = arrays.pop("grams").tobytes().decode()
        parts = {name.removeprefix(OF_VECTORS): arrays.pop(name) for name in [*arrays] if name.startswith(OF_VECTORS)}
        is_hybrid = bool(parts.pop("is_hybrid", [False])[0])
        vectors = Vectors.from_arrays(parts) if parts else None
        return cls(Lexical(said.split(BETWEEN) if said else [], arrays), vectors, is_hybrid=is_hybrid)

    def to_bytes(self) -> bytes:
        """Return the index as NumPy keeps arrays in one file; equal ones give the same bytes."""
        said = np.frombuffer(BETWEEN.join(self._lexical.grams).encode(), np.uint8)
        arrays = {"grams": said, **self._lexical.arrays}
        if self._vectors is not None:
            arrays |= {f"{OF_VECTORS}{name}": each for name, each in self._vectors.arrays.items()}
            arrays[f"{OF_VECTORS}is_hybrid"] = np.array([self._is_hybrid])
        return _written(arrays)

    def scores(self, question: str) -> Scores:
        """Return the score of every passage, 0 where it is not found.

        Raises:
            KeyError: the index goes by vectors and has none for the question.
        """
        if self._vectors is None:
            return self._lexical.scores(question)
        near = self._vectors.passages @ self._vectors.questions[self._rows[name_of(question)]]
        by_vectors = np.rint(near.astype(np.float64) * SCALE).astype(np.int64) + 2 * SCALE  # all of them are found
        return fused(self._lexical.scores(question), by_vectors) if self._is_hybrid else by_vectors

    def lexical_scores(self, text: str) -> Scores:
        """Return the score of every passage by letters alone, whatever the index goes by."""
        return self._lexical.scores(text)


def fused(*all_scores: Scores) -> Scores:
    """Return one score for several: the sum of 1 / (60 + place) over those that have found a text."""
    total = np.zeros(len(all_scores[0]))
    for scores in all_scores:
        places = np.empty(len(scores))
        places[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        total += np.where(scores > 0, 1 / (K + places), 0)
    return np.rint(total * FINE).astype(np.int64)


def name_of(question: str) -> str:
    """Return by which name the vector of a question is found."""
    return of_plain(["question.v1", question])


def searched(passage: Passage) -> str:
    """Return what is searched of a passage."""
    return "\n".join((passage.title, *passage.headings, passage.text))


def _unit(rows: Sequence[Any], dimensions: int) -> Matrix:
    """Return the rows brought to length 1; one of zeros stays."""
    found = np.asarray(rows, np.float64).reshape(len(rows), dimensions)
    lengths = np.linalg.norm(found, axis=-1, keepdims=True)
    return np.asarray(found / np.where(lengths == 0, 1, lengths), np.float32)


def _written(arrays: Mapping[str, Any]) -> bytes:
    written = io.BytesIO()
    np.savez(written, allow_pickle=False, **arrays)
    return written.getvalue()
