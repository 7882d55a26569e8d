"""Exact match: the answer is the reference, spaces and Unicode forms aside."""

import unicodedata
from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score


@dataclass(frozen=True)
class Exact:
    """1 when output and target are equal after NFKC and folding of spaces, else 0."""

    name: str = "exact"
    version: int = 1
    metrics: tuple[Metric, ...] = (Metric("exact", "same as the reference"),)

    def score(self, case: Case) -> list[Score]:
        """Return the score of `exact`."""
        return [Score("exact", float(_folded(case.output) == _folded(case.target)))]


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())
