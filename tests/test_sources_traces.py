"""Logged calls of models: what each export holds becomes the training line that the provider was asked for."""

import json
from typing import Any

import pytest
from conversations_fixture import CALL, WEATHER
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionStoreMessage

from ftbuild.settings import Source
from ftbuild.sources import Read, read_files

CALLED = {"role": "assistant", "tool_calls": [CALL]}
ASKED = [{"role": "system", "content": "Help."}, {"role": "user", "content": "Rain in Oslo?"}]
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "no"}
ANSWER = {"role": "assistant", "content": "No rain."}
LINE = {"messages": [*ASKED, CALLED, RESULT, ANSWER], "tools": [WEATHER]}

# As OpenAI's SDK dumps them: what was not given is null.
STORED = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1750000000,
    "model": "gpt-4o-mini",
    "metadata": {"ticket": "t1"},
    "tools": [{**WEATHER, "function": {**WEATHER["function"], "strict": None}}],  # type: ignore[dict-item]
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {**ANSWER, "refusal": None, "annotations": [], "tool_calls": None},
        }
    ],
    "messages": [
        {"id": f"chatcmpl-1-{n}", "name": None, "content": None, "content_parts": None, "refusal": None, **each}
        for n, each in enumerate([*ASKED, CALLED, RESULT])
    ],
}
# As langfuse.openai writes an observation with tools; the export to blob storage has both as texts.
GENERATION = {
    "id": "o1",
    "type": "GENERATION",
    "level": "DEFAULT",
    "trace_id": "x",
    "input": {"tools": [WEATHER], "messages": [*ASKED, CALLED, RESULT]},
    "output": ANSWER,
}
BLOB = {**GENERATION, "input": json.dumps(GENERATION["input"]), "output": json.dumps(ANSWER)}
# As langchain_core.load.dumpd 1.8.4 writes messages.
HEAD = {"lc": 1, "type": "constructor"}
SCHEMA = ["langchain", "schema", "messages"]
LC_CALL = {"name": "get_weather", "args": {"city": "Oslo"}, "id": "c1", "type": "tool_call"}
DUMPED = [
    {**HEAD, "id": [*SCHEMA, "SystemMessage"], "kwargs": {"content": "Help.", "type": "system"}},
    {**HEAD, "id": [*SCHEMA, "HumanMessage"], "kwargs": {"content": "Rain in Oslo?", "type": "human"}},
    {
        **HEAD,
        "id": [*SCHEMA, "AIMessage"],
        "kwargs": {"content": "", "type": "ai", "tool_calls": [LC_CALL], "invalid_tool_calls": []},
    },
    {
        **HEAD,
        "id": [*SCHEMA, "ToolMessage"],
        "kwargs": {"content": "no", "type": "tool", "name": "get_weather", "tool_call_id": "c1", "status": "success"},
    },
]
DUMPED_ANSWER = {
    **HEAD,
    "id": [*SCHEMA, "AIMessage"],
    "kwargs": {
        "content": [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "No rain."}],
        "type": "ai",
        "tool_calls": [],
        "invalid_tool_calls": [],
    },
}
RUN = {
    "id": "r1",
    "run_type": "llm",
    "error": None,
    "extra": {"invocation_params": {"model": "gpt-4o", "tools": [WEATHER]}},
    "inputs": {"messages": [DUMPED]},
    "outputs": {
        "generations": [
            [
                {
                    "text": "No rain.",
                    "generation_info": {"finish_reason": "stop"},
                    "type": "ChatGeneration",
                    "message": DUMPED_ANSWER,
                }
            ]
        ],
        "llm_output": None,
        "type": "LLMResult",
    },
}
WRAPPED = {
    "run_type": "llm",
    "inputs": {"messages": [*ASKED, CALLED, RESULT], "model": "gpt-4o", "tools": [WEATHER]},
    "outputs": {"choices": STORED["choices"]},
}
# As langfuse.langchain writes them: tools are messages, calls are LangChain's.
LC_GENERATION = {
    "type": "GENERATION",
    "input": [
        *ASKED,
        {"role": "assistant", "content": "", "tool_calls": [LC_CALL]},
        RESULT,
        {"role": "tool", "content": WEATHER},
    ],
    "output": ANSWER,
}
FLAT = {"type": "human", "data": {"content": "Rain in Oslo?", "additional_kwargs": {}, "type": "human", "name": None}}


