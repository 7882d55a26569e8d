"""Which of retrieval and tuning won, told from paired differences; what is left to win; what answers took."""

from typing import Any

import pytest

from ftbuild.evaluate.head_room import head_room
from ftbuild.evaluate.levers import levers
from ftbuild.report.words import head_room as worded
from ftbuild.report.words import of_answers, reasons, recommendation
from ftbuild.runners.formats import json_lines
from ftbuild.runners.usage import usage
from ftbuild.settings import Goal

ARMS = {"neither": "base", "retrieval": "base_r", "tuning": "tuned", "both": "tuned_r"}
SIDES = {"knowledge": ["grounding.citation"], "behaviour": ["style.all_kept"]}
N = 60


def lines(right: int, form: int, metric: str = "grounding.citation") -> list[dict[str, Any]]:
    """Return scores of which the first `right` and `form` of each ten are 1."""
    return [
        {
            "id": f"e{n}",
            "group": f"g{n}",
            "slices": {},
            "scores": {metric: float(n % 10 < right), "style.all_kept": float(n % 10 < form)},
        }
        for n in range(N)
    ]


def found(**arms: tuple[int, int]) -> dict[str, Any]:
    return levers({name: lines(*shares) for name, shares in arms.items()}, ARMS, SIDES)


def choices(told: dict[str, Any]) -> list[str]:
    return [row["choice"] for row in told["metrics"]]


def test_retrieval_for_what_is_known_and_tuning_for_the_form_make_both() -> None:
    told = found(base=(0, 0), base_r=(6, 0), tuned=(0, 9), tuned_r=(6, 9))
    assert choices(told) == ["retrieval", "tuning"]
    assert (told["retrieve"], told["tune"]) == (True, True)
    assert recommendation(told) == "Retrieve and tune."
    assert reasons(told)[0].startswith(
        "what it knows, names the right passage and no other: retrieval; retrieval alone +0.60 (+0.4"
    )


def test_do_not_tune_is_an_answer() -> None:
    told = found(base=(0, 5), base_r=(6, 5), tuned=(0, 5), tuned_r=(6, 5))
    assert choices(told) == ["retrieval", "neither"]
    assert recommendation(told) == "Retrieve, and do not tune."
    nothing = found(base=(3, 5), base_r=(3, 5), tuned=(3, 5), tuned_r=(3, 5))
    assert recommendation(nothing) == "Do not tune, and retrieve nothing: neither was shown to help."
    assert recommendation(found(base=(0, 0), base_r=(0, 0), tuned=(8, 9), tuned_r=(8, 9))) == (
        "Tune, and retrieve nothing."
    )


def test_what_each_does_alone_and_not_together_is_done_by_the_one_without_a_job() -> None:
    assert choices(found(base=(0, 0), base_r=(6, 9), tuned=(6, 9), tuned_r=(6, 9))) == ["retrieval", "retrieval"]
    assert choices(found(base=(0, 0), base_r=(3, 3), tuned=(9, 9), tuned_r=(9, 9))) == ["tuning", "tuning"]
    assert choices(found(base=(0, 0), base_r=(3, 3), tuned=(6, 6), tuned_r=(9, 9))) == ["both", "both"]


def test_both_are_taken_only_where_both_are_surely_better_than_neither_and_than_each() -> None:
    assert choices(found(base=(8, 0), base_r=(2, 0), tuned=(2, 0), tuned_r=(6, 0))) == ["neither", "neither"]
    hundred = {
        name: [
            {"id": f"e{n}", "group": f"g{n}", "slices": {}, "scores": {"grounding.citation": float(n < right)}}
            for n in range(100)
        ]
        for name, right in {"base": 0, "base_r": 80, "tuned": 89, "tuned_r": 92}.items()
    }
    told = levers(hundred, ARMS, {"knowledge": ["grounding.citation"]})
    assert told["metrics"][0]["effects"]["tuning_after_retrieval"]["low"] > 0
    assert choices(told) == ["tuning"]


def test_what_a_recommendation_takes_away_is_named_with_it() -> None:
    told = found(base=(9, 0), base_r=(9, 0), tuned=(1, 10), tuned_r=(1, 10))
    assert (choices(told), told["costs"]) == (["neither", "tuning"], ["grounding.citation"])
    assert recommendation(told).startswith(
        "Tune, and retrieve nothing, if it is worth what it takes away: names the right passage and no other -0.80 ("
    )


