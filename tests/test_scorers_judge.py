"""The judge, without a model: what it is asked, how its replies are read, and what two of them say together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.scorers.case import Case, Score
from ftbuild.scorers.judge import PROMPT, PROMPT_DIGEST, Judged, asked, better, letter

TEXTS = st.text(max_size=40)


def test_the_prompt_changes_only_with_its_digest_which_every_key_of_a_judgement_holds() -> None:
    assert PROMPT_DIGEST == "39301dcae57f5bd6edaaba5ff96f9c17b636dc81babf5e557c55ba0d94b91e87"
    assert PROMPT.count("{") == PROMPT.count("}") == 4


def test_both_orders_are_asked() -> None:
    first, second = asked("Be formal.\n", "hi {x}", "Dear all,", "hey")
    assert first == (
        "You compare two answers to one message by a rubric.\n\nRubric: Be formal.\n\nMessage:\nhi {x}\n\n"
        "Answer A:\nDear all,\n\nAnswer B:\nhey\n\n"
        "Which answer is better by the rubric? Reply with one letter: A, B, or T for a tie."
    )
    assert second == asked("Be formal.", "hi {x}", "hey", "Dear all,")[0]


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_to_swap_the_answers_is_to_swap_the_orders(rubric: str, message: str, one: str, other: str) -> None:
    assert asked(rubric, message, one, other) == asked(rubric, message, other, one)[::-1]


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("A", "A"),
        (" b.", "B"),
        ("**T**", "T"),
        ("Answer B is better.", "B"),
        ("Answer: A", "A"),
        ("Both are good", None),
        ("The answer is A", None),
        ("Tie", None),
        ("", None),
    ],
)
def test_a_reply_is_read_by_the_letter_it_begins_with(reply: str, found: str | None) -> None:
    assert letter(reply) == found


@pytest.mark.parametrize(
    ("replies", "found"),
    [
        (("A", "B"), "one"),
        (("B", "A"), "other"),
        (("A", "A"), "tie"),  # whatever stands first
        (("B", "B"), "tie"),
        (("T", "T"), "tie"),
        (("A", "T"), "tie"),
        (("A", "?"), "tie"),
        (("?", "?"), "tie"),
    ],
)
def test_a_judge_that_contradicts_itself_has_seen_a_tie(replies: tuple[str, str], found: str) -> None:
    assert better(replies) == found


@pytest.mark.parametrize(("replies", "value"), [(("A", "B"), 1.0), (("A", "A"), 0.5), (("B", "A"), 0.0)])
def test_an_answer_is_worth_what_it_is_against_the_reference(replies: tuple[str, str], value: float) -> None:
    assert Judged().score(Case("1", "", "", "", judgements=replies)) == [Score("judge", value, list(replies))]


def test_an_answer_that_nobody_judged_has_no_value() -> None:
    assert Judged().score(Case("1", "", "", "")) == [Score("judge", None)]
