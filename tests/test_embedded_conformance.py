"""Every route by the openai SDK, sync, async and streaming, with both engines; every body is of the SDK's types."""

import asyncio
import base64
import json
import re
import struct
from collections.abc import Iterator
from typing import Any, TypeVar

import openai
import pytest
from embedded_fixture import Running, lines, running
from openai import AsyncOpenAI, OpenAI
from openai.types import CreateEmbeddingResponse, FileDeleted, FileObject, Model, ModelDeleted
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.embedding_create_params import EmbeddingCreateParams
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.job_create_params import JobCreateParams
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
from openapi_fixture import route_of, wrong_answer, wrong_request
from pydantic import BaseModel, TypeAdapter
from training_lines import WEATHER, call

from ftbuild.embedded.routes import application

BEYOND_TYPES = {FineTuningJob: {"user_provided_suffix"}}  # OpenAI says it, its types do not
T = TypeVar("T", bound=BaseModel)
STOP = {"type": "function", "function": {"name": "stop_all", "description": "Stop."}}
USER = {"role": "user", "content": "Weather in Oslo, in JSON?"}
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "form", "strict": True, "schema": SCHEMA}}
REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {"messages": [USER]},
    "greedy": {"messages": [USER], "temperature": 0, "max_tokens": 9},
    "choices": {"messages": [USER], "n": 3, "temperature": 1.5, "top_p": 0.5, "user": "u", "store": False},
    "stops": {"messages": [USER], "stop": ["e", "zz"], "presence_penalty": 0},
    "logprobs": {"messages": [USER], "logprobs": True, "top_logprobs": 2},
    "logprobs alone": {"messages": [USER], "logprobs": True},
    "a form": {"messages": [USER], "response_format": FORM},
    "an object": {"messages": [USER], "response_format": {"type": "json_object"}},
    "tools": {"messages": [USER], "tools": [WEATHER, STOP], "parallel_tool_calls": True},
    "no call": {"messages": [USER], "tools": [WEATHER], "tool_choice": "none"},
    "a call": {"messages": [USER], "tools": [STOP], "tool_choice": "required", "parallel_tool_calls": False, "n": 2},
    "a named call": {
        "messages": [USER],
        "tools": [WEATHER, STOP],
        "tool_choice": {"type": "function", "function": {"name": "stop_all"}},
    },
    "a call cut off": {"messages": [USER], "tools": [WEATHER], "tool_choice": "required", "max_tokens": 30},
    "a conversation": {
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": " brief."}]},
            USER,
            {"role": "assistant", "content": None, "tool_calls": [call(1, "get_weather", city="Oslo")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
            {"role": "assistant", "content": "Rain.", "refusal": None},
            {"role": "user", "content": ""},
        ],
        "tools": [WEATHER],
    },
}


