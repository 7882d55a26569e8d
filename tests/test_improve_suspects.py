"""Training examples that look wrong: planted errors are among the surest, and clean ones are left alone."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ftbuild.improve.neighbours import Learnt, Training
from ftbuild.improve.suspects import suspects
from ftbuild.report import misses
from ftbuild.scorers import Case
from ftbuild.scorers.facts import Facts

PAIRS = Path(__file__).parents[1] / "datasets" / "sources" / "tone" / "pairs.jsonl"


def tone() -> list[Learnt]:
    lines = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    return [Learnt(f"{n:016x}", f"pairs.jsonl:{n}", each["casual"], each["formal"]) for n, each in enumerate(lines, 1)]


def kinds(learnt: Sequence[Learnt]) -> dict[int, list[str]]:
    """Return the facts that the answers lose or invent, by number."""
    found = {}
    for number, each in enumerate(learnt):
        values = {score.metric: score.value for score in Facts().score(Case("", each.asked, each.answer, each.answer))}
        lost, invented = values["facts.kept"], values["facts.invented"]
        told = [misses.LOST] * (lost is not None and lost < 1) + [misses.INVENTED] * bool(invented)
        if told:
            found[number] = told
    return found


def places(learnt: Sequence[Learnt]) -> list[str]:
    return [each.place for each in suspects(Training(learnt), kinds(learnt))]


@pytest.mark.slow
def test_a_swapped_answer_and_a_contradiction_in_real_data_are_among_the_first() -> None:
    learnt = tone()
    swapped = 40
    learnt[swapped] = replace(learnt[swapped], answer=learnt[300].answer)
    planted = Learnt("f" * 16, "pairs.jsonl:planted", learnt[10].asked.upper() + "!!", learnt[200].answer)
    learnt.append(planted)
    assert set(places(learnt)) == {f"pairs.jsonl:{swapped + 1}", "pairs.jsonl:11", "pairs.jsonl:planted"}
    assert places(tone()) == []


def test_one_question_said_in_other_words_is_no_contradiction() -> None:
    learnt = [
        Learnt("1", "a:1", "where is my order", "Where is my order, please?"),
        Learnt("2", "a:2", "Where is my order?", "Where is my order please?"),
    ]
    assert suspects(Training(learnt), {}) == []


def test_the_same_calls_agree_and_others_do_not() -> None:
    asked = "lights on"
    same = [Learnt("1", "a:1", asked, 'light({"on": true})', ("light",))] * 2
    assert suspects(Training(same), {}) == []
    other = [same[0], Learnt("2", "a:2", asked, 'light({"on": false})', ("light",))]
    found = suspects(Training(other), {})
    assert [(each.place, each.why) for each in found] == [
        ("a:1", ["asked as a:2 is, and answered otherwise"]),
        ("a:2", ["asked as a:1 is, and answered otherwise"]),
    ]


def test_an_answer_that_a_model_would_be_told_off_for_says_why() -> None:
    learnt = [Learnt("1", "a:1", "one", "eins"), Learnt("2", "a:2", "two", "zwei")]
    [found] = suspects(Training(learnt), {1: [misses.LOST, "style.emoji"]})
    assert (found.id, found.place, found.why) == ("2", "a:2", ["its answer loses a fact", "its answer uses an emoji"])


def test_an_answer_that_has_nothing_to_do_with_its_question_is_odd() -> None:
    learnt = [
        Learnt(f"{n}", f"a:{n}", f"send {n} boxes to shop {n}{' please' * (n % 3)}", f"Send {n} boxes to shop {n}.")
        for n in range(40)
    ]
    learnt[7] = Learnt("7", "a:7", learnt[7].asked, "Zwölf Boxkämpfer jagen Viktor quer über den großen Deich")
    [found] = suspects(Training(learnt), {})
    assert found.place == "a:7"
    assert found.why[0].startswith("its answer has little to do with what was asked (0.0")
