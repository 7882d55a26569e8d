"""Which training examples are nearest to an example that was missed, and whether they taught what it needed.

Pure. Near is said of letters: the share of character n-grams that two texts have in common (Dice's coefficient); and of
what is said, where vectors tell it. What counts as far is measured on the training examples themselves, by either, for
some data is more alike than other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ftbuild.digest import of_value
from ftbuild.retrieval.lexical import Lexical, grams
from ftbuild.retrieval.meaning import Meaning

Evidence = Literal["absent", "contradicted", "taught"]
By = Literal["letters", "meaning"]
AT_MOST = 20_000  # training examples that are looked at; of more, so many drawn by their digests
READ_AT_MOST = 2_000  # of them, those that a model reads: about two minutes of one core for our own
LOOKED_AT = 20  # of them, by rank, for each question
SHOWN = 3
PROBES = 200
FARTHEST_SHARE = 0.05
NEAR = 0.5
ALIKE, APART = 0.8, 0.5  # texts are asked alike from here on, and answered otherwise below that


@dataclass(frozen=True)
class Learnt:
    """A training example: its id, its place as path:line, what is asked and answered, and the tools that it calls.

    `calls` are names, sorted, once for every call; None where the answer is a text.
    """

    id: str
    place: str
    asked: str
    answer: str
    calls: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Near:
    """A training example and how near it is, by letters or by meaning: 0 nothing in common, 1 the same."""

    learnt: Learnt
    similarity: float
    by: By = "letters"


def _drawn(learnt: Sequence[Learnt], n: int) -> list[Learnt]:
    drawn = learnt if len(learnt) <= n else sorted(learnt, key=lambda each: of_value([each.place, each.asked]))
    return list(drawn[:n])


def similarity(one: str, other: str) -> float:
    """Return the share of n-grams that two texts have in common, from 0 to 1; 1 for two texts without any."""
    mine, yours = set(grams(one)), set(grams(other))
    return 2 * len(mine & yours) / (len(mine) + len(yours)) if mine or yours else 1.0


def read(learnt: Sequence[Learnt]) -> list[Learnt]:
    """Return the training examples whose meaning is looked at: all, or of many so many drawn by their digests."""
    return _drawn(learnt, READ_AT_MOST)


class Said:
    """What training examples ask, to be searched by its `meaning`, which knows them and what is looked for."""

    def __init__(self, learnt: Sequence[Learnt], meaning: Meaning) -> None:
        self._learnt, self._meaning = learnt, meaning
        self._rows = meaning.of([each.asked for each in learnt])

    def nearest(self, asked: str, n: int = SHOWN) -> list[Near]:
        """Return the `n` that say the nearest to it, the nearest first."""
        near = self._rows @ self._meaning.of([asked])[0]
        order = [int(number) for number in np.argsort(-near, kind="stable")[:n] if near[number] > 0]
        return [Near(self._learnt[number], float(near[number]), "meaning") for number in order]

    @cached_property
    def far(self) -> float:
        """Return how near the nearest is of a training example that has little like it: one in twenty has less."""
        if len(self._rows) < 2:
            return 0.0
        probed = np.arange(0, len(self._rows), max(1, len(self._rows) // PROBES))
        near = self._rows[probed] @ self._rows.T
        near[np.arange(len(probed)), probed] = -1.0
        return float(np.quantile(near.max(axis=1), FARTHEST_SHARE))


class Training:
    """The training examples of a dataset, to be searched; `n` is how many there are, of many not all are looked at.

    They are searched by letters, and where something is `said` of their meaning, by that too.
    """

    def __init__(self, learnt: Sequence[Learnt], said: Said | None = None) -> None:
        self.n, self.said = len(learnt), said
        self.learnt = _drawn(learnt, AT_MOST)
        self._index = Lexical.of([each.asked for each in self.learnt])

    def nearest(self, asked: str, n: int = SHOWN, besides: int | None = None) -> list[Near]:
        """Return the `n` nearest, the nearest first; `besides` leaves out the one of that number."""
        if not self.learnt:
            return []
        scores = self._index.scores(asked)
        found = [
            Near(self.learnt[number], similarity(asked, self.learnt[number].asked))
            for number in map(int, np.argsort(-scores, kind="stable")[: LOOKED_AT + 1])
            if number != besides and scores[number] > 0
        ]
        return sorted(found, key=lambda each: -each.similarity)[:n]

    @cached_property
    def far(self) -> float:
        """Return how near the nearest is of a training example that has little like it: one in twenty has less."""
        step = max(1, len(self.learnt) // PROBES)
        found = [
            next((each.similarity for each in self.nearest(self.learnt[number].asked, 1, number)), 0.0)
            for number in range(0, len(self.learnt), step)
        ]
        return float(np.quantile(found, FARTHEST_SHARE)) if found else 0.0

    def evidence(self, asked: Learnt) -> tuple[Evidence, list[Near]]:
        """Return whether anything like an example was learnt, and what; `asked` is the example as it should be.

        `absent`: nothing is nearer than what lies alone among the training examples too, by letters or by what it
        says. `contradicted`: of those that are near, more answer otherwise than alike. Else `taught`. What is
        near by both is among them twice.
        """
        by_letters = self.nearest(asked.asked)
        by_meaning = self.said.nearest(asked.asked) if self.said is not None else []
        near = [*by_letters, *by_meaning]
        is_near = bool(by_letters) and by_letters[0].similarity >= self.far
        if self.said is not None and by_meaning:
            is_near = is_near or by_meaning[0].similarity >= self.said.far
        if not is_near:
            return "absent", near
        alike = {each.learnt.place: answers_alike(asked, each) for each in near if each.similarity >= NEAR}
        told = [*alike.values()]
        return ("contradicted" if told.count(False) > told.count(True) else "taught"), near


def answers_alike(asked: Learnt, near: Near) -> bool | None:
    """Return whether a near example teaches what the other needs; None where the two say nothing of one another.

    Calls are alike that go to the same tools as often; texts that are asked alike want answers that are alike.
    """
    if asked.calls is not None and near.learnt.calls is not None:
        return asked.calls == near.learnt.calls
    if (asked.calls is None) != (near.learnt.calls is None):
        return False
    if near.similarity < ALIKE:
        return None
    return similarity(asked.answer, near.learnt.answer) >= APART
