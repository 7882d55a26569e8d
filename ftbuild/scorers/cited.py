"""Answers out of passages that end by naming one in parentheses: its form, the passage named, the facts told.

The passage is compared as text, in any case and width; what the answer says before it is compared by the numbers,
times, dates and codes of the reference (`mentions`), those of the question apart: they are known without an answer.
"""

import re
import unicodedata
from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.mentions import mentions

ENDING = re.compile(r"[(（]([^()（）]+)[)）][.。]?\s*\Z")


@dataclass(frozen=True)
class Cited:
    """`cited.form`: 1 when the answer ends by naming a passage just where the reference does.

    `cited.right`: 1 when it names the one that the reference names; no value where that names none.
    `cited.facts`: share of the facts of the reference that the answer holds; no value where there are none.
    """

    name: str = "cited"
    version: int = 1
    metrics: tuple[Metric, ...] = (
        Metric("cited.form", "a passage named at the end, or rightly none"),
        Metric("cited.right", "the right passage named"),
        Metric("cited.facts", "numbers and codes of the reference told"),
    )

    def score(self, case: Case) -> list[Score]:
        """Return the three scores."""
        (wanted, told), (named, said) = _parted(case.target), _parted(case.output)
        asked, answered = mentions(case.input), mentions(said)
        facts = {str(fact): answered.hold(fact) for fact in mentions(told).facts if not asked.hold(fact)}
        lost = [fact for fact, held in facts.items() if not held]
        return [
            Score("cited.form", float((named is None) == (wanted is None) and bool(said))),
            Score(
                "cited.right", None if wanted is None else float(named == wanted), None if named == wanted else named
            ),
            Score("cited.facts", 1 - len(lost) / len(facts) if facts else None, {"lost": lost} if lost else None),
        ]


def _parted(text: str) -> tuple[str | None, str]:
    """Return the passage that a text names at its end, None for none, and what it says before that."""
    found = ENDING.search(text)
    if found is None:
        return None, text.strip()
    return " ".join(unicodedata.normalize("NFKC", found[1]).casefold().split()), text[: found.start()].strip()
