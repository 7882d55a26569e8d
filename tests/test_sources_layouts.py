"""Layouts of conversations: each becomes the training line it means, and a finding names the place in the file."""

import gzip
import json
from typing import Any

import pytest
from conversations_fixture import examples
from hypothesis import given
from hypothesis import strategies as st
from training_lines import BROKEN, BROKEN_LINE, GOOD, in_bytes

from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.settings import Source
from ftbuild.settings.source import FIELDS
from ftbuild.sources import READERS, read

WEATHER = {
    "name": "get_weather",
    "description": "Weather.",
    "parameters": {"type": "object", "properties": {"city": {}}, "required": ["city"]},
}
CALLED = {"name": "get_weather", "arguments": {"city": "Oslo"}}
SHAREGPT = {
    "id": "a1",
    "system": "Help.",
    "tools": json.dumps([WEATHER]),
    "conversations": [
        {"from": "human", "value": "Rain in Oslo and Bergen?"},
        {"from": "function_call", "value": json.dumps([CALLED, {**CALLED, "arguments": {"city": "Bergen"}}])},
        {"from": "observation", "value": "no"},
        {"from": "observation", "value": "yes"},
        {"from": "gpt", "value": "In Bergen only."},
    ],
}
ASKED = {"role": "user", "content": "Hi."}
ANSWER = {"role": "assistant", "content": "Hello."}
ALPACA = {"instruction": "Sort.", "input": "b a", "output": "a b", "system": "Help.", "history": [["Hi.", "Hello."]]}


def source(kind: str, **fields: Any) -> Source:
    return Source(kind=kind, path="d/x", licence="CC0-1.0", origin="here", **fields)  # type: ignore[arg-type]


def one(kind: str, value: Any, **fields: Any) -> Example:
    [example], problems = read(json.dumps(value).encode(), "s", source(kind, **fields))
    assert [problem for problem in problems if problem.severity == "error"] == []
    return example


def wrong(kind: str, value: Any) -> list[tuple[str, str]]:
    """Return the rules that a line breaks, each with its place."""
    found, problems = read(json.dumps(value).encode(), "s", source(kind))
    assert found == []
    assert all((problem.path, problem.line) == ("d/x", 1) for problem in problems)
    return [(problem.rule, problem.at) for problem in problems]


def test_a_tool_of_a_source_says_what_openai_wants_said() -> None:
    tools = json.dumps([{"name": "ping", "description": "There?", "parameters": {"type": "object"}}])
    [tool] = one("sharegpt", {**SHAREGPT, "tools": tools, "conversations": SHAREGPT["conversations"][::4]}).tools
    assert tool.parameters == {"type": "object", "properties": {}}


def test_every_kind_has_a_reader_and_its_fields() -> None:
    assert {*READERS, "documents"} == set(FIELDS)  # documents are no examples


def test_sharegpt_keeps_every_call_with_its_result() -> None:
    line = one("sharegpt", SHAREGPT).conversation()
    assert line["tools"] == [{"type": "function", "function": WEATHER}]
    assert line["messages"] == [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "Rain in Oslo and Bergen?"},
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": f"call_1_{n}",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": json.dumps({"city": city})},
                }
                for n, city in enumerate(("Oslo", "Bergen"))
            ],
        },
        {"role": "tool", "tool_call_id": "call_1_0", "content": "no"},
        {"role": "tool", "tool_call_id": "call_1_1", "content": "yes"},
        {"role": "assistant", "content": "In Bergen only."},
    ]


@pytest.mark.parametrize("value", [["no", "yes"], '["no", "yes"]', ["no", {"rain": True}]])
def test_an_observation_of_sharegpt_may_hold_the_results_of_all_calls(value: Any) -> None:
    turns: list[Any] = [*SHAREGPT["conversations"]]  # type: ignore[misc]
    line = one(
        "sharegpt", {**SHAREGPT, "conversations": [*turns[:2], {"from": "observation", "value": value}, turns[4]]}
    )
    results = [(each.tool_call_id, each.content) for each in line.messages if each.role == "tool"]
    second = '{"rain": true}' if isinstance(value[1], dict) else "yes"
    assert results == [("call_1_0", "no"), ("call_1_1", second)]


@pytest.mark.parametrize("value", ["no and yes", '["no"]', ["a", "b", "c"], 5])
def test_fewer_results_than_calls_are_told(value: Any) -> None:
    turns: list[Any] = [*SHAREGPT["conversations"]]  # type: ignore[misc]
    line = {**SHAREGPT, "conversations": [*turns[:2], {"from": "observation", "value": value}, turns[4]]}
    assert wrong("sharegpt", line) == [("tool-call-without-result", "conversations[2]")]


PREFERRED = {
    "conversations": [{"from": "human", "value": "Hi."}],
    "chosen": {"from": "gpt", "value": "Good day."},
    "rejected": {"from": "gpt", "value": "Hey."},
}


def test_a_preference_of_sharegpt_has_both_answers() -> None:
    example = one("sharegpt", PREFERRED)
    assert example.rejected is not None
    assert (example.target.content, example.rejected.content) == ("Good day.", "Hey.")