@pytest.fixture(scope="module", params=["torch", "scripted"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("conformance")
    with running(folder / "state", folder / "cache", engine=request.param) as found:
        yield found


def strictly(kind: type[T], text: str) -> T:
    """Return the body as a value of the SDK, if it is one to the last field."""
    value = kind.model_validate_json(text, strict=True)
    _nothing_more(value)
    return value


def _nothing_more(value: Any) -> None:
    if isinstance(value, BaseModel):
        assert set(value.model_extra or ()) <= BEYOND_TYPES.get(type(value), set())
        for name in type(value).model_fields:
            _nothing_more(getattr(value, name))
    for each in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        _nothing_more(each)


def asked(name: str) -> dict[str, Any]:
    body = {"model": "tiny", "seed": 3, "max_tokens": 40} | REQUESTS[name]
    TypeAdapter(CompletionCreateParams).validate_python(body)
    return body


def without_ids(completion: ChatCompletion) -> dict[str, Any]:
    """Return what the same request gives again."""
    found = completion.model_dump(exclude={"id", "created"})
    found["usage"]["prompt_tokens_details"] = None
    for choice in found["choices"]:
        for each in choice["message"]["tool_calls"] or ():
            each["id"] = ""
    return found


def put_together(chunks: list[ChatCompletionChunk]) -> dict[str, Any]:
    """Return the completion that chunks tell, as `without_ids` would."""
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for each in chunk.choices:
            if each.index not in choices:
                message = {"role": each.delta.role, "content": None, "tool_calls": None}
                choices[each.index] = {"message": message, "logprobs": None}
            choice, message = choices[each.index], choices[each.index]["message"]
            if each.delta.content:
                message["content"] = (message["content"] or "") + each.delta.content
            for part in each.delta.tool_calls or ():
                message["tool_calls"] = calls = message["tool_calls"] or []
                if part.index == len(calls):
                    calls.append({"name": part.function.name, "arguments": ""})
                calls[part.index]["arguments"] += part.function.arguments
            if each.logprobs is not None:
                choice["logprobs"] = (choice["logprobs"] or []) + [one.model_dump() for one in each.logprobs.content]
            if each.finish_reason:
                choice["finish_reason"] = each.finish_reason
    return choices


@pytest.mark.parametrize("name", REQUESTS)
def test_a_completion_is_the_same_sync_async_and_streamed(server: Running, name: str) -> None:
    body = asked(name)
    raw = server.client.chat.completions.with_raw_response.create(**body)
    said = strictly(ChatCompletion, raw.text)
    assert len(said.choices) == body.get("n", 1)
    assert said.usage is not None
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens

    async def again() -> tuple[ChatCompletion, list[ChatCompletionChunk]]:
        key, url = server.client.api_key, server.client.base_url
        async with AsyncOpenAI(api_key=key, base_url=url, max_retries=0) as client:
            whole = await client.chat.completions.create(**body)
            stream = await client.chat.completions.create(**body, stream=True)
            return whole, [chunk async for chunk in stream]

    whole, async_chunks = asyncio.run(again())
    assert without_ids(whole) == without_ids(said)
    streaming = server.client.chat.completions.with_streaming_response
    with streaming.create(**body, stream=True, stream_options={"include_usage": True}) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        told = [line.removeprefix("data: ") for line in events.iter_lines() if line]
    assert told[-1] == "[DONE]"
    chunks = [strictly(ChatCompletionChunk, each) for each in told[:-1]]
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == said.usage.completion_tokens
    assert put_together(chunks) == put_together(async_chunks)
    for index, choice in put_together(chunks).items():
        one = said.choices[index]
        assert (choice["message"]["content"] or "") == (one.message.content or "")
        calls = [
            {"name": each.function.name, "arguments": each.function.arguments} for each in one.message.tool_calls or ()
        ]
        assert (choice["message"]["tool_calls"] or []) == calls
        assert choice["finish_reason"] == one.finish_reason
        assert choice["logprobs"] == (one.logprobs and [each.model_dump() for each in one.logprobs.content or ()])


def test_the_helper_of_the_sdk_puts_a_stream_together(server: Running) -> None:
    with server.client.chat.completions.stream(**asked("a named call")) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert "tool_calls.function.arguments.done" in kinds
    assert message.tool_calls
    assert message.tool_calls[0].function.name == "stop_all"


def test_what_is_refused_is_refused_before_the_stream_begins(server: Running) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length is 8192 tokens"):
        server.client.chat.completions.create(**asked("plain") | {"max_tokens": 9000}, stream=True)


def test_who_stops_reading_stops_nobody_else(server: Running) -> None:
    stream = server.client.chat.completions.create(**asked("plain") | {"max_tokens": 4000, "n": 3}, stream=True)
    next(iter(stream))
    stream.close()
    assert server.client.chat.completions.create(**asked("greedy")).choices[0].finish_reason in ("length", "stop")


@pytest.mark.parametrize("given", ["red light", ["red light", "green"], [5, 6, 7], [[5, 6, 7], [8]]])
def test_embeddings_are_vectors_of_length_one_in_both_spellings(server: Running, given: Any) -> None:
    body = {"model": "tiny", "input": given}
    TypeAdapter(EmbeddingCreateParams).validate_python(body)
    raw = server.client.embeddings.with_raw_response.create(**body, encoding_format="float")
    said = strictly(CreateEmbeddingResponse, raw.text)
    n_inputs = len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1
    assert [each.index for each in said.data] == list(range(n_inputs))
    for each in said.data:
        assert sum(part * part for part in each.embedding) == pytest.approx(1)
    spelled = json.loads(server.client.embeddings.with_raw_response.create(**body, encoding_format="base64").text)
    for each, other in zip(spelled["data"], said.data, strict=True):
        found = base64.b64decode(each["embedding"])
        assert struct.unpack(f"<{len(found) // 4}f", found) == pytest.approx(other.embedding)

    async def again() -> CreateEmbeddingResponse:
        key, url = server.client.api_key, server.client.base_url
        async with AsyncOpenAI(api_key=key, base_url=url, max_retries=0) as client:
            return await client.embeddings.create(**body)

    assert asyncio.run(again()).data[0].embedding == pytest.approx(said.data[0].embedding)


def test_texts_that_are_alike_are_near_each_other(server: Running) -> None:
    found = server.client.embeddings.create(model="tiny", input=["warm red light", "warm red lights", "QQQQ 1234"])
    one, near, far = (each.embedding for each in found.data)
    assert sum(a * b for a, b in zip(one, near, strict=True)) > sum(a * b for a, b in zip(one, far, strict=True))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"dimensions": 8}, "This model does not support specifying dimensions."),
        ({"input": []}, "'input' must be a text, token ids, or a list of either; none of them may be empty."),
        ({"input": ["a", ""]}, "'input' must be a text, token ids, or a list of either; none of them may be empty."),
        (
            {"encoding_format": "int8"},
            "Invalid value for 'encoding_format': 'int8'. Supported values are: 'float' and 'base64'.",
        ),
        ({"input": ["a"] * 2049}, "'input' has 2049 entries, but at most 2048 are allowed."),
    ],
)
def test_embeddings_that_cannot_be_had_are_refused(server: Running, more: dict[str, Any], message: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        server.client.embeddings.create(**{"model": "tiny", "input": "a"} | more)
    body = refused.value.body
    assert isinstance(body, dict)
    assert body["message"] == message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"reasoning_effort": "low"}, "Unsupported parameter: 'reasoning_effort' is not supported with this model."),
        ({"frequency_penalty": 1}, "Unsupported value: 'frequency_penalty' does not support 1 with this model."),
        ({"extra_body": {"min_p": 1}}, "Unknown parameter: 'min_p'."),
        ({"n": 0}, "'n' must be between 1 and 128."),
        ({"top_p": 2}, "'top_p' must be between 0 and 1."),
        (
            {"max_tokens": 5, "max_completion_tokens": 6},
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        ),
        ({"top_logprobs": 2}, "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."),
        ({"stream_options": {}}, "The 'stream_options' parameter is only allowed when 'stream' is enabled."),
        (
            {"response_format": {"type": "xml"}},
            "Invalid value for 'response_format.type'. It is none of 'text', 'json_object' and 'json_schema'.",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "f"}}},
            "Missing required parameter: 'response_format.json_schema.schema'.",
        ),
        (
            {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "x"}]},
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
        ),
        (
            {"tools": [STOP], "tool_choice": {"type": "function", "function": {"name": "go"}}},
            "Invalid value for 'tool_choice': there is no tool 'go' in 'tools'.",
        ),
        (
            {"tools": [STOP], "tool_choice": "always"},
            "Invalid value for 'tool_choice': it is none of 'none', 'auto', 'required', a function and allowed_tools.",
        ),
    ],
)
def test_what_a_completion_cannot_be_is_said(server: Running, more: dict[str, Any], message: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        server.client.chat.completions.create(**{"model": "tiny", "messages": [USER]} | more)
    body = refused.value.body
    assert isinstance(body, dict)
    assert body["message"] == message


@pytest.mark.slow
def test_files_jobs_and_models_are_of_the_types_of_the_sdk(server: Running) -> None:
    client = server.client
    uploaded = client.files.with_raw_response.create(file=("train.jsonl", lines(12)), purpose="fine-tune")
    file = strictly(FileObject, uploaded.text)
    job = strictly(
        FineTuningJob,
        client.fine_tuning.jobs.with_raw_response.create(
            model="tiny", training_file=file.id, metadata={"a": "b"}, hyperparameters={"n_epochs": 1}
        ).text,
    )
    server.ended(job.id)
    ended = strictly(FineTuningJob, client.fine_tuning.jobs.with_raw_response.retrieve(job.id).text)
    assert ended.status == "succeeded"
    for kind, raw in (
        (FineTuningJob, client.fine_tuning.jobs.with_raw_response.list()),
        (FineTuningJobEvent, client.fine_tuning.jobs.with_raw_response.list_events(job.id)),
        (FineTuningJobCheckpoint, client.fine_tuning.jobs.checkpoints.with_raw_response.list(job.id)),
        (FileObject, client.files.with_raw_response.list()),
        (Model, client.models.with_raw_response.list()),
    ):
        found = json.loads(raw.text)["data"]
        assert found
        for each in found:
            strictly(kind, json.dumps(each))
    assert ended.fine_tuned_model is not None
    strictly(Model, client.models.with_raw_response.retrieve(ended.fine_tuned_model).text)
    strictly(ModelDeleted, client.models.with_raw_response.delete(ended.fine_tuned_model).text)
    strictly(FileDeleted, client.files.with_raw_response.delete(file.id).text)


class Driven:
    """A client of the SDK, sync or async, whose every exchange is held to the SDK's types and OpenAI's description."""

    def __init__(self, client: OpenAI | AsyncOpenAI) -> None:
        self.client = client
        self.routes: set[tuple[str, str]] = set()

    async def ask(self, kind: type[BaseModel] | None, resource: Any, name: str, *given: Any, **asked: Any) -> Any:
        """Call a method of a resource; return its answer as a value of `kind`, a list of them where it is a page."""
        raw = getattr(resource.with_raw_response, name)(*given, **asked)
        raw = await raw if isinstance(self.client, AsyncOpenAI) else raw
        request, path = raw.http_request, raw.http_request.url.path.removeprefix("/v1")
        self.routes.add((request.method, path))
        if kind is None:
            return raw.content
        told = json.loads(raw.text)
        if name == "pause":  # OpenAI's reference knows the status, its types and its description do not yet
            assert told["status"] == "paused"
            told["status"] = "queued"
        if route_of(request.method, path):
            is_json = "json" in request.headers.get("content-type", "") and request.method == "POST"
            sent = json.loads(request.content or b"{}") if is_json else None
            query = dict(request.url.params)
            assert wrong_request(request.method, path, query, sent) == []
            assert wrong_answer(request.method, path, raw.status_code, told) == []
        if told["object"] != "list" or kind is CreateEmbeddingResponse:
            return strictly(kind, json.dumps(told))
        assert told["data"]
        return [strictly(kind, json.dumps(each)) for each in told["data"]]


@pytest.mark.slow
@pytest.mark.parametrize("how", [OpenAI, AsyncOpenAI])
def test_every_route_is_driven_sync_and_async_and_keeps_to_the_types(
    server: Running, how: type[OpenAI | AsyncOpenAI]
) -> None:
    client = how(api_key=server.client.api_key, base_url=server.client.base_url, max_retries=0)
    driven = Driven(client)
    files, jobs, models = client.files, client.fine_tuning.jobs, client.models

    async def drive() -> None:
        ask = driven.ask
        file = await ask(FileObject, files, "create", file=("train.jsonl", lines(12)), purpose="fine-tune")
        assert (await ask(FileObject, files, "list", purpose="fine-tune", order="asc", limit=9))[0].object == "file"
        assert await ask(FileObject, files, "retrieve", file.id) == file
        assert await ask(None, files, "content", file.id) == lines(12)
        method = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 1, "beta": 0.2}}}
        body: dict[str, Any] = {"model": "tiny", "training_file": file.id, "method": method, "seed": 4, "suffix": "x"}
        TypeAdapter(JobCreateParams).validate_python(body)
        failed = await ask(FineTuningJob, jobs, "create", **body)
        await asyncio.to_thread(server.ended, failed.id)  # lines of another method
        failed = await ask(FineTuningJob, jobs, "retrieve", failed.id)
        assert (failed.status, failed.error.code) == ("failed", "invalid_training_file")
        long = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}}}
        job = await ask(FineTuningJob, jobs, "create", model="tiny", training_file=file.id, method=long)
        if server.engine == "torch":  # a scripted one is done at once
            await ask(FineTuningJob, jobs, "pause", job.id)
            assert (await ask(FineTuningJob, jobs, "resume", job.id)).status in (
                "validating_files",
                "queued",
                "running",
            )
            assert (await ask(FineTuningJob, jobs, "cancel", job.id)).status == "cancelled"
        job = await ask(FineTuningJob, jobs, "create", model="tiny", training_file=file.id, metadata={"a": "b"})
        await asyncio.to_thread(server.ended, job.id)
        assert [each.id for each in await ask(FineTuningJob, jobs, "list", limit=1, metadata={"a": "b"})] == [job.id]
        await ask(FineTuningJobEvent, jobs, "list_events", job.id, limit=2)
        [last, *_] = await ask(FineTuningJobCheckpoint, jobs.checkpoints, "list", job.id)
        await ask(Model, models, "list")
        name = last.fine_tuned_model_checkpoint
        assert (await ask(Model, models, "retrieve", name)).id == name
        body = {"model": name, "messages": [USER], "max_tokens": 3}
        TypeAdapter(CompletionCreateParams).validate_python(body)
        await ask(ChatCompletion, client.chat.completions, "create", **body)
        body = {"model": name, "input": "a", "encoding_format": "float"}
        await ask(CreateEmbeddingResponse, client.embeddings, "create", **body)
        await ask(ModelDeleted, models, "delete", name)
        await ask(FileDeleted, files, "delete", file.id)
        await client.close() if isinstance(client, AsyncOpenAI) else client.close()

    asyncio.run(drive())
    steering = {"cancel", "pause", "resume"} if server.engine == "scripted" else set()
    patterns = [
        (method, each.path.removeprefix("/v1"))
        for each in application(None).routes  # type: ignore[arg-type]
        for method in each.methods - {"HEAD"}
        if each.path.rpartition("/")[2] not in steering
    ]
    for method, pattern in patterns:
        regex = re.sub(r"\{\w+(:path)?\}", "[^/]+", pattern)
        assert any(method == done and re.fullmatch(regex, path) for done, path in driven.routes), (method, pattern)
