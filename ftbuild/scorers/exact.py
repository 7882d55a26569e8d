"""Exact match: the answer is the reference, to the letter or but for spaces and Unicode forms."""

from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.words import folded


@dataclass(frozen=True)
class Exact:
    """`exact`: 1 when output and target are the same characters, else 0.

    `exact.normalised`: the same after NFKC (full and half width are one) and folding of spaces; case counts.
    """

    name: str = "exact"
    version: int = 2
    metrics: tuple[Metric, ...] = (
        Metric("exact", "same as the reference", with_target=True),
        Metric("exact.normalised", "same but for spaces and width", with_target=True),
    )

    def score(self, case: Case) -> list[Score]:
        """Return both scores."""
        return [
            Score("exact", float(case.output == case.target)),
            Score("exact.normalised", float(folded(case.output) == folded(case.target))),
        ]