@pytest.mark.parametrize("answer", [None, "Hey.", {"from": "human", "value": "Hey."}, {"from": "gpt", "value": " "}])
def test_a_preference_of_sharegpt_without_an_answer_is_told(answer: Any) -> None:
    assert wrong("sharegpt", {**PREFERRED, "rejected": answer}) == [("missing-output", "rejected")]


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ({"from": "alien", "value": "x"}, ("unknown-role", "conversations[4]")),
        ({"from": "gpt"}, ("missing-content", "conversations[4]")),
        ({"from": "gpt", "value": 5}, ("content-not-a-text", "conversations[4].value")),
        ({"from": "function_call", "value": "get_weather()"}, ("bad-tool-call", "conversations[4].value")),
        (
            {"from": "function_call", "value": json.dumps({"name": "wether", "arguments": {}})},
            ("unknown-tool", "conversations[4].value.name"),
        ),
        (
            {"from": "function_call", "value": json.dumps([CALLED, {**CALLED, "arguments": {}}])},
            ("arguments-misfit", "conversations[4].value[1].arguments"),
        ),
        ({"from": "function_call", "value": '{"name": "f", "name": "g"}'}, ("bad-tool-call", "conversations[4].value")),
        (
            {"from": "function_call", "value": '{"name": "f", "parameters": {}}'},
            ("bad-tool-call", "conversations[4].value"),
        ),
        ({"from": "gpt", "value": "x", "weight": 0.5}, ("weight-not-0-or-1", "conversations[4].weight")),
        ("x", ("unknown-role", "conversations[4]")),
    ],
)
def test_what_is_wrong_in_sharegpt_is_named_where_it_stands(turn: Any, said: tuple[str, str]) -> None:
    turns = [*SHAREGPT["conversations"][:4], turn]  # type: ignore[index]
    value = {**SHAREGPT, "conversations": turns}
    assert wrong("sharegpt", value) == [said]


def test_an_answer_of_weight_0_is_not_learnt_from_sharegpt() -> None:
    human, bot = {"from": "human", "value": "Hi.", "weight": 0}, {"from": "gpt", "value": "No.", "weight": 0}
    line = one("sharegpt", {"conversations": [human, bot, human, {**bot, "value": "Hello.", "weight": 1}]})
    assert [each.weight for each in line.messages] == [None, 0, None, 1]


def test_pictures_of_sharegpt_are_not_lost_in_silence() -> None:
    assert wrong("sharegpt", {**SHAREGPT, "images": ["a.png"]}) == [("content-in-parts", "images")]


def test_tools_of_sharegpt_are_json_in_every_respect() -> None:
    twice = '[{"name": "f", "name": "g"}]'
    assert wrong("sharegpt", {**SHAREGPT, "tools": twice}) == [("not-a-list", "tools")]
    assert wrong("sharegpt", {**SHAREGPT, "tools": "{}"}) == [("not-a-list", "tools")]


def test_sharegpt_without_conversations_is_none() -> None:
    assert wrong("sharegpt", {"messages": []}) == [("missing-messages", "")]
    assert wrong("sharegpt", "conversations") == [("missing-messages", "")]


def test_alpaca_has_instruction_and_input_in_one_message() -> None:
    assert one("alpaca", ALPACA).conversation() == {
        "messages": [
            {"role": "system", "content": "Help."},
            {"role": "user", "content": "Hi."},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Sort.\n\nb a"},
            {"role": "assistant", "content": "a b"},
        ]
    }
    bare = one("alpaca", {"instruction": "Sort.", "input": "", "output": "a"}).conversation()["messages"]
    assert [each["content"] for each in bare] == ["Sort.", "a"]


def test_what_is_wrong_in_alpaca_is_named_where_it_stands() -> None:
    assert wrong("alpaca", {"instruction": "a"}) == [("missing-field", "")]
    assert wrong("alpaca", {**ALPACA, "output": ""}) == [("empty-content", "output")]
    assert wrong("alpaca", {**ALPACA, "history": [["a", "<|end|>"]]}) == [("special-token", "history[0][1]")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"input": {"x": 1}}, ("content-not-a-text", "input")),
        ({"instruction": 5}, ("content-not-a-text", "instruction")),
        ({"history": "Hi."}, ("not-a-list", "history")),
        ({"history": ["Hi.", "Hello."]}, ("not-a-list", "history")),
        ({"images": ["a.png"]}, ("content-in-parts", "images")),
    ],
)
def test_what_alpaca_would_lose_is_an_error(fields: Any, said: tuple[str, str]) -> None:
    assert wrong("alpaca", {**ALPACA, **fields}) == [said]


def test_an_input_without_an_instruction_is_the_request() -> None:
    assert one("alpaca", {"instruction": "", "input": "b a", "output": "a"}).prompt[0].content == "b a"


def test_alpaca_in_one_array_is_read_with_the_lines_of_its_objects() -> None:
    content = json.dumps([ALPACA, {**ALPACA, "output": "c"}], indent=1).encode()
    found, problems = read(content, "s", source("alpaca"))
    assert problems == []
    assert [each.target.content for each in found] == ["a b", "c"]
    assert content.split(b"\n")[found[1].line - 1] == b" {"


