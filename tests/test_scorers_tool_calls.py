"""Calls against calls: what counts as the same, how they are paired, and the leaderboard's verdicts."""

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.chat import Tool, ToolCall
from ftbuild.scorers import Case
from ftbuild.scorers.tool_calls import ToolCalls
from ftbuild.scorers.values import same
from ftbuild.settings.evaluation import Comparison, ScorerOptions
from ftbuild.sources.bfcl import convert
from ftbuild.tools.names import provider_names

SHARED = Path(__file__).parents[2] / "shared" / "data" / "bfcl"
WEATHER = Tool(
    "get_weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"type": "string", "default": "C"},
        },
        "required": ["city"],
    },
)
PING = Tool("ping", parameters={"type": "object", "properties": {"x": {}}})


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall("call_1", name, json.dumps(arguments))


def scored(case: Case, options: ScorerOptions | None = None) -> dict[str, float | None]:
    found = ToolCalls(options or ScorerOptions()).score(case)
    return {each.metric.removeprefix("tool_calls."): each.value for each in found}


def case(
    wanted: Sequence[ToolCall], sent: Sequence[ToolCall], tools: Sequence[Tool] = (WEATHER, PING), **more: Any
) -> Case:
    return Case("1", "asked", "", "", wanted=wanted, sent=sent, tools=tools, **more)


def is_right(wanted: ToolCall, sent: ToolCall, **compare: Comparison) -> bool:
    options = ScorerOptions(compare={"get_weather": compare}) if compare else None
    return scored(case([wanted], [sent]), options)["exact_set"] == 1


def test_all_calls_in_another_order_are_right() -> None:
    oslo, rome = call("get_weather", city="Oslo", days=2), call("get_weather", city="Rome")
    assert scored(case([oslo, rome], [rome, oslo])) == {
        "exact_set": 1,
        "no_call": None,
        "recall": 1,
        "precision": 1,
        "f1": 1,
        "names": 1,
        "valid": 1,
        "over": 0,
        "under": 0,
    }


def test_one_call_of_two_is_half_of_what_was_wanted() -> None:
    oslo, rome = call("get_weather", city="Oslo"), call("get_weather", city="Rome")
    found = scored(case([oslo, rome], [oslo]))
    assert (found["exact_set"], found["recall"], found["precision"], found["under"]) == (0, 0.5, 1, 1)
    assert found["f1"] == pytest.approx(2 / 3)


def test_a_call_sent_twice_is_one_too_many() -> None:
    oslo = call("get_weather", city="Oslo")
    found = scored(case([oslo], [oslo, oslo]))
    assert (found["exact_set"], found["recall"], found["precision"], found["over"]) == (0, 1, 0.5, 1)


def test_no_call_where_none_is_wanted_is_right_and_one_is_wrong() -> None:
    assert {name: value for name, value in scored(case([], [])).items() if value is not None} == {
        "exact_set": 1,
        "no_call": 1,
        "names": 1,
        "over": 0,
        "under": 0,
    }
    found = scored(case([], [call("ping", x=1)]))
    assert (found["exact_set"], found["no_call"], found["over"], found["recall"]) == (0, 0, 1, None)


def test_without_tools_and_calls_there_is_nothing_to_measure() -> None:
    assert set(scored(case([], [], tools=())).values()) == {None}