def found(kind: str, *values: Any, **fields: Any) -> Read:
    source = Source(kind=kind, path="d/x", licence="CC0-1.0", origin="here", **fields)  # type: ignore[arg-type]
    return read_files([("d/x", b"".join(json.dumps(each).encode() + b"\n" for each in values))], "s", source)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("stored_completions", STORED),
        (
            "stored_completions",
            {**STORED, "messages": None, "input_messages": [*ASKED, CALLED, RESULT]},
        ),
        ("stored_completions", {**STORED, "messages": [*ASKED, CALLED, RESULT, ANSWER]}),
        ("langfuse", GENERATION),
        ("langfuse", BLOB),
        ("langfuse", LC_GENERATION),
        ("langsmith", RUN),
        ("langsmith", {**RUN, **{key: json.dumps(RUN[key]) for key in ("inputs", "outputs", "extra")}}),
        ("langsmith", WRAPPED),
        ("langsmith", {**WRAPPED, "outputs": {"messages": [ANSWER]}}),
        ("langsmith", {**WRAPPED, "outputs": {"message": ANSWER}}),
        ("langsmith", {**WRAPPED, "outputs": ANSWER}),
    ],
)
def test_a_logged_call_is_the_line_it_means(kind: str, value: Any) -> None:
    read = found(kind, value)
    assert read.problems == []
    assert [each.conversation() for each in read.examples] == [LINE]


@pytest.mark.parametrize("said", ['{"city": "Oslo"}', '["a", "b"]', "[]", "{}", "{a"])
def test_a_text_that_is_json_and_no_message_is_what_was_said(said: str) -> None:
    read = found("langfuse", {"type": "GENERATION", "input": said, "output": said})
    assert read.problems == []
    assert [each.content for each in read.examples[0].messages] == [said, said]


def test_what_is_exported_is_what_the_sdk_gives() -> None:
    """The oracle: the SDK's own types take the completion and its messages, and write them back."""
    completion = ChatCompletion.model_validate({key: value for key, value in STORED.items() if key != "messages"})
    listed = [
        ChatCompletionStoreMessage.construct(**each).to_dict()
        for each in STORED["messages"]  # type: ignore[attr-defined]
    ]
    read = found("stored_completions", completion.to_dict() | {"messages": listed}, group="metadata.ticket")
    assert read.problems == []
    assert [(each.conversation(), each.group) for each in read.examples] == [(LINE, "t1")]


def test_messages_of_other_forms_are_read_too() -> None:
    plain = {"type": "ai", "content": "Hi.", "response_metadata": {}, "usage_metadata": None}
    read = found("langsmith", {"inputs": {"messages": [FLAT]}, "outputs": {"messages": [plain]}, "run_type": "llm"})
    assert [each.conversation() for each in read.examples] == [
        {"messages": [ASKED[1], {"role": "assistant", "content": "Hi."}]}
    ]
    text = found(
        "langfuse", {"input": "Hi.", "output": "Hello."}, {"input": ASKED, "output": {"role": None, "content": "b"}}
    )
    assert [each.target.content for each in text.examples] == ["Hello.", "b"]


def test_what_is_no_call_of_a_model_is_left_out_and_counted() -> None:
    span = {"type": "SPAN", "input": None, "output": None}
    read = found("langfuse", GENERATION, span, span, {**GENERATION, "level": "ERROR"}, slices={"trace": "trace_id"})
    assert (read.problems, read.note()) == ([], "1 examples; left out: 1 as failed, 2 as no generation")
    chain = {"run_type": "chain", "inputs": {}, "outputs": {}}
    read = found("langsmith", RUN, chain, {**RUN, "error": "Timeout"}, {**RUN, "outputs": None})
    assert read.note() == "1 examples; left out: 1 as failed, 1 as no call of a model, 1 without an answer"
    assert read.problems == []


SILENT = {"role": "assistant", "content": None, "refusal": None}


@pytest.mark.parametrize(
    ("kind", "good", "value"),
    [
        ("stored_completions", STORED, {**STORED, "choices": [{"finish_reason": "stop", "message": SILENT}]}),
        ("langfuse", GENERATION, {**GENERATION, "output": SILENT}),
        ("langfuse", GENERATION, {**GENERATION, "output": ""}),
        ("langsmith", RUN, {**RUN, "outputs": {}}),
        ("langsmith", RUN, {**RUN, "outputs": {"message": {"type": "ai", "content": [{"type": "thinking"}]}}}),
        ("langsmith", RUN, {**WRAPPED, "outputs": {"messages": [{"role": "assistant", "content": " "}]}}),
    ],
)
def test_an_answer_that_says_nothing_is_none(kind: str, good: Any, value: Any) -> None:
    read = found(kind, good, value)
    assert (read.problems, read.note()) == ([], "1 examples; left out: 1 without an answer")


def changed(value: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**value, **fields}