def test_csv_is_read_with_quotes_commas_line_ends_and_marks() -> None:
    text = 'casual,formal,topic\r\n"hey, ""you""",Hello.,a\r\n"two\nlines","Two\nlines.",b\r\nyo,Good day.,a\r\n'
    for content in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        found, problems = read(content, "s", source("csv", input="casual", target="formal", group="topic"))
        assert problems == []
        assert [(each.line, each.raw, each.target.content, each.group) for each in found] == [
            (2, 'hey, "you"', "Hello.", "a"),
            (3, "two\nlines", "Two\nlines.", "b"),
            (6, "yo", "Good day.", "a"),
        ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\nx\ny,z\n", "d/x:2: 1 fields, and the head has 2"),
        ("a,b\nx,y,z\ny,z\n", "d/x:2: 3 fields, and the head has 2"),
        ('a,b\n"x"y,z\n', "d/x:2: not CSV"),
        ("a,c\nx,y\n", "d/x:2: no field 'b'"),
        ("a,b\nx,\n", "d/x:2: b: '' is not a text"),
        ("a,b\n\n\nx,\n", "d/x:4: b: '' is not a text"),
        ("\na,b,b\nx,y,z\n", "d/x:2: two columns 'b'"),
        ("a,b\nx,y\n\xe9,z\n", "d/x:3: not UTF-8"),
    ],
)
def test_a_broken_record_is_named_with_its_line(text: str, said: str) -> None:
    _, problems = read(text.encode("latin-1"), "s", source("csv", input="a", target="b"))
    assert str(problems[0]).startswith(said)


def test_a_field_may_be_a_long_document_and_unnamed_columns_are_nobodys() -> None:
    text = f"a,b,,\n{'x' * 200_000},y,,\n"
    [found], problems = read(text.encode(), "s", source("csv", input="a", target="b"))
    assert (len(found.raw), problems) == (200_000, [])


def test_a_compressed_file_is_read_and_a_torn_one_refused() -> None:
    packed = gzip.compress(in_bytes(GOOD["supervised"]))
    assert len(read(packed, "s", source("chat_jsonl"))[0]) == len(GOOD["supervised"])
    assert read(packed[:-9], "s", source("chat_jsonl")) == (
        [],
        [Problem("cannot be unpacked: it is not whole", "d/x", fix="copy the file again, whole.", rule="not-gzip")],
    )


@pytest.mark.parametrize(
    "broken", [each for each in BROKEN if each.method == "supervised"], ids=lambda broken: str(broken.rule)
)
def test_a_source_refuses_what_check_calls_an_error(broken: Any) -> None:
    found, problems = read(broken.file(), "s", source("chat_jsonl"))
    errors = [problem for problem in problems if problem.severity == "error"]
    # Of files, taken out of a line, or checked once the dataset says which tools are offered.
    beside = {"duplicate-line", "example-too-long", "blank-line", "unknown-key", "calls-without-tools"}
    beside |= {"bad-tool-name", "incomplete-schema"}  # a dataset tells a provider other names, and completes schemas
    rule = {"bad-call-name": "unknown-tool"}.get(broken.rule, broken.rule)
    if broken.rule in beside:
        assert errors == []
    else:
        assert {problem.rule for problem in problems} == {rule}
        assert all(problem.line == BROKEN_LINE for problem in problems)
        assert len(found) == len(GOOD["supervised"]) - bool(errors)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi."}]}, ANSWER]},
            ("content-in-parts", "messages[0].content"),
        ),
        ({"messages": [ASKED, ANSWER], "functions": []}, ("deprecated-functions", "functions")),
        (
            {
                "messages": [
                    ASKED,
                    {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
                    {"role": "function", "name": "f", "content": "1"},
                    ANSWER,
                ]
            },
            ("legacy-function-call", "messages[1]"),
        ),
        ({"messages": [ASKED, {**ANSWER, "audio": {"id": "a"}}]}, ("unknown-message-key", "messages[1].audio")),
    ],
)
def test_what_an_example_cannot_hold_is_refused_and_not_dropped(line: Any, said: tuple[str, str]) -> None:
    assert wrong("chat_jsonl", line)[0] == said


@given(examples())
def test_what_is_read_says_what_was_written(example: Example) -> None:
    line = example.conversation()
    found, problems = read(json.dumps(line).encode(), "s", source("chat_jsonl"))
    if all(problem.severity == "warning" for problem in problems):
        assert [each.conversation() for each in found] == [line]


@pytest.mark.parametrize("kind", ["sharegpt", "alpaca", "chat_jsonl"])
@given(
    st.recursive(
        st.none() | st.integers() | st.sampled_from(["", "human", "gpt", "function_call", '{"name": "f"}', "x"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["conversations", "from", "value", "instruction", "output", "history", "tools"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_whatever_a_line_is_it_is_read_or_named(kind: str, value: Any) -> None:
    found, problems = read(json.dumps(value).encode(), "s", source(kind))
    assert found or problems
