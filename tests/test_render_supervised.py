"""Supervised lines: read back as written, hold nothing of ours, and pass the SDK's own types."""

import json
from typing import Any

import pytest
from conversations_fixture import examples
from hypothesis import given
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import TypeAdapter

from ftbuild.chat import Message, Tool, ToolCall
from ftbuild.example import Example
from ftbuild.render import supervised

SDK: TypeAdapter[Any] = TypeAdapter(ChatCompletionMessageParam)
SDK_TOOL: TypeAdapter[Any] = TypeAdapter(ChatCompletionToolParam)


@given(examples())
def test_a_line_reads_back_as_written(example: Example) -> None:
    value = supervised.parse(supervised.line(example.conversation()))
    assert tuple(map(Message.from_json, value["messages"])) == example.messages
    assert tuple(map(Tool.from_json, value.get("tools", ()))) == example.tools
    assert value.get("parallel_tool_calls") == example.parallel_tool_calls
    assert Example.from_json(json.loads(json.dumps(example.to_json()))) == example


@given(examples())
def test_a_line_is_one_line_of_utf_8_and_holds_what_a_provider_takes(example: Example) -> None:
    line = supervised.line(example.conversation())
    assert b"\n" not in line
    value = json.loads(line.decode("utf-8"))
    assert [name for name in ("messages", "tools", "parallel_tool_calls") if name in value] == list(value)
    for message in value["messages"]:
        message.pop("weight", None)  # of training lines alone, which the SDK's type of messages does not know
        checked = SDK.validate_python(message, strict=True)
        assert {**checked, **{key: list(checked[key]) for key in ("tool_calls",) if key in checked}} == message
    for tool in value.get("tools", ()):
        assert SDK_TOOL.validate_python(tool, strict=True) == tool


def test_the_bytes_of_a_line_are_pinned() -> None:
    messages = (Message("system", "Be formal."), Message("user", "ü\n\u2028"), Message("assistant", 'Say "no".'))
    example = Example(messages, "", "s", "p", 1, "g", "ü")
    assert supervised.line(example.conversation()).decode() == (
        '{"messages":[{"role":"system","content":"Be formal."},'
        '{"role":"user","content":"ü\\n\u2028"},{"role":"assistant","content":"Say \\"no\\"."}]}'
    )


def test_the_bytes_of_a_line_with_calls_are_pinned() -> None:
    messages = (
        Message("user", "Rain?"),
        Message("assistant", None, (ToolCall("c1", "rain", '{"z": 1, "a": 2}'),)),
        Message("tool", "No.", tool_call_id="c1"),
        Message("assistant", "No rain.", weight=1),
    )
    tool = Tool("rain", "Whether it rains.", {"type": "object", "properties": {"z": {}, "a": {}}}, strict=False)
    example = Example(messages, "", "s", "p", 1, "g", "Rain?", tools=(tool,), parallel_tool_calls=True)
    assert supervised.line(example.conversation()).decode() == (
        '{"messages":[{"role":"user","content":"Rain?"},'
        '{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"rain",'
        '"arguments":"{\\"z\\": 1, \\"a\\": 2}"}}]},{"role":"tool","tool_call_id":"c1","content":"No."},'
        '{"role":"assistant","content":"No rain.","weight":1}],'
        '"tools":[{"type":"function","function":{"name":"rain","description":"Whether it rains.",'
        '"parameters":{"type":"object","properties":{"z":{},"a":{}}},"strict":false}}],'
        '"parallel_tool_calls":true}'
    )


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^not JSON: half a surrogate pair in a text$"):
        supervised.line({"messages": [Message("user", "\ud83d").to_json()]})