def test_what_was_not_tried_is_not_decided() -> None:
    told = found(base=(0, 5), base_r=(6, 5))
    assert told["tune"] is None
    assert told["arms"] == {"neither": "base", "retrieval": "base_r"}
    assert told["metrics"][0]["effects"]["tuning"] is None
    assert recommendation(told) == "Retrieve; whether tuning helps was not tried."


def test_of_a_metric_that_should_be_low_less_is_a_gain() -> None:
    worse = {"base": (8, 0), "base_r": (1, 0), "tuned": (8, 0), "tuned_r": (1, 0)}
    arms = {name: lines(*shares, "facts.invented") for name, shares in worse.items()}
    assert choices(levers(arms, ARMS, {"knowledge": ["facts.invented"]})) == ["retrieval"]
    turned = {"base": arms["base_r"], "base_r": arms["base"], "tuned": arms["tuned_r"], "tuned_r": arms["tuned"]}
    assert choices(levers(turned, ARMS, {"knowledge": ["facts.invented"]})) == ["neither"]


def test_the_head_room_is_the_way_from_the_best_untrained_arm_to_the_better_end() -> None:
    arms = {"base": lines(2, 0), "base_r": lines(6, 0)}
    goal = Goal.model_validate(
        {"metric": "grounding.citation", "require": {"good": {"at_least": 0.4}}, "judge_by": "estimate"}
    )
    told = head_room(arms, goal)
    assert told is not None
    assert (told["best"], told["left"]) == ("base_r", pytest.approx(0.4))
    assert {name: each["meets"] for name, each in told["arms"].items()} == {"base": False, "base_r": True}
    assert worded(told).startswith("head-room names the right passage and no other: base_r reaches 0.60 (")
    assert worded(told).endswith("at most 0.40 to win; base_r met the goal untrained: method=none trains nothing")
    lower = head_room(
        {"base": lines(2, 0, "facts.invented"), "echo": lines(9, 0, "facts.invented")},
        Goal.model_validate({"metric": "facts.invented", "require": {"true": {"beats": "base"}}}),
    )
    assert lower is not None
    assert (lower["best"], lower["left"]) == ("base", pytest.approx(0.2))
    assert {each["meets"] for each in lower["arms"].values()} == {None}
    judged = Goal.model_validate({"metric": "chrf", "require": {"good": {"metric": "judge", "at_least": 0.1}}})
    told = head_room({"base": [{**each, "scores": {"chrf": 0.5, "judge": 1.0}} for each in lines(2, 0)]}, judged)
    assert told is not None
    assert told["arms"]["base"]["meets"] is None  # nobody knows yet whether it can be trusted
    assert head_room({"base": lines(2, 0)}, Goal.model_validate({"metric": "chrf", "require": {}})) is None


def answers(*took: tuple[float, int, int], reason: str = "stop") -> bytes:
    return json_lines(
        {
            "id": str(n),
            "content": "x",
            "finish_reason": reason,
            "latency_seconds": seconds,
            "prompt_tokens": read,
            "completion_tokens": written,
        }
        for n, (seconds, read, written) in enumerate(took)
    )


def test_what_an_answer_takes_is_told_of_arms_that_ask_a_model_and_unknown_is_not_nothing() -> None:
    prices = {"input": 1.0, "output": 4.0, "as_of": "2026-01"}
    took = answers((1.0, 100, 10), (3.0, 300, 30), (2.0, 200, 20))
    assert usage(took, prices) == {
        "n": 3,
        "seconds": 2.0,
        "seconds_95": 3.0,
        "tokens_read": 200.0,
        "tokens_written": 20.0,
        "usd": pytest.approx((200 * 1 + 20 * 4) / 1e6),
        "as_of": "2026-01",
    }
    unpriced = usage(took, {"input": 1.0, "output": None, "as_of": None})
    silent = usage(answers((1.0, 0, 0)), prices)
    free = usage(answers((1.0, 0, 0)), {"input": 0, "output": 0, "as_of": None})
    assert None not in (unpriced, silent, free)
    assert unpriced is not None
    assert silent is not None
    assert free is not None
    assert (unpriced["usd"], silent["usd"], silent["tokens_read"], free["usd"]) == (None, None, None, 0.0)
    assert of_answers(silent) == ("1.00", "unknown", "unknown", "unknown")
    assert of_answers(unpriced)[1:] == ("200", "20", "unknown")
    assert usage(answers((0.0, 0, 0), reason="none"), prices) is None
    assert usage(b"", prices) is None
