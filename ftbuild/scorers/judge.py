"""A model as judge: it is asked, with the rubric, which of two answers is better; once in either order.

Owns what is asked and how its reply is read. A judge that prefers whatever stands first (Zheng et al. 2023, "Judging
LLM-as-a-Judge", section 3.3) contradicts itself when the order is turned, and that counts as a tie, as does a reply
that is none. `judge` compares an answer with the reference: 1 where the answer is better, 0.5 for a tie. Whether the
judge can be trusted is not known here: `stats.agreement` says how well it agrees with labelled examples.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ftbuild.digest import of_value
from ftbuild.scorers.case import Case, Metric, Score

Better = Literal["one", "other", "tie"]

PROMPT = """\
You compare two answers to one message by a rubric.

Rubric: {rubric}

Message:
{message}

Answer A:
{a}

Answer B:
{b}

Which answer is better by the rubric? Reply with one letter: A, B, or T for a tie."""
PROMPT_DIGEST = of_value(["judge.v1", PROMPT])
MAX_TOKENS = 8
ORDERS = 2
_LETTER = re.compile(r"\W*(?:answer\W+)?([abt])(?!\w)", re.IGNORECASE)

JUDGE = Metric("judge", "judged against the reference, 0.5 is as good", proxy=True, with_target=True)
WORTH = {"one": 1.0, "tie": 0.5, "other": 0.0}


def asked(rubric: str, message: str, one: str, other: str) -> tuple[str, str]:
    """Return what is asked: with `one` as answer A, and with `other` as answer A."""
    said = {"rubric": rubric.strip(), "message": message}
    return PROMPT.format(**said, a=one, b=other), PROMPT.format(**said, a=other, b=one)


def letter(reply: str) -> str | None:
    """Return the letter that a reply begins with, None where it is none of A, B and T."""
    found = _LETTER.match(reply)
    return found[1].upper() if found else None


def better(replies: Sequence[str]) -> Better:
    """Return which answer is better by the replies to both orders; a tie where they contradict each other."""
    first, second = map(letter, replies)
    if (first, second) == ("A", "B"):
        return "one"
    return "other" if (first, second) == ("B", "A") else "tie"


@dataclass(frozen=True)
class Judged:
    """The value of an answer by the judge's replies of both orders; an answer that nobody judged has none."""

    name: str = "judge"
    version: int = 1
    metrics: tuple[Metric, ...] = (JUDGE,)

    def score(self, case: Case) -> list[Score]:
        """Return the score of `judge`; the detail has the two replies."""
        if len(case.judgements) != ORDERS:
            return [Score(JUDGE.name, None)]
        return [Score(JUDGE.name, WORTH[better(case.judgements)], list(case.judgements))]