def test_the_detail_says_what_differs_what_is_missing_and_what_is_extra() -> None:
    wanted = [call("get_weather", city="Oslo", days=2), call("ping", x=1)]
    sent = [call("get_weather", city="Oslo", days=3, sky="blue"), call("pong")]
    (exact, *others) = ToolCalls().score(case(wanted, sent))
    assert exact.detail == {
        "missing": ['ping({"x": 1})'],
        "extra": ["pong({})"],
        "differs": [
            {
                "call": 'get_weather({"city": "Oslo", "days": 3, "sky": "blue"})',
                "arguments": [
                    {"name": "days", "sent": 3, "wanted": 2},
                    {"name": "sky", "sent": "blue", "wanted": None},
                ],
            }
        ],
    }
    assert {each.metric: each.detail for each in others if each.detail} == {"tool_calls.valid": ["no tool 'pong'"]}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"city": "Oslo"', "get_weather: the arguments are no JSON object"),
        ('["Oslo"]', "get_weather: the arguments are no JSON object"),
        ('{"city": "Oslo", "city": "Rome"}', "get_weather: the arguments are no JSON object"),
        ('{"days": 2}', "get_weather: 'city' is a required property"),
        ('{"city": 5}', "get_weather: city: 5 is not of type string"),
    ],
)
def test_a_call_that_its_tool_does_not_take_is_wrong_and_says_why(arguments: str, why: str) -> None:
    sent = ToolCall("call_1", "get_weather", arguments)
    found = {each.metric: each for each in ToolCalls().score(case([call("get_weather", city="Oslo")], [sent]))}
    assert (found["tool_calls.exact_set"].value, found["tool_calls.valid"].value) == (0, 0)
    assert found["tool_calls.valid"].detail == [why]


def test_an_argument_left_out_is_its_default() -> None:
    plain, said = call("get_weather", city="Oslo"), call("get_weather", city="Oslo", unit="C")
    assert is_right(plain, said)
    assert is_right(said, plain)
    assert not is_right(plain, call("get_weather", city="Oslo", unit="F"))


def test_an_empty_text_is_a_value_and_not_nothing() -> None:
    assert is_right(call("ping", x=""), call("ping", x=""))
    assert not is_right(call("ping", x=""), call("ping"))
    assert is_right(call("ping", x={"a": ""}), call("ping", x={"a": ""}))
    assert not is_right(call("ping", x={"a": ""}), call("ping", x={}))


def test_a_member_of_a_map_may_have_several_values_or_be_left_out() -> None:
    wanted, accepted = call("ping", x={"a": 1}), [{"x": [{"a": [1, 2], "b": ["", 3]}]}]
    right = [
        scored(case([wanted], [call("ping", x=each)], accepted=accepted))["exact_set"]
        for each in ({"a": 2}, {"a": 1, "b": 3}, {"a": 3}, {"b": 3}, {"a": 1, "c": 1})
    ]
    assert right == [1, 1, 0, 0, 0]


def test_a_whole_number_is_the_same_with_a_point_and_true_is_no_number() -> None:
    assert is_right(call("get_weather", city="a", days=5), call("get_weather", city="a", days=5.0))
    assert not is_right(call("ping", x=1), call("ping", x=True))


def test_a_way_to_compare_is_said_argument_by_argument() -> None:
    wanted, sent = call("get_weather", city="New York", days=2), call("get_weather", city="new york.", days="2")
    assert not is_right(wanted, sent)
    assert not is_right(wanted, sent, city="loose")
    assert is_right(wanted, sent, city="loose", days="value")


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ({"a": [1, 2.0]}, {"a": [1.0, 2]}, "exact"),
        ("5", 5, "value"),
        ("TRUE", True, "value"),
        ("null", None, "value"),
        (0.1 + 0.2, 0.3, "value"),
        (["5", {"a": "2.50"}], [5, {"a": 2.5}], "value"),
        ("  Onsen-tamago! ", "onsen tamago", "loose"),
        ("ＡＢＣ、", "abc", "loose"),
    ],
)
def test_each_way_accepts_what_the_one_before_it_does_and_no_more(one: object, other: object, how: Comparison) -> None:
    ways: list[Comparison] = ["exact", "value", "loose"]
    assert [same(one, other, each) for each in ways] == [ways.index(each) >= ways.index(how) for each in ways]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.5", "15"),
        ("10:30", "1030"),
        ("2024-01-02", "20240102"),
        ("15/100*240", "15*100/240"),
        ([1, 2], [2, 1]),
        ("a", "b"),
        (1, 2),
        ("!", "?"),
    ],
)
def test_no_way_takes_two_values_for_one(one: object, other: object) -> None:
    assert not same(one, other, "loose")


