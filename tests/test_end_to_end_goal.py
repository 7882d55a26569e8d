"""The shipped goal on the shipped pairs: what must not pass, and what must. Pure: nothing is launched."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dataset_fixture import build

from ftbuild import scorers
from ftbuild.compose import Composed, compose
from ftbuild.evaluate import arms, scoring
from ftbuild.evaluate.compare import compare
from ftbuild.example import Example
from ftbuild.sources import read

ROOT = Path(__file__).parent.parent
CONSTANT = [
    "Thank you for your message. I will reply as soon as possible.",
    "I hope this message finds you well.",
    "Please note that the meeting is at 10 on Monday, March 3.",
    "",
]


@pytest.fixture(scope="module")
def tone_formal() -> Composed:
    return compose(ROOT, ["+experiment=tone_formal"])


@pytest.fixture(scope="module")
def test_split(tone_formal: Composed) -> tuple[Example, ...]:
    examples: list[Example] = []
    for name, source in tone_formal.settings.dataset.sources.items():
        found, problems = read(tone_formal.source_path(name).read_bytes(), name, source)
        assert problems == []
        examples += found
    settings = tone_formal.settings
    dataset, problems = build(examples, settings.style, settings.dataset.split, None)
    assert problems == []
    return dataset.splits["test"]


@dataclass(frozen=True)
class Bench:
    """The test split, and the scores of the arms that need no model; the base model repeats its input."""

    composed: Composed
    examples: tuple[Example, ...]
    free: dict[str, list[dict[str, Any]]]

    def judged(self, tuned: Callable[[Example], str]) -> dict[str, Any]:
        """Return the results of a model that answers `tuned`."""
        return compare({**self.free, "tuned": scored(self.composed, self.examples, tuned)}, self.composed.settings.goal)


def scored(composed: Composed, examples: tuple[Example, ...], answer: Callable[[Example], str]) -> list[dict[str, Any]]:
    cases = [
        scorers.Case(
            id=each.id,
            input=each.raw,
            target=each.target.content,
            output=answer(each),
            group=each.group,
            slices=each.slices,
        )
        for each in examples
    ]
    return list(
        scoring.score(
            ([each] for each in cases), scorers.build(composed.settings.evaluation.scorers, composed.settings.style)
        )
    )


@pytest.fixture(scope="module")
def bench(tone_formal: Composed, test_split: tuple[Example, ...]) -> Bench:
    settings = tone_formal.settings
    echo = scored(tone_formal, test_split, lambda each: arms.echo(each.raw))
    rules = scored(
        tone_formal, test_split, lambda each: arms.rules(each.raw, settings.style, settings.evaluation.arms["rules"])
    )
    return Bench(tone_formal, test_split, {"echo": echo, "rules": rules, "base": echo})


@pytest.mark.parametrize("answer", CONSTANT)
def test_a_model_that_answers_one_constant_sentence_fails_the_goal(bench: Bench, answer: str) -> None:
    results = bench.judged(lambda _: answer)
    endings = {each["name"]: each["ending"] for each in results["goal"]}
    assert results["ending"] == "missed"
    assert (endings["facts_kept"], endings["closer_to_reference"]) == ("missed", "missed")


def test_the_references_themselves_meet_the_goal(bench: Bench) -> None:
    results = bench.judged(lambda each: each.target.content)
    assert [each["name"] for each in results["goal"] if each["ending"] != "met"] == []
    assert (results["ending"], results["verdict"]) == ("met", "better")


@pytest.mark.parametrize("arm", ["echo", "rules"])
def test_a_model_that_is_no_better_than_a_free_arm_does_not_meet_the_goal(bench: Bench, arm: str) -> None:
    results = compare({**bench.free, "tuned": bench.free[arm]}, bench.composed.settings.goal)
    assert results["ending"] in ("missed", "undecided")
