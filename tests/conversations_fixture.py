"""Conversations as strategies: text, and calls with their results, in any number and order."""

import json

from hypothesis import strategies as st

from ftbuild.chat import Message, Tool, ToolCall
from ftbuild.example import Example

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "default": None}}},
    },
}
CALL = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
values = st.none() | st.booleans() | st.integers(-1000, 1000) | texts
arguments = st.dictionaries(names, values, max_size=3)
schemas = st.dictionaries(names, st.sampled_from([{"type": "string"}, {"type": "integer"}, {}]), max_size=3).map(
    lambda properties: {"type": "object", "properties": properties, "required": list(properties)[:1]}
)
tools = st.lists(
    st.builds(Tool, names, st.none() | texts, st.none() | schemas, st.none() | st.booleans()),
    max_size=4,
    unique_by=lambda tool: tool.name,
).map(tuple)


@st.composite
def calling(draw: st.DrawFn, offered: tuple[Tool, ...]) -> tuple[Message, ...]:
    """Draw calls of the tools and their results in any order."""
    called = draw(st.lists(st.tuples(st.sampled_from(offered), arguments), min_size=1, max_size=3))
    calls = tuple(ToolCall(f"call_{n}", tool.name, json.dumps(given)) for n, (tool, given) in enumerate(called))
    results = draw(st.permutations([Message("tool", draw(texts), tool_call_id=each.id) for each in calls]))
    return Message("assistant", draw(st.none() | texts), calls), *results


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """Draw an example with or without a system text, tools and calls; the target is a text or calls."""
    offered = draw(tools)
    messages = [Message("system", draw(texts))] if draw(st.booleans()) else []
    messages.append(Message("user", draw(texts), name=draw(st.none() | names)))
    if offered and draw(st.booleans()):
        messages += draw(calling(offered))
    answer = Message("assistant", draw(texts), weight=draw(st.sampled_from([None, 0, 1])))
    messages.append(
        draw(calling(offered))[0] if offered and messages[-1].role == "user" and draw(st.booleans()) else answer
    )
    flag = draw(st.none() | st.booleans()) if offered else None
    return Example(
        tuple(messages), "0" * 64, "source", "a.jsonl", 1, "g", "raw", tools=offered, parallel_tool_calls=flag
    )