def test_pairs_are_the_best_there_are_where_taking_the_first_would_fail() -> None:
    """The first call wanted takes either number, the second only one of them: who takes the first, loses."""
    wanted, sent = [call("ping", x=1), call("ping", x=1)], [call("ping", x=1), call("ping", x=2)]
    accepted = [{"x": [1, 2]}, {"x": [1]}]
    assert scored(case(wanted, sent, accepted=accepted))["exact_set"] == 1
    assert scored(case(wanted, sent, accepted=accepted), ScorerOptions(mode="bfcl"))["exact_set"] == 0


@given(st.data())
def test_as_many_calls_are_paired_as_any_order_could_pair(data: st.DataObject) -> None:
    values = st.integers(0, 3)
    accepted = data.draw(st.lists(st.lists(values, min_size=1, max_size=3, unique=True), min_size=1, max_size=4))
    numbers = data.draw(st.lists(values, min_size=1, max_size=4))
    wanted, sent = [call("ping", x=each[0]) for each in accepted], [call("ping", x=each) for each in numbers]
    sets = [{"x": each} for each in accepted]
    best = max(
        sum(number in one for one, number in zip(accepted, order, strict=False))
        for order in itertools.permutations([*numbers, *[-1] * len(accepted)], len(accepted))
    )
    assert scored(case(wanted, sent, accepted=sets))["recall"] == best / len(wanted)


def test_a_hundred_and_twenty_eight_calls_find_their_pairs() -> None:
    wanted = [call("get_weather", city=f"city {number}", days=number % 3) for number in range(128)]
    sent = random.Random(1).sample(wanted, 128)
    found = scored(case(wanted, [*sent[:-1], call("get_weather", city="nowhere")]))
    assert found["recall"] == found["precision"] == 127 / 128


# --- the leaderboard -----------------------------------------------------------------------------

# Where we are stricter or more lenient than the leaderboard, by what was done to a right answer, and why.
DIFFERS = {
    "string_upper": "another case is another value; compare: loose takes it",
    "string_punct_noise": "so is other punctuation",
    "string_comma_insert": "and a comma more",
    "int_to_float": "5.0 is 5 in JSON",
    "optional_param_given_as_empty_string": "an empty text is a value like any other",
}


@pytest.fixture(scope="module")
def verdicts() -> list[tuple[Case, Mapping[str, Any]]]:
    if not SHARED.is_dir():
        pytest.skip("needs the cases beside the checkout: ../shared/data/bfcl")
    known = {each["id"]: each for each in _lines(SHARED / "input.jsonl")}
    return [(_judged(known[each["id"]], each), each) for each in _lines(SHARED / "checker_verdicts.jsonl")]


def _judged(asked: Mapping[str, Any], judged: Mapping[str, Any]) -> Case:
    names = provider_names([each["name"] for each in asked["function"]])
    line = convert(asked).line
    assert line is not None
    answers = [(names.get(name, name), given) for answer in asked["ground_truth"] for name, given in answer.items()]
    sent = [(names.get(name, name), given) for answer in judged["model_output"] for name, given in answer.items()]
    return case(
        [call(name) for name, _ in answers],
        [ToolCall("", name, json.dumps(given)) for name, given in sent],
        [Tool.from_json(each) for each in line["tools"]],
        accepted=[given for _, given in answers],
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_mode_bfcl_agrees_with_every_verdict_of_the_leaderboards_checker(
    verdicts: list[tuple[Case, Mapping[str, Any]]],
) -> None:
    found = [
        (each["id"], each["mutation"], scored(one, ScorerOptions(mode="bfcl"))["exact_set"] == 1)
        for one, each in verdicts
    ]
    assert found == [(each["id"], each["mutation"], each["bfcl_valid"]) for _, each in verdicts]


def test_our_own_mode_differs_from_the_leaderboard_where_it_should_and_nowhere_else(
    verdicts: list[tuple[Case, Mapping[str, Any]]],
) -> None:
    differing = {each["mutation"] for one, each in verdicts if (scored(one)["exact_set"] == 1) != each["bfcl_valid"]}
    assert differing == set(DIFFERS)
