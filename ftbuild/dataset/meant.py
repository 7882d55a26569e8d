"""Which examples may be made out of one that tests, in words of their own: for a person to look at, and no refusal.

Pure. Only what is answered in words is looked at: requests in the words of a test with other values are made on
purpose. How near is too near is measured on the data: nearer to an example that tests, in what is asked and what is
answered, than 99 in 100 of the examples that nobody suspects. So about one in a hundred is a false alarm, whatever the
data and whoever gives the vectors, and nothing is refused for it.

Measured (python -m tests.bench.meaning) on test examples written anew by hand without a value, which the wall sees none
of: our own base model tells 9 of 31 in English and 0 of 6 in Japanese, all-MiniLM-L6-v2 22 and 2; with values in words
20 of 25, and 24. False alarms were 0.5 to 2.2 in a hundred, by experiment.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ftbuild.dataset.wall import Exchange, Twin, exchanges
from ftbuild.digest import of_value
from ftbuild.retrieval.index import Vectors
from ftbuild.retrieval.meaning import Meaning, Rows

UNSUSPECTED = 0.99  # of the usual examples are farther from all that test
USUAL_AT_LEAST, USUAL_AT_MOST = 100, 400  # exchanges that it is measured on

Json = Mapping[str, Any]


def worded(example: Json) -> list[Exchange]:
    """Return the exchanges of an example that are answered in words."""
    return [each for each in exchanges(example) if each.values is None and each.asked and each.answer]


def usual(examples: Iterable[Json]) -> list[Exchange]:
    """Return exchanges of examples that nobody suspects: of many so many drawn by their digests."""
    found = [each for example in examples for each in worded(example)]
    return sorted(found, key=lambda each: of_value([each.asked, each.answer]))[:USUAL_AT_MOST]


def texts(exchanged: Iterable[Exchange]) -> list[str]:
    """Return what is asked and answered, the texts whose vectors are wanted."""
    return [text for each in exchanged for text in (each.asked, each.answer)]


class Meant:
    """Examples that test, by what they say; each has its `path`, `line` and `split`.

    `unsuspected` are exchanges to measure on what is too near; of fewer than a hundred nothing is said.
    """

    def __init__(self, guarded: Iterable[Json], unsuspected: Sequence[Exchange], vectors: Vectors) -> None:
        held = [(each, example) for example in guarded for each in worded(example)]
        self._twins = [Twin(e["path"], e["line"], e.get("split", "test"), "in other words") for _, e in held]
        # What all texts share is taken from those that test: then who is measured and who is suspected stand alike.
        self._asked = Meaning(vectors, [each.asked for each, _ in held])
        self._answered = Meaning(vectors, [each.answer for each, _ in held])
        self._tests = self._rows([each for each, _ in held])
        self.can_tell = len(unsuspected) >= USUAL_AT_LEAST and bool(held) and bool(vectors.names)
        nearest = self._near(unsuspected).max(axis=1) if self.can_tell else np.ones(1)
        self.too_near = float(np.quantile(nearest, UNSUSPECTED, method="higher"))

    def twin(self, example: Json) -> Twin | None:
        """Return the example that tests and says what an example says, the nearest; None where none is too near."""
        said = worded(example)
        if not said or not self.can_tell:
            return None
        near = self._near(said)
        at = int(near.max(axis=0).argmax())
        return self._twins[at] if near[:, at].max() > self.too_near else None

    def _rows(self, said: Sequence[Exchange]) -> tuple[Rows, Rows]:
        return self._asked.of([each.asked for each in said]), self._answered.of([each.answer for each in said])

    def _near(self, said: Sequence[Exchange]) -> Rows:
        """Return how near each exchange is to each that tests: the mean of what is asked and what is answered."""
        asked, answered = (own @ tests.T for own, tests in zip(self._rows(said), self._tests, strict=True))
        return np.asarray((asked + answered) / 2)
