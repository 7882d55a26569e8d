"""Constraints: each counts what its name says, all of them count together, and what is not set is not looked at."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.scorers.case import Case, Score
from ftbuild.scorers.constraints import Constraints
from ftbuild.settings.evaluation import ScorerOptions


def scored(said: dict[str, Any], output: str) -> list[Score]:
    options = ScorerOptions.model_validate_json(json.dumps(said))
    return Constraints(options).score(Case("1", "", "", output))


@pytest.mark.parametrize(
    ("constraint", "met", "missed", "why"),
    [
        ({"words": {"at_most": 3}}, "One, two - three!", "It's one-two-three.", "5 words, at most 3"),
        ({"words": {"at_least": 2}}, "明日", "Tomorrow.", "1 words, at least 2"),
        ({"characters": {"at_most": 5}}, " 12345\n", "123456", "6 characters, at most 5"),
        ({"sentences": {"at_most": 1}}, "Mr. Lee is in.", "He is in. Ask him.", "2 sentences, at most 1"),
        ({"sentences": {"at_least": 2}}, "雨です。傘を。", "「雨。」です。", "1 sentences, at least 2"),
        ({"bullets": {"at_least": 2}}, "Buy:\n- milk\n * tea", "**Buy** - milk\n- tea", "1 bullets, at least 2"),
        ({"bullets": {"at_most": 0}}, "1-2 *x*\n-3 degrees", "・牛乳", "1 bullets, at most 0"),
        ({"banned": ["asap", "了解"]}, "An asapling.", "Send it ASAP!", "asap"),
        ({"banned": ["asap", "了解"]}, "承知しました。", "はい了解です。", "了解"),
        ({"required": ["Ann", "May 3"]}, "On may 3, Ann.", "Anna, May 3.", "no 'Ann'"),
        ({"starts_with": "Dear Ann,"}, "Dear  Ann, hi.", "dear Ann,", "starts otherwise than 'Dear Ann,'"),
        ({"ends_with": "Is there more?"}, "Yes. Is there more?\n", "Yes.", "ends otherwise than 'Is there more?'"),
        ({"language": "ja"}, "明日の会議は三時からです。", "The meeting is tomorrow at three.", "is in en"),
        ({"language": "en"}, "The meeting is tomorrow at three.", "Die Besprechung ist morgen.", "is in de"),
    ],
)
def test_a_constraint_is_met_or_says_why_not(constraint: dict[str, Any], met: str, missed: str, why: str) -> None:
    [name] = constraint
    both = "constraints.all_met", f"constraints.{name}"
    assert scored(constraint, met) == [Score(both[0], 1.0, []), Score(both[1], 1.0, [])]
    assert scored(constraint, missed) == [Score(both[0], 0.0, [name]), Score(both[1], 0.0, [why])]


def test_one_that_is_missed_misses_all_and_they_come_in_one_order() -> None:
    found = scored({"language": "en", "words": {"at_most": 2, "at_least": 1}}, "This is a whole sentence.")
    assert [(each.metric, each.value) for each in found] == [
        ("constraints.all_met", 0.0),
        ("constraints.words", 0.0),
        ("constraints.language", 1.0),
    ]


def test_an_empty_answer_meets_nothing() -> None:
    assert [each.value for each in scored({"words": {"at_most": 3}, "banned": ["x"]}, " \n")] == [0.0, 0.0, 0.0]


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=12), st.integers(0, 12))
def test_words_joined_by_spaces_are_counted(words: list[str], limit: int) -> None:
    *_, most = scored({"words": {"at_most": limit}}, " ".join(words))
    *_, least = scored({"words": {"at_least": limit}}, " ".join(words))
    assert (most.value, least.value) == (float(len(words) <= limit), float(len(words) >= limit))


@given(st.text(max_size=60), st.text("abc ", max_size=8))
def test_no_text_breaks_a_check(text: str, phrase: str) -> None:
    every = {
        **{each: {"at_most": 5} for each in ("words", "characters", "sentences", "bullets")},
        **{each: [phrase] for each in ("banned", "required")},
        **dict.fromkeys(("starts_with", "ends_with"), phrase),
        "language": "en",
    }
    assert {each.value for each in scored(every, text)} <= {0.0, 1.0}
