"""How near texts are in what they say, whatever their words: by vectors that a model gives, seen from usual texts.

The vectors of a language model point much the same way, whatever the text. What usual texts share is taken away before
any two are compared: their mean, and the directions in which they differ most. By our own base model, which was never
made for it, 16 of 31 English questions written anew are then nearest to the one they are made of, 10 by the mean alone
and 15 by letters, which are others; by all-MiniLM-L6-v2, made for it, 28 (python -m tests.bench.meaning).

Source: Mu and Viswanath, "All-but-the-Top: Simple and Effective Postprocessing for Word Representations" (ICLR 2018).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ftbuild.retrieval.index import Vectors, name_of

DIRECTIONS = 16  # that are taken away, where there are texts enough to know them
TEXTS_EACH = 8  # for each of them

Rows = npt.NDArray[np.float64]


class Meaning:
    """Texts to be compared by their `vectors`, which are kept as those of questions; `usual` are among them."""

    def __init__(self, vectors: Vectors, usual: Sequence[str]) -> None:
        self._vectors = np.asarray(vectors.questions, np.float64)
        self._numbers = {name: number for number, name in enumerate(vectors.names)}
        known = self._vectors[self._known(usual)]
        self._mean = known.mean(axis=0) if len(known) else np.zeros(self._vectors.shape[1])
        n = min(DIRECTIONS, len(known) // TEXTS_EACH)
        away = known - self._mean
        _, directions = np.linalg.eigh(away.T @ away)  # in the order of what they tell, the most last
        self._top = directions[:, directions.shape[1] - n :]

    def of(self, texts: Sequence[str]) -> Rows:
        """Return a row for each text, of length 1; of zeros for one without a vector, which is near to nothing."""
        numbers = [self._numbers.get(name_of(each)) for each in texts]
        rows = np.zeros((len(texts), len(self._mean)))
        there = [at for at, number in enumerate(numbers) if number is not None]
        rows[there] = self._vectors[[number for number in numbers if number is not None]] - self._mean
        rows -= (rows @ self._top) @ self._top.T
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths == 0, 1, lengths)

    def _known(self, texts: Sequence[str]) -> list[int]:
        return [self._numbers[name] for name in map(name_of, texts) if name in self._numbers]
