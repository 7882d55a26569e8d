"""Answers held to schemas and tools, by a model of random weights, which would never keep to them by itself."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from embedded_fixture import TINY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from training_lines import CALCULATE, WEATHER

pytest.importorskip("torch")
pytest.importorskip("llguidance")

from ftbuild.embedded.chat import Choice, chat_request
from ftbuild.embedded.constraints import Guide, grammar_of
from ftbuild.embedded.sampler import Sampler
from ftbuild.embedded.template import Template
from ftbuild.embedded.weights import Base, prepare
from ftbuild.embedded.wire import ApiError

SWITCH = {
    "type": "function",
    "function": {
        "name": "switch",
        "parameters": {
            "type": "object",
            "properties": {"on": {"type": "boolean"}, "level": {"enum": [1, 2, 3]}},
            "required": ["on", "level"],
        },
    },
}
STOP = {"type": "function", "function": {"name": "stop_all"}}
NOTE = {
    "type": "function",
    "function": {
        "name": "note",
        "parameters": {
            "type": "object",
            "properties": {
                "kind": {"enum": ["todo", "idea"]},
                "code": {"type": "string", "pattern": "^[A-C]{2}$"},
                "tag": {"type": "string", "maxLength": 3},
                "ends": {"type": "string", "pattern": "[xy]{1,2}$", "maxLength": 4},
                "on": {"type": "string", "format": "date"},
            },
            "required": ["kind", "code", "tag", "ends", "on"],
        },
    },
}
TOOLS = {tool["function"]["name"]: tool["function"] for tool in (WEATHER, CALCULATE, SWITCH, STOP, NOTE)}
UNSAYABLE = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
STRICT = {"type": "function", "function": {"name": "s", "parameters": UNSAYABLE, "strict": True}}
LEAVES = st.sampled_from(
    [
        {"type": "boolean"},
        {"type": "null"},
        {"type": "integer", "minimum": 0, "maximum": 99},
        {"enum": ["red", "blue", 3]},
        {"type": "string", "maxLength": 5},
        {"type": "string", "pattern": "^[a-f]{2,4}$"},
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda each: {"type": "array", "items": each, "minItems": 1, "maxItems": 2}, inner),
        st.builds(lambda each: {"anyOf": each}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(
            lambda each: {
                "type": "object",
                "properties": each,
                "required": list(each),
                "additionalProperties": False,
            },
            st.dictionaries(st.sampled_from(["a", "b c", "é"]), inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=4,
)


class Asking:
    def __init__(self, sampler: Sampler, base: Base) -> None:
        self.sampler, self.base = sampler, base

    def __call__(self, **asked: Any) -> Choice:
        body = {"model": "tiny", "messages": [{"role": "user", "content": "json?"}], "seed": 1, "max_tokens": 400}
        return self.sampler.ask(self.base, None, chat_request(body | asked)).result(60).choices[0]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    sampler = Sampler(threads=1)
    yield Asking(sampler, prepare(TINY, tmp_path_factory.mktemp("cache"), print))
    sampler.stop()


@pytest.mark.slow
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schema=SCHEMAS, seed=st.integers(0, 2**31), temperature=st.sampled_from([0, 1, 2]))
def test_an_answer_fits_its_schema_to_the_last_character(
    ask: Asking, schema: dict[str, Any], seed: int, temperature: int
) -> None:
    whole = {"type": "object", "properties": {"found": schema}, "required": ["found"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "form", "strict": True, "schema": whole}}
    choice = ask(response_format=form, seed=seed, temperature=temperature, max_tokens=2000)
    assert choice.finish_reason == "stop"
    Draft202012Validator(whole).validate(json.loads(choice.text))


def test_a_json_object_is_one(ask: Asking) -> None:
    found = [ask(response_format={"type": "json_object"}, seed=seed) for seed in range(8)]
    whole = [json.loads(each.text) for each in found if each.finish_reason == "stop"]
    assert whole
    assert {type(each) for each in whole} == {dict}
    assert all(each.text.startswith("{") for each in found)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("names", [["note"], ["switch", "stop_all"], ["get_weather", "calculate", "switch"]])
def test_required_calls_are_calls_of_offered_tools_with_arguments_that_fit(
    ask: Asking, names: list[str], seed: int
) -> None:
    tools = [{"type": "function", "function": TOOLS[name]} for name in names]
    choice = ask(tools=tools, tool_choice="required", seed=seed, max_tokens=1500)
    assert choice.tool_calls
    assert choice.text == ""
    whole = choice.tool_calls if choice.finish_reason == "tool_calls" else choice.tool_calls[:-1]
    for call in whole:
        schema = TOOLS[call["function"]["name"]].get("parameters") or {"maxProperties": 0}
        arguments = json.loads(call["function"]["arguments"])
        held = {**schema, "additionalProperties": False}
        Draft202012Validator(held, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(arguments)
    assert len({call["id"] for call in choice.tool_calls}) == len(choice.tool_calls)


def test_one_call_is_all_there_is_where_one_is_allowed(ask: Asking) -> None:
    for seed in range(6):
        one = ask(tools=[SWITCH, STOP], tool_choice="required", parallel_tool_calls=False, seed=seed)
        assert (len(one.tool_calls), one.finish_reason) == (1, "tool_calls")
        named = {"type": "function", "function": {"name": "switch"}}
        one = ask(tools=[SWITCH, STOP], tool_choice=named, seed=seed)
        assert [call["function"]["name"] for call in one.tool_calls] == ["switch"]


@pytest.mark.parametrize(
    ("asked", "text", "is_taken"),
    [
        ({}, "-> stop_all {}\n-> stop_all {}", True),
        ({"parallel_tool_calls": False}, "-> stop_all {}", True),
        ({"parallel_tool_calls": False}, "-> stop_all {}\n", False),
        ({"tool_choice": "required"}, "No", False),
        ({"tool_choice": "none"}, "No -> [1]", True),
        ({"tool_choice": "none"}, " -> s", False),
        ({}, "-> start_all", False),
        ({}, '-> stop_all {"a', False),
        ({}, '-> switch {"level', False),  # not in the order of the schema
        ({}, '-> switch {"on": true, "level": 3}', True),
        (
            {"tools": [NOTE]},
            '-> note {"kind": " todo", "code": " AB", "tag": " yes", "ends": "abx", "on": "2026-',
            True,
        ),
        ({"tools": [NOTE]}, '-> note {"kind": "todo"', False),
        ({"tools": [NOTE]}, '-> note {"kind": " todo", "code": "AB"', False),
    ],
)
def test_a_grammar_takes_what_a_request_allows(ask: Asking, asked: dict[str, Any], text: str, is_taken: bool) -> None:
    template = Template(ask.base.folder)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "?"}], "tools": [SWITCH, STOP]}
    grammar = grammar_of(chat_request(body | asked), template.form)
    assert grammar is not None
    matcher = Guide(template).matcher(grammar)
    tokens = template.ids(text)
    assert (matcher.try_consume_tokens(tokens) == len(tokens)) == is_taken


def test_an_answer_that_is_held_to_nothing_has_no_grammar(ask: Asking) -> None:
    form = Template(ask.base.folder).form
    body = {"model": "tiny", "messages": [{"role": "user", "content": "?"}]}
    assert grammar_of(chat_request(body), form) is None
    best_effort = {"type": "function", "function": {"name": "f", "strict": False}}
    assert grammar_of(chat_request(body | {"tools": [best_effort]}), form) is None
    assert grammar_of(chat_request(body | {"tools": [best_effort], "tool_choice": "required"}), form) is not None


def test_some_of_the_tools_may_be_allowed(ask: Asking) -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "stop_all"}}]}
    for seed in range(6):
        choice = ask(
            tools=[SWITCH, STOP],
            tool_choice={"type": "allowed_tools", "allowed_tools": allowed},
            parallel_tool_calls=False,
            seed=seed,
        )
        assert [call["function"]["name"] for call in choice.tool_calls] == ["stop_all"]


def test_a_call_that_is_cut_off_ends_by_its_length(ask: Asking) -> None:
    choice = ask(tools=[SWITCH], tool_choice="required", max_tokens=len('-> switch {"on": '))
    assert choice.finish_reason == "length"
    assert [call["function"]["arguments"] for call in choice.tool_calls] == ['{"on": ']


def test_where_no_call_is_wanted_there_is_none(ask: Asking) -> None:
    for seed in range(6):
        choice = ask(tools=[SWITCH], tool_choice="none", seed=seed, max_tokens=20)
        assert choice.tool_calls == ()
        assert not choice.text.lstrip().startswith("-> ")
    assert ask(tools=[SWITCH], max_tokens=20).tool_calls == ()  # random weights do not call by themselves


@pytest.mark.parametrize(
    ("asked", "param", "message"),
    [
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": UNSAYABLE}}},
            "response_format",
            "Invalid schema for response_format 'f': Unimplemented keys: [\"uniqueItems\"].",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": {"pattern": "("}}}},
            "response_format",
            "Invalid schema for response_format 'f': regex parse error: unclosed group.",
        ),
        (
            {
                "tools": [SWITCH, STRICT],
                "tool_choice": "required",
            },
            "tools[1].function.parameters",
            "Invalid schema for function 's': additionalProperties: is not false.",
        ),
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused(
    ask: Asking, asked: dict[str, Any], param: str, message: str
) -> None:
    with pytest.raises(ApiError) as refused:
        ask(**asked)
    assert (refused.value.status, refused.value.body["error"]["param"]) == (400, param)
    assert refused.value.body["error"]["message"] == message


def test_a_schema_that_need_not_be_kept_to_is_taken_for_any_object(ask: Asking) -> None:
    loose = {"type": "function", "function": {"name": "s", "parameters": UNSAYABLE}}
    choice = ask(tools=[loose], tool_choice="required", max_tokens=len("-> s {"))
    assert [call["function"]["arguments"] for call in choice.tool_calls] == ["{"]
