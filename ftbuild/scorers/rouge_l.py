"""ROUGE-L (0 to 1): how much of the reference the answer says in the same order.

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries": the longest common subsequence of words, its
share of each text, and F of the two with beta 1. Words as in `words`, so that Japanese is compared by characters;
no stemming. The subsequence is rapidfuzz's.
"""

from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.words import words


@dataclass(frozen=True)
class RougeL:
    """F of the longest common subsequence; no value where the reference has no word."""

    name: str = "rouge_l"
    version: int = 1
    metrics: tuple[Metric, ...] = (Metric("rouge_l", "ROUGE-L", with_target=True),)

    def score(self, case: Case) -> list[Score]:
        """Return the score of `rouge_l`."""
        from rapidfuzz.distance import LCSseq

        wanted, said = words(case.target), words(case.output)
        if not wanted:
            return [Score("rouge_l", None)]
        return [Score("rouge_l", 2 * LCSseq.similarity(said, wanted) / (len(said) + len(wanted)))]
