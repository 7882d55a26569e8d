"""Character F-score (chrF2, 0 to 1) against the reference, as sacrebleu computes it.

Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation": n-grams up to 6, beta 2,
no words, white space left out. Per sentence; the mean over cases is the metric.
"""

from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score


@dataclass(frozen=True)
class Chrf:
    """sacrebleu's sentence chrF2 divided by 100; an empty answer scores 0."""

    name: str = "chrf"
    version: int = 1
    metrics: tuple[Metric, ...] = (Metric("chrf", "character F-score", with_target=True),)

    def score(self, case: Case) -> list[Score]:
        """Return the score of `chrf`."""
        from sacrebleu.metrics import CHRF  # slow to import

        return [Score("chrf", CHRF(word_order=0).sentence_score(case.output, [case.target]).score / 100)]
