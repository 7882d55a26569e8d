"""Training examples that look wrong: labels that break what answers are judged by, contradictions, odd ones.

Pure. A suspect is for a person to look at: each says why it is one, and nothing is taken out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ftbuild.dataset.build import folded
from ftbuild.improve.neighbours import Learnt, Training, similarity
from ftbuild.report import misses

CONTRADICTION, ODD = 3.0, 2.0
TOLD_FROM = 0.1  # how far two answers to one question are apart; below they are said in other words
PER_KIND = 1.0
FACTS = (misses.LOST, misses.INVENTED)
ODD_FROM = 3.5  # standard deviations below the median
LITTLE_SHARE = 0.1  # of the answers have little in common with what was asked
NEARER_BY = 0.3
USUAL_AT_LEAST = 20  # examples of texts, to know what is usual
NORMAL = 1.4826  # of a normal distribution: its standard deviation in median absolute deviations


@dataclass(frozen=True)
class Suspect:
    """A training example, `number` its place among them, that may be wrong; `why` in words, `weight` how surely."""

    number: int
    id: str
    place: str
    why: Sequence[str]
    weight: float


def suspects(training: Training, kinds: Mapping[int, Sequence[str]]) -> list[Suspect]:
    """Return the training examples that look wrong, the surest first.

    `kinds` are the kinds of miss that a training answer would be, scored as if a model had given it, by the example's
    number.
    """
    reasons: dict[int, list[tuple[float, str]]] = {}
    for number, weight, why in (*_contradictions(training), *_odd(training), *_broken(kinds)):
        reasons.setdefault(number, []).append((weight, why))
    found = [
        Suspect(
            number,
            training.learnt[number].id,
            training.learnt[number].place,
            [why for _, why in sorted(told, key=lambda each: -each[0])],
            sum(weight for weight, _ in told),
        )
        for number, told in reasons.items()
    ]
    return sorted(found, key=lambda each: (-each.weight, each.number))


def _broken(kinds: Mapping[int, Sequence[str]]) -> Iterator[tuple[int, float, str]]:
    """Yield answers that a model would be told off for; a fact that is another weighs most."""
    for number, found in kinds.items():
        for kind in found:
            yield number, PER_KIND * (2 if kind in FACTS else 1), f"its answer {misses.kind_label(kind)}"


def _contradictions(training: Training) -> Iterator[tuple[int, float, str]]:
    """Yield examples that are asked as another is and answered otherwise, both of them; the less alike the more.

    Case, width, spaces and punctuation make no other question.
    """
    asked: dict[Any, list[int]] = {}
    for number, each in enumerate(training.learnt):
        asked.setdefault(folded(each.asked), []).append(number)
    for numbers in asked.values():
        for number in numbers:
            own = training.learnt[number]
            apart = {other: 1 - _agreement(own, training.learnt[other]) for other in numbers if other != number}
            if apart and (most := max(apart.values())) >= TOLD_FROM:
                where = training.learnt[max(apart, key=lambda other: apart[other])].place
                yield number, CONTRADICTION * most, f"asked as {where} is, and answered otherwise"


def _agreement(one: Learnt, other: Learnt) -> float:
    """Return how much two answers agree, from 0 to 1; calls do or do not."""
    if one.calls is not None or other.calls is not None:
        return float(one.answer == other.answer)
    return similarity(one.answer, other.answer)


def _odd(training: Training) -> Iterator[tuple[int, float, str]]:
    """Yield answers that have far less in common with what was asked than answers here usually have.

    Of those that have little, one that is nearer by far to what another was asked is told with its place.
    """
    texts = [(number, each) for number, each in enumerate(training.learnt) if each.calls is None]
    if len(texts) < USUAL_AT_LEAST:
        return
    shares = np.array([similarity(each.asked, each.answer) for _, each in texts])
    median = float(np.median(shares))
    spread = NORMAL * float(np.median(np.abs(shares - median)))
    little = float(np.quantile(shares, LITTLE_SHARE))
    for (number, each), share in zip(texts, shares, strict=True):
        if share > little:
            continue
        other = next(iter(training.nearest(each.answer, 1, number)), None)
        if other is not None and other.similarity - share > NEARER_BY:
            yield number, CONTRADICTION, f"its answer fits what {other.learnt.place} asks"
        elif (median - share) > ODD_FROM * spread:
            yield number, ODD, f"its answer has little to do with what was asked ({share:.2f}, usually {median:.2f})"
