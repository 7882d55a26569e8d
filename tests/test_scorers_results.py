"""Results: reached by whatever call, and said in the answer."""

import pytest

from ftbuild.chat import ToolCall
from ftbuild.scorers import Case
from ftbuild.scorers.results import Results

SUM = (ToolCall("", "calculate", '{"expression": "10/3"}'), '{"expression": "10/3", "value": 3.33333333333}')
WORD = (ToolCall("", "translate", '{"text": "Hi", "language": "de"}'), '{"language": "de", "translation": "Hallo!"}')
DAY = (
    ToolCall("", "weather", '{"city": "Oslo"}'),
    '{"city": "Oslo", "temperature": -9, "units": "celsius", "conditions": "light rain"}',
)


def scores(
    output: str, *wanted: tuple[ToolCall, str], target: str = "", results: tuple[str, ...] = ()
) -> list[float | None]:
    case = Case("1", "", target, output, wanted_results=wanted, results=results, referenced=bool(target))
    return [each.value for each in Results().score(case)]


@pytest.mark.parametrize(
    ("output", "stated"),
    [
        ("It is 3.33.", 1),
        ("It is 3.3333333.", 1),
        ("About 3.3.", 0),  # nobody said that one decimal is enough
        ("It is 3.34.", 0),
        ("It is 13.33.", 0),
        ("Version 1.3.33", 0),
        ("", 0),
    ],
)
def test_a_number_is_stated_in_two_decimals_or_more(output: str, stated: float) -> None:
    assert scores(output, SUM)[0] == stated


@pytest.mark.parametrize(("output", "stated"), [("3.3 each", 1), ("3.33 each", 1), ("3 each", 0), ("30.3", 0)])
def test_a_number_may_be_rounded_as_the_reference_rounds_it(output: str, stated: float) -> None:
    assert scores(output, SUM, target="About 3.3 each.")[0] == stated


def test_thousands_and_negative_numbers_are_read() -> None:
    large = (ToolCall("", "calculate", '{"expression": "1845*1000"}'), '{"value": 1845000}')
    assert scores("That is 1,845,000.", large)[0] == 1
    assert scores("It is −9 degrees, light rain.", DAY, target="It is -9 with light rain.")[0] == 1
    assert scores("It is 9 degrees, light rain.", DAY, target="It is -9 with light rain.")[0] == 0.5


def test_a_text_is_stated_without_regard_to_case_and_end() -> None:
    assert scores('In German: "hallo".', WORD)[0] == 1
    assert scores("In German: Guten Tag", WORD)[0] == 0


def test_a_text_is_stated_as_whole_words() -> None:
    rain = (ToolCall("", "weather", '{"city": "Oslo"}'), '{"conditions": "rain"}')
    assert scores("The train to Oslo leaves at nine.", rain)[0] == 0
    assert scores("It will rain in Oslo.", rain)[0] == 1
    kanji = (ToolCall("", "weather", '{"city": "Oslo"}'), '{"conditions": "雨"}')
    assert scores("明日は雨です。", kanji)[0] == 1


def test_what_the_call_said_already_is_no_result_and_without_a_reference_only_a_single_value_counts() -> None:
    assert scores("-9, celsius, light rain", DAY) == [None, None]
    assert scores("de", WORD)[0] == 0
    assert scores("x") == [None, None]
    assert scores("x", (SUM[0], '{"error": "division by zero"}')) == [None, None]


def test_several_results_count_each() -> None:
    assert scores("3.33 and Hallo", SUM, WORD)[0] == 1
    assert scores("3.33 and nothing", SUM, WORD)[0] == 0.5


def test_another_call_with_the_same_result_obtains_it() -> None:
    assert scores("", SUM, results=('{"expression": "20/6", "value": 3.33333333333}',)) == [0, 1]
    assert scores("3.33", SUM, results=('{"expression": "10*3", "value": 30}',)) == [1, 0]
