"""Supervised lines: read back as written, hold nothing of ours, and pass the SDK's own types."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from ftbuild.chat import Message
from ftbuild.render import supervised

texts = st.text(st.characters(exclude_categories=["Cs"]))
conversations = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), min_size=1).map(
    tuple
)
SDK: TypeAdapter[Any] = TypeAdapter(ChatCompletionMessageParam)


@given(conversations)
def test_a_line_reads_back_as_written(messages: tuple[Message, ...]) -> None:
    assert supervised.parse(supervised.line(messages)) == messages


@given(conversations)
def test_a_line_is_one_line_of_utf_8_and_holds_only_messages(messages: tuple[Message, ...]) -> None:
    line = supervised.line(messages)
    assert b"\n" not in line
    value = json.loads(line.decode("utf-8"))
    assert list(value) == ["messages"]
    for message in value["messages"]:
        assert list(message) == ["role", "content"]
        assert SDK.validate_python(message, strict=True) == message


def test_the_bytes_of_a_line_are_pinned() -> None:
    messages = (Message("system", "Be formal."), Message("user", "ü\n\u2028"), Message("assistant", 'Say "no".'))
    assert supervised.line(messages).decode() == (
        '{"messages": [{"role": "system", "content": "Be formal."}, '
        '{"role": "user", "content": "ü\\n\u2028"}, {"role": "assistant", "content": "Say \\"no\\"."}]}'
    )


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^not canonical JSON: input contains non-UTF-8 codepoints$"):
        supervised.line((Message("user", "\ud83d"),))
