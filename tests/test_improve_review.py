"""A review: what a person filled in becomes lines to learn from, and what cannot be meant is told with its line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.chat import Message, ToolCall
from ftbuild.improve import cells
from ftbuild.improve.review import CELL_AT_MOST, lines_of, readable, traced, written
from ftbuild.rows import line

NAMES = ("get_weather", "calculate")
CALL = {"id": "c9", "type": "function", "function": {"name": "calculate", "arguments": '{"expression": "2+3"}'}}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


def trace(name: str = "a1", answer: str = "No rain.", **more: Any) -> dict[str, Any]:
    asked = {"role": "user", "content": f"Rain in Oslo? {name}"}
    return {
        "id": name,
        "trace": "desk.jsonl:7",
        "source": "desk",
        "messages": [asked, {"role": "assistant", "content": answer}],
        "group": "t7",
        "answers": {"tuned": {"role": "assistant", "tool_calls": [CALL]}},
        "chosen": {"by": "disagreement", "value": 1.0, "why": "tuned calls tools and base none"},
        "callable": [],
        **more,
    }


def filled(traces: list[dict[str, Any]], *rows: dict[str, str]) -> bytes:
    """Return the review of the traces with cells filled in, row by row."""
    found, problems = cells.read(written(traces, "csv"), (), "review.csv")
    assert problems == []
    table = [{**each.cells, **more} for each, more in zip(found, rows, strict=True)]
    return cells.written([*found[0].cells], table)


def told(traces: list[dict[str, Any]], *rows: dict[str, str]) -> list[str]:
    return [str(each) for each in lines_of(filled(traces, *rows), traced(traces))[1]]


def answer(text: str, names: tuple[str, ...] = NAMES) -> Any:
    """Return the message that an edited answer becomes, or what is said of it."""
    traces = [trace(callable=[*names])]
    made, problems = lines_of(filled(traces, {"verdict": "edit", "answer": text}), traced(traces))
    return made[0]["messages"][-1] if made else str(problems[0])


def calls(message: Any) -> list[tuple[str, Any]]:
    assert isinstance(message, dict), message
    return [(each["function"]["name"], json.loads(each["function"]["arguments"])) for each in message["tool_calls"]]


def test_a_row_shows_what_was_asked_and_answered_and_why_it_is_there() -> None:
    [row] = cells.read(written([trace()], "csv"), (), "")[0]
    assert dict(row.cells) == {
        "id": "a1",
        "asked": "Rain in Oslo? a1",
        "logged": "No rain.",
        "answer of tuned": 'calculate(expression="2+3")',
        "why": "tuned calls tools and base none",
        "verdict": "",
        "answer": "",
        "reviewer": "",
        "trace": "desk.jsonl:7",
    }


def test_of_a_conversation_every_message_is_shown_but_the_system() -> None:
    before = [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "And?"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c9", "content": "5"},
        {"role": "assistant", "content": "Five."},
    ]
    [row] = cells.read(written([trace(messages=before)], "csv"), (), "")[0]
    assert row.cells["asked"] == 'user: And?\n\nassistant: calculate(expression="2+3")\n\ntool: 5'


def test_what_no_cell_holds_is_cut_and_learnt_whole() -> None:
    traces = [trace(answer="long " * 10_000)]
    [row] = cells.read(written(traces, "csv"), (), "")[0]
    assert row.cells["logged"] == f"{('long ' * 10_000)[:CELL_AT_MOST]}\n[cut here; whole beside this file]"
    [made], _ = lines_of(filled(traces, {"verdict": "keep"}), traced(traces))
    assert made["messages"][-1]["content"] == "long " * 10_000


def test_kept_edited_and_dropped_rows_become_lines_with_their_provenance() -> None:
    traces = [trace("a1", tools=[TOOL]), trace("a2"), trace("a3")]
    rows = [
        {"verdict": " Keep ", "reviewer": "AK"},
        {"verdict": "edit", "answer": "It stays dry."},
        {"verdict": "drop"},
    ]
    made, problems = lines_of(filled(traces, *rows), traced(traces))
    shared = {"trace": "desk.jsonl:7", "source": "desk", "chosen_by": "disagreement"}
    shared["why"] = "tuned calls tools and base none"
    assert problems == []
    assert made == [
        {
            "messages": traces[0]["messages"],
            "tools": [TOOL],
            "group": "t7",
            "provenance": {**shared, "verdict": "keep", "reviewer": "AK"},
        },
        {
            "messages": [traces[1]["messages"][0], {"role": "assistant", "content": "It stays dry."}],
            "group": "t7",
            "provenance": {**shared, "verdict": "edit"},
        },
    ]


def test_rows_that_are_not_filled_in_are_left_out_and_counted() -> None:
    traces = [trace("a1"), trace("a2"), trace("a3")]
    review = filled(traces, {"verdict": "keep"}, {}, {})
    made, problems = lines_of(review, traced([*traces, trace("a4")]))
    assert [each["messages"][0]["content"] for each in made] == ["Rain in Oslo? a1"]
    assert [(each.severity, str(each)) for each in problems] == [
        ("warning", "review.csv: warning: 2 of 3 rows have no verdict, and are left out    unfilled"),
        ("warning", "review.csv: warning: 1 trace of the proposal has no row, and is left out    row-gone"),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"verdict": "kepe"},
            "review.csv:2: verdict: 'kepe' is none\n    Fix: write keep.    unknown-verdict",
        ),
        (
            {"verdict": "?"},
            "review.csv:2: verdict: '?' is none\n    Fix: write keep, edit or drop.    unknown-verdict",
        ),
        (
            {"verdict": "edit", "answer": " "},
            "review.csv:2: edit, and no answer\n"
            "    Fix: write the answer that the model should give, or drop under verdict.    edit-without-answer",
        ),
        (
            {"answer": "Dry."},
            "review.csv:2: an answer and no verdict\n    Fix: write edit under verdict.    answer-without-verdict",
        ),
        (
            {"verdict": "keep", "answer": "Dry."},
            "review.csv:2: keep, and another answer beside it\n"
            "    Fix: write edit under verdict, or take the answer out.    answer-with-keep",
        ),
        (
            {"id": "zz", "verdict": "keep"},
            "review.csv:2: no trace 'zz' in the proposal\n"
            "    Fix: take the row out, or put back the id that it had.    no-such-trace",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(row: dict[str, str], said: str) -> None:
    assert told([trace()], row)[0] == said


def test_a_trace_with_two_rows_is_told() -> None:
    traces = [trace("a1"), trace("a2")]
    said = told(traces, {"verdict": "keep"}, {"id": "a1", "verdict": "drop"})[0]
    assert said.startswith("review.csv:3: the trace 'a1' has a row on line 2 already\n")


def test_where_there_are_tools_an_answer_may_be_a_text_or_calls() -> None:
    assert answer("It stays dry.") == {"role": "assistant", "content": "It stays dry."}
    assert answer("(none)") == {"role": "assistant", "content": "(none)"}
    assert answer('get_weather(city="Oslo")', ()) == {"role": "assistant", "content": 'get_weather(city="Oslo")'}
    two = 'get_weather(city="Os\\"lo", days=[1, 2])\n\ncalculate( expression = "f(1)" )\n'
    wanted = [("get_weather", {"city": 'Os"lo', "days": [1, 2]}), ("calculate", {"expression": "f(1)"})]
    assert calls(answer(two)) == wanted
    assert calls(answer("calculate()")) == [("calculate", {})]


def test_calls_may_be_written_as_json_in_either_spelling() -> None:
    short = {"name": "calculate", "arguments": {"expression": "2+3"}}
    for said in (short, [short], [CALL], CALL):
        assert calls(answer(json.dumps(said))) == [("calculate", {"expression": "2+3"})]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1]", "1 is no object with name and arguments"),
        ("[]", "an empty list"),
        ('{"name": "calculate"}', "a call has a name and arguments, an object"),
        ('{"name": "calculate", "arguments": "{"}', "the arguments of calculate are no JSON"),
        ('{"name": "calculat", "arguments": {}}', "no tool 'calculat'; the nearest is 'calculate'"),
        ("get_weather(city=Oslo)", "city of get_weather: its value is no JSON; a text stands in quotes"),
        ('get_weather("Oslo")', "ARGUMENT=VALUE in get_weather(...), not '\"Oslo\")'"),
        ('get_weather(city="Oslo"', "a comma or ) in get_weather(...), not ''"),
        ("get_weather(days=1 days=2)", "a comma or ) in get_weather(...), not ' days=2)'"),
        ("get_weather(days=1, days=2)", "get_weather has days twice"),
        ("calculate() and more", "a new line after calculate(...), not 'and more'"),
        ("calculate()\nrain", "'rain' is no call"),
        ("calculate()\nrain()", "no tool 'rain'"),
    ],
)
def test_calls_that_are_none_are_told(text: str, why: str) -> None:
    assert answer(text).split("\n")[0] == f"review.csv:2: answer: no calls: {why}"


def test_json_that_is_broken_is_no_text_where_there_are_tools() -> None:
    assert answer('[{"name": "calculate"').startswith("review.csv:2: answer: no calls: no JSON (")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True), VALUES, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(NAMES), ARGUMENTS), min_size=1, max_size=3))
def test_calls_are_read_back_as_they_are_shown(listed: list[tuple[str, dict[str, Any]]]) -> None:
    made = [ToolCall("c", name, json.dumps(given)) for name, given in listed]
    assert calls(answer(readable(Message("assistant", None, tuple(made))))) == listed


def test_a_review_in_json_lines_says_the_same() -> None:
    traces = [trace("a1", callable=[*NAMES]), trace("a2"), trace("a3")]
    rows = [json.loads(each) for each in written(traces, "jsonl").splitlines()]
    assert rows[0]["answer of tuned"] == 'calculate(expression="2+3")'
    rows[0] |= {"verdict": "edit", "answer": [{"name": "calculate", "arguments": {"expression": "5"}}]}
    rows[1] |= {"verdict": "keep", "answer": None}
    made, problems = lines_of(b"".join(line(each) + b"\n" for each in rows), traced(traces), "review.jsonl")
    assert [each["messages"][-1].get("content") for each in made] == [None, "No rain."]
    assert calls(made[0]["messages"][-1]) == [("calculate", {"expression": "5"})]
    assert [each.rule for each in problems] == ["unfilled"]
    _, problems = lines_of(b'{"id": "a1"\n{"verdict": "keep"}\n', traced(traces), "review.jsonl")
    assert [(each.line, each.path) for each in problems] == [(1, "review.jsonl"), (2, "review.jsonl")]