CHOICE = STORED["choices"][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (
            "stored_completions",
            {"object": "chat.completion"},
            "d/x:1: no completion: it has no choices\n"
            "    Fix: write what chat.completions.list() gives, an object a line.    not-a-completion",
        ),
        (
            "stored_completions",
            changed(STORED, messages=None),
            "d/x:1: no request: it has no messages\n"
            "    Fix: add what chat.completions.messages.list(id) gives, as messages.    no-request",
        ),
        (
            "stored_completions",
            changed(STORED, choices=[CHOICE, CHOICE]),
            "d/x:1: choices: 2 answers\n    Fix: keep the one to learn from in choices.    not-one-answer",
        ),
        (
            "stored_completions",
            changed(STORED, choices=[{**CHOICE, "finish_reason": "length"}]),  # type: ignore[dict-item]
            "d/x:1: warning: choices[0].finish_reason: the answer was cut by the limit of tokens\n"
            "    It is left out: the model would learn to stop in the middle.    cut-answer",
        ),
        (
            "stored_completions",
            changed(STORED, tools=[{"type": "web_search"}]),
            "d/x:1: tools[0]: {'type': 'web_search'} is no tool of the form {type: function, function: ...}\n"
            "    Fix: leave the line out: a tool that the provider itself runs cannot be learnt.    not-a-tool",
        ),
        (
            "stored_completions",
            changed(STORED, messages=[*ASKED, 7]),
            "d/x:1: messages[2]: 7 is no message\n"
            '    Fix: a message is {"role": ..., "content": ...}, or one of LangChain.    not-a-message',
        ),
        (
            "langfuse",
            {"name": "x"},
            "d/x:1: no observation: no input and output\n"
            "    Fix: export the observations with their fields input and output.    not-an-observation",
        ),
        (
            "langfuse",
            changed(GENERATION, input={"prompt": "x"}),
            "d/x:1: input.messages: None is no list of messages\n"
            "    Fix: export the requests with their answers.    no-request",
        ),
        (
            "langfuse",
            changed(GENERATION, output=[ANSWER, ANSWER]),
            "d/x:1: output: [{'role': 'assistant', 'content': 'No rain.'}, {'role': '... is no answer\n"
            "    Fix: an output is a message, or a text.    not-one-answer",
        ),
        (
            "langsmith",
            {"run_type": "llm"},
            "d/x:1: no run: no inputs and outputs\n"
            "    Fix: export the runs with their fields inputs and outputs.    not-a-run",
        ),
        (
            "langsmith",
            changed(RUN, outputs={"output": "x"}),
            "d/x:1: outputs: {'output': 'x'} holds no answer\n"
            "    Fix: outputs hold generations, choices, messages, a message, or are one.    not-one-answer",
        ),
        (
            "langsmith",
            changed(RUN, outputs={"message": {"type": "ai", "content": "", "invalid_tool_calls": [{"name": "f"}]}}),
            "d/x:1: warning: outputs.message: a call that failed\n"
            "    It is left out: what the model wrote as arguments was no JSON.    invalid-tool-call",
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line_and_what_to_do(kind: str, value: Any, said: str) -> None:
    read = found(kind, value)
    assert read.examples == []
    assert str(read.problems[0]) == said
    assert any(each.severity == "error" for each in read.problems)


def test_a_reason_to_stop_that_is_none_is_no_reason_to_fail() -> None:
    read = found("stored_completions", {**STORED, "choices": [{**CHOICE, "finish_reason": ["length"]}]})  # type: ignore[dict-item]
    assert [each.conversation() for each in read.examples] == [LINE]


@pytest.mark.parametrize("key", ["finish_reason", "stop_reason"])
def test_a_message_of_langchain_says_itself_that_it_was_cut(key: str) -> None:
    """As langchain-anthropic leaves it: no generation_info, and the API's stop_reason in the message."""
    cut = {**DUMPED_ANSWER, "kwargs": {**DUMPED_ANSWER["kwargs"], "response_metadata": {key: "max_tokens"}}}  # type: ignore[dict-item]
    read = found("langsmith", RUN, {**RUN, "outputs": {"generations": [[{"text": "No rain.", "message": cut}]]}})
    assert [(len(read.examples), each.line, each.rule, each.at) for each in read.problems] == [
        (1, 2, "cut-answer", "outputs.generations[0][0].message.response_metadata")
    ]


def test_a_finding_of_the_rules_names_the_place_in_the_log() -> None:
    lost = [DUMPED[0], DUMPED[1], DUMPED[3]]
    read = found("langsmith", {**RUN, "inputs": {"messages": [lost]}})
    assert [(each.rule, each.at) for each in read.problems] == [
        ("tool-result-without-call", "inputs.messages[0][2].tool_call_id")
    ]
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    read = found("langfuse", {"input": picture, "output": "A cat."})
    assert [(each.rule, each.at) for each in read.problems] == [("content-in-parts", "input[0].content")]


KEYS = [
    *("choices", "messages", "message", "role", "content", "type", "id", "kwargs", "data", "tool_calls", "args"),
    *("tools", "function", "input", "output", "inputs", "outputs", "generations", "run_type", "extra", "name"),
    *("finish_reason", "generation_info", "response_metadata"),
]


@pytest.mark.parametrize("kind", ["stored_completions", "langfuse", "langsmith"])
@given(
    st.recursive(
        st.none() | st.integers() | st.sampled_from(["", "user", "ai", "tool", "assistant", "llm", '{"a": 1}', "["]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
        max_leaves=12,
    )
)
def test_whatever_a_line_is_it_is_read_or_named(kind: str, value: Any) -> None:
    read = found(kind, value)
    assert read.examples or read.problems
