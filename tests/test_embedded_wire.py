"""Bodies and queries on the wire, without a server."""

from typing import Any

import pytest

from ftbuild.embedded.chat import Choice, Chunks, chat_request
from ftbuild.embedded.wire import ApiError, with_metadata

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
TOOL = {"type": "function", "function": {"name": "none"}}


def test_jobs_without_metadata_are_listed_by_null() -> None:
    jobs: list[dict[str, Any]] = [{"metadata": None}, {"metadata": {}}, {"metadata": {"a": "b"}}]
    assert with_metadata(jobs, {"metadata": "null"}) == jobs[:1]
    assert with_metadata(jobs, {"metadata[a]": "b"}) == jobs[2:]
    assert with_metadata(jobs, {"metadata": ""}) == with_metadata(jobs, {}) == jobs


@pytest.mark.parametrize("query", [{"metadata": "none"}, {"metadata": "null", "metadata[a]": "b"}])
def test_another_filter_of_metadata_is_refused(query: dict[str, str]) -> None:
    message = r"^Invalid 'metadata': a list is filtered by 'metadata\[key\]=value', or by 'metadata=null' alone\.$"
    with pytest.raises(ApiError, match=message):
        with_metadata([], query)


OPEN = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
CLOSED = {**OPEN, "additionalProperties": False}
INNER = {**CLOSED, "properties": {"a": {"type": "string", "default": "b"}}}


def strictly(schema: object, *, strict: bool = True) -> list[dict[str, Any]]:
    """Return what a request says that asks for calls, and one that asks for answers, of a schema."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema, "strict": strict}}]
    form = {"type": "json_schema", "json_schema": {"name": "g", "schema": schema, "strict": strict}}
    return [{"tools": [TOOL, *tools]}, {"response_format": form}]


@pytest.mark.parametrize(
    ("schema", "what"),
    [(OPEN, "additionalProperties: is not false"), (INNER, "properties.a.default: strict takes no 'default'")],
)
def test_a_strict_schema_beyond_the_subset_is_refused(schema: object, what: str) -> None:
    calls, answers = strictly(schema)
    refusals = (
        (calls, f"function 'f': {what}.", "tools[1].function.parameters", "invalid_function_parameters"),
        (answers, f"response_format 'g': {what}.", "response_format", "invalid_value"),
    )
    for asked, message, param, code in refusals:
        with pytest.raises(ApiError) as refused:
            chat_request(ASKED | asked)
        error = {"message": f"Invalid schema for {message}", "param": param, "code": code}
        assert refused.value.body["error"] == {"type": "invalid_request_error", **error}
        chat_request(ASKED | asked, rehearses=True)  # of another provider, say


def test_a_strict_schema_that_is_none_is_refused() -> None:
    for schema in ({**CLOSED, "anyOf": 5}, {**CLOSED, "properties": {"a": {"type": "text"}}}):
        for asked in strictly(schema):
            with pytest.raises(ApiError):
                chat_request(ASKED | asked)


def test_other_schemas_are_taken() -> None:
    for asked in (*strictly(CLOSED), *strictly(OPEN, strict=False)):
        chat_request(ASKED | asked)


CALL = {"id": "call_1", "type": "function", "function": {"name": "none", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("choices", "first"),
    [
        (
            [Choice("", ""), Choice("", ""), Choice("", "tool_calls", (CALL,))],
            {"role": "assistant", "content": None, "refusal": None, "tool_calls": [{"index": 0, **CALL}]},
        ),
        ([Choice("", ""), Choice("No", "stop")], {"role": "assistant", "content": "No", "refusal": None}),
        ([Choice("", ""), Choice("", "stop")], {"role": "assistant", "content": "", "refusal": None}),
    ],
)
def test_a_streamed_answer_begins_with_null_if_it_calls(choices: list[Choice], first: dict[str, Any]) -> None:
    chunks = Chunks(chat_request({**ASKED, "tools": [TOOL]}))
    deltas = [chunk["choices"][0]["delta"] for choice in choices for chunk in chunks.of(0, choice)]
    assert deltas == [first, {}]
