"""Scores of a search -> an order: which texts are nearest, where a text stands, and how good a search is.

A score is a whole number, 0 where a text shares nothing with the question; of equals the first text is nearer, so that
the same scores give the same order everywhere.

Source: reciprocal rank, Voorhees, "The TREC-8 Question Answering Track Report" (1999).
"""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.int64]
CUTS = (1, 3, 5, 10)  # how many passages recall is told of


def nearest(scores: Scores, n: int, without: Collection[int] = ()) -> list[int]:
    """Return the `n` nearest texts, fewer where others share nothing with the question."""
    if without:
        scores = scores.copy()
        scores[list(without)] = 0
    order = _order(scores)  # no two alike, so that a part of them can be sorted
    few = np.argpartition(-order, n - 1)[:n] if n < len(scores) else np.arange(len(scores))
    return [int(each) for each in few[np.argsort(-order[few])] if scores[each]]


def best(scores: Scores, among: Sequence[int]) -> int:
    """Return the nearest of some texts."""
    return max(among, key=lambda each: (scores[each], -each))


def place(scores: Scores, among: Sequence[int]) -> int:
    """Return at which place the nearest of some texts is found, 1 the first; 0 where none of them is found."""
    found = best(scores, among)
    return int(np.count_nonzero(_order(scores) > _order(scores)[found])) + 1 if scores[found] else 0


def recalls(places: Sequence[int]) -> dict[str, float]:
    """Return the share of questions whose gold passage is among the first 1, 3, 5, 10, and the mean reciprocal rank.

    `places` as `place` tells them, one at least.
    """
    n = len(places)
    among = {f"recall@{k}": sum(0 < each <= k for each in places) / n for k in CUTS}
    return {**among, "mrr": sum(1 / each for each in places if each) / n}


def _order(scores: Scores) -> Scores:
    return scores * len(scores) - np.arange(len(scores))
