"""What a model answers, by the wire client at a loopback server: plain values, or an error where there is no answer."""

import asyncio
from collections.abc import Iterator

import pytest
from stub_server import Stub, completion, refusal, stub

from ftbuild.chat import Message, ToolCall
from ftbuild.completion import Completion
from ftbuild.errors import ProviderError
from ftbuild.providers.wire import WireClient

HELLO = (Message("system", "Be formal."), Message("user", "hey"))


@pytest.fixture
def server() -> Iterator[Stub]:
    with stub() as served:
        yield served


def answered(server: Stub, **parameters: object) -> Completion:
    """Return the answer to HELLO, asked and closed in one event loop as `sample` does."""

    async def ask() -> Completion:
        client = WireClient(server.url, "token", "acme")
        try:
            return await client.complete("m", HELLO, parameters)
        finally:
            await client.close()

    return asyncio.run(ask())


def test_a_completion_carries_messages_and_parameters(server: Stub) -> None:
    server.answers["POST /chat/completions"] = [(200, completion("Good day."))]
    answer = answered(server, temperature=0, seed=7)
    assert answer == Completion("Good day.", "stop", answer.latency_seconds, 9, 4)
    assert 0 < answer.latency_seconds < 60
    assert server.asked[0].body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be formal."}, {"role": "user", "content": "hey"}],
        "temperature": 0,
        "seed": 7,
    }


@pytest.mark.parametrize(
    ("content", "told"), [(None, ""), ("", ""), ("a \ud83d", "a \ufffd"), ("\U0001f600 é", "\U0001f600 é")]
)
def test_what_a_model_says_can_always_be_written(content: str | None, told: str, server: Stub) -> None:
    server.answers["POST /chat/completions"] = [(200, completion(content, usage=None))]
    answer = answered(server)
    assert (answer.content, answer.prompt_tokens, answer.completion_tokens) == (told, 0, 0)


@pytest.mark.parametrize(
    "choices", [[], [{}], [{"message": None}], [{"message": {"tool_calls": [{"id": "1", "type": "function"}]}}]]
)
def test_an_answer_that_nobody_can_read_says_nothing_and_is_not_asked_for_again(
    choices: list[object], server: Stub
) -> None:
    server.answers["POST /chat/completions"] = [(200, completion("x", choices=choices))]
    answer = answered(server)
    assert (answer.content, answer.tool_calls, answer.finish_reason) == ("", (), "unreadable")
    assert len(server.asked) == 1


def test_a_call_without_arguments_and_a_text_in_parts_are_read(server: Stub) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "now", "arguments": None}}
    parts = [{"type": "text", "text": "It is "}, {"type": "text", "text": "noon."}]
    message = {"role": "assistant", "content": parts, "tool_calls": [call]}
    server.answers["POST /chat/completions"] = [(200, completion("x", choices=[{"message": message}]))]
    answer = answered(server)
    assert (answer.content, answer.tool_calls) == ("It is noon.", (ToolCall("1", "now", ""),))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((200, {"error": {"message": "upstream is busy"}}), "acme: upstream is busy"),
        ((200, {"object": "list", "data": []}), "acme: an answer without a completion"),
        ((200, b"<html>sign in</html>"), "acme: an answer without a completion"),
        (refusal(400, "too long", "context_length_exceeded"), "acme: too long"),
    ],
)
def test_an_answer_that_is_none_is_an_error(answer: object, text: str, server: Stub) -> None:
    server.answers["POST /chat/completions"] = [answer]
    with pytest.raises(ProviderError) as caught:
        answered(server)
    assert str(caught.value) == text
