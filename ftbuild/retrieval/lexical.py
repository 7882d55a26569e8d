"""Which passages are nearest to a question in their letters: BM25 over character n-grams.

A word is cut into runs of four characters, the space around it counting as one, so that endings weigh little; what is
written without spaces (Chinese, Japanese; Korean too) into runs of two. Case and width do not count. Weights are
whole numbers, so that the same question finds the same passages in the same order everywhere.

Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with Lucene's idf;
n-grams as in McNamee and Mayfield, "Character N-Gram Tokenization for European Language Text Retrieval" (2004).
"""

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ftbuild.retrieval.ranking import Scores

Array = npt.NDArray[Any]

K1, B = 1.2, 0.75
SCALE = 1_000_000
OPEN = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
WORDS = re.compile(rf"[{OPEN}]+|[^\W{OPEN}]+")
IS_OPEN = re.compile(f"[{OPEN}]")


def grams(text: str) -> Iterator[str]:
    """Yield the n-grams of a text, as often as they stand in it."""
    for word in WORDS.findall(unicodedata.normalize("NFKC", text).casefold()):
        said, n = (word, 2) if IS_OPEN.match(word) else (f" {word} ", 4)
        yield from (said[at : at + n] for at in range(max(1, len(said) - n + 1)))


class Lexical:
    """An index of texts, numbered from 0 in their order.

    `arrays` hold all of it: for each n-gram where its texts begin and end, and the weight that it has in each.
    """

    def __init__(self, grams_: Sequence[str], arrays: Mapping[str, Array]) -> None:
        self.grams, self.arrays = grams_, arrays
        self._numbers = {gram: number for number, gram in enumerate(grams_)}
        self._n = int(arrays["n"][0])

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Lexical":
        """Return the index of some texts."""
        numbers: dict[str, int] = {}
        gram_of, text_of, counts, lengths = array("q"), array("q"), array("q"), array("q")
        for number, text in enumerate(texts):
            counted = Counter(grams(text))
            lengths.append(counted.total())
            gram_of.extend(numbers.setdefault(gram, len(numbers)) for gram in counted)
            text_of.extend([number] * len(counted))
            counts.extend(counted.values())
        n = len(texts)
        by_gram = np.argsort(np.asarray(gram_of), kind="stable")
        gram, found_at = np.asarray(gram_of)[by_gram], np.asarray(text_of)[by_gram]
        found_in = np.bincount(gram, minlength=len(numbers))
        ends = np.cumsum(found_in)
        idf = np.log(1 + (n - found_in + 0.5) / (found_in + 0.5))
        length = np.asarray(lengths) / (sum(lengths) / max(1, n) or 1.0)
        often = np.asarray(counts)[by_gram]
        weights = idf[gram] * often * (K1 + 1) / (often + K1 * (1 - B + B * length[found_at]))
        arrays = {"starts": ends - found_in, "ends": ends, "texts": found_at, "weights": np.rint(weights * SCALE)}
        return cls([*numbers], {**arrays, "n": np.array([n])})

    def scores(self, query: str) -> Scores:
        """Return the score of every text, in millionths; an n-gram counts once, however often the query has it."""
        known = [number for gram in dict.fromkeys(grams(query)) if (number := self._numbers.get(gram)) is not None]
        if not known:
            return np.zeros(self._n, np.int64)
        parts = [slice(self.arrays["starts"][number], self.arrays["ends"][number]) for number in known]
        texts = np.concatenate([self.arrays["texts"][part] for part in parts])
        weights = np.concatenate([self.arrays["weights"][part] for part in parts])
        return np.bincount(texts, weights, self._n).astype(np.int64)  # sums of whole numbers are exact
