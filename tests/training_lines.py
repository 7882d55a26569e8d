"""Training lines that every provider takes, and one broken line a rule made out of them."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Line = dict[str, Any]
Mutation = Callable[[Line], Any]

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "day": {"type": "string", "enum": ["today", "tomorrow"]}},
            "required": ["city"],
        },
    },
}
CALCULATE = {
    "type": "function",
    "function": {
        "name": "calculate",
        "description": "Work out an expression.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
            "additionalProperties": False,
        },
    },
}
CITIES = ("Lisbon", "Oslo", "Kyoto", "Quito", "Perth", "Accra", "Turin", "Leeds", "Porto", "Basel", "Davos", "Kiel")


def call(number: int, name: str, **arguments: Any) -> Line:
    return {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


def supervised(city: str) -> Line:
    """Return a line with two calls at once, their results in another order, and an answer."""
    return {
        "messages": [
            {"role": "system", "content": "Help."},
            {"role": "user", "content": f"Weather in {city}, and what is 2+3?"},
            {
                "role": "assistant",
                "tool_calls": [
                    call(1, "get_weather", city=city, day="today"),
                    call(2, "calculate", expression="2+3"),
                ],
            },
            {"role": "tool", "tool_call_id": "call_2", "content": "5"},
            {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
            {"role": "assistant", "content": f"It rains in {city}, and 2+3 is 5.", "weight": 1},
        ],
        "tools": [copy.deepcopy(WEATHER), copy.deepcopy(CALCULATE)],
        "parallel_tool_calls": True,
    }


def quiet(city: str) -> Line:
    """Return a line with the same tools that needs none."""
    line = supervised(city)
    line["messages"] = [{"role": "user", "content": f"Hello from {city}."}, {"role": "assistant", "content": "Hello!"}]
    return line


def one_by_one(city: str) -> Line:
    """Return a line that allows one call at a time and shows one, its answer for last."""
    line = supervised(city)
    calls, weather = line["messages"][2], line["messages"][4]
    line["messages"][2:] = [{**calls, "tool_calls": calls["tool_calls"][:1]}, weather, line["messages"][5]]
    return {**line, "tools": line["tools"][:1], "parallel_tool_calls": False}


def dpo(city: str) -> Line:
    return {
        "input": {"messages": [{"role": "user", "content": f"Tell me of {city}."}]},
        "preferred_output": [{"role": "assistant", "content": f"{city} is worth a journey."}],
        "non_preferred_output": [{"role": "assistant", "content": f"{city}? meh"}],
    }


def reinforcement(city: str) -> Line:
    return {
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": city}],
        "right": "5",
    }


GOOD: dict[str, list[Line]] = {
    "supervised": [*map(supervised, CITIES[:-1]), quiet(CITIES[-1])],
    "dpo": list(map(dpo, CITIES)),
    "reinforcement": list(map(reinforcement, CITIES)),
}
ONE_BY_ONE = [*map(one_by_one, CITIES[:-1]), {**quiet(CITIES[-1]), "parallel_tool_calls": False}]
BROKEN_LINE = 5


def in_bytes(lines: list[Any]) -> bytes:
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in lines)


@dataclass(frozen=True)
class Broken:
    """A line that breaks one rule: how it is made of a good one, and the place that is named."""

    rule: str
    at: str
    mutation: Mutation
    method: str = "supervised"
    others: tuple[Line, ...] = ()

    def file(self) -> bytes:
        """Return a file whose fifth line is the broken one, between others of its method."""
        lines = copy.deepcopy(list(self.others) or GOOD[self.method])
        value = self.mutation(lines[BROKEN_LINE - 1])
        good = [in_bytes([each]) for each in lines]
        good[BROKEN_LINE - 1] = value if isinstance(value, bytes) else in_bytes([value])
        return b"".join(good)


def put(*path: str | int, to: Any) -> Mutation:
    """Return the mutation that sets a place."""

    def mutation(line: Line) -> Line:
        inner: Any = line
        for part in path[:-1]:
            inner = inner[part]
        inner[path[-1]] = to
        return line

    return mutation


def cut(*path: str | int) -> Mutation:
    """Return the mutation that takes a place out."""

    def mutation(line: Line) -> Line:
        inner: Any = line
        for part in path[:-1]:
            inner = inner[part]
        del inner[path[-1]]
        return line

    return mutation


def each(*mutations: Mutation) -> Mutation:
    """Return the mutation that does one after the other."""

    def mutation(line: Line) -> Line:
        for one in mutations:
            line = one(line)
        return line

    return mutation


def text(old: str, new: str) -> Mutation:
    """Return the mutation that replaces a text in the bytes of the line."""

    def mutation(line: Line) -> bytes:
        before = in_bytes([line])
        assert old.encode() in before
        return before.replace(old.encode(), new.encode("utf-8", "surrogatepass"), 1)

    return mutation


def put_message(number: int, message: Any) -> Mutation:
    def mutation(line: Line) -> Line:
        line["messages"].insert(number, message)
        return line

    return mutation


def many_tools(n: int) -> Mutation:
    def mutation(line: Line) -> Line:
        for number in range(n):
            line["tools"].append({"type": "function", "function": {"name": f"t{number}", "description": "One more."}})
        return line

    return mutation


FIRST = ("messages", 2, "tool_calls", 0)
SECOND = ("messages", 2, "tool_calls", 1)
AT = "messages[2].tool_calls[0]"
ARGUMENTS = (*FIRST, "function", "arguments")
PARAMETERS = ("tools", 0, "function", "parameters")
HELLO = {"role": "assistant", "content": "Hello."}
WRAPPED = {"name": "multi_tool_use.parallel", "arguments": '{"tool_uses": []}'}

BROKEN = [
    # The bytes of a line.
    Broken("not-json", "", text('"messages": [', '"messages": (')),
    Broken("not-utf8", "", lambda line: in_bytes([line]).replace(b"Rain.", b"\xff")),
    Broken("not-a-number", "", text('"weight": 1', '"weight": NaN')),
    Broken("duplicate-key", "", text('"weight": 1', '"weight": 1, "weight": 0')),
    Broken("lone-surrogate", "", text('"Rain."', '"\\ud800"')),
    Broken("not-an-object", "", lambda line: [line]),
    Broken("blank-line", "", lambda _: b"\n"),
    # A line.
    Broken("wrong-method", "", lambda _: dpo("Bonn")),
    Broken("missing-messages", "", cut("messages")),
    Broken("unknown-key", "source", put("source", to="a.jsonl:1")),
    Broken("null-value", "tools", each(cut("parallel_tool_calls"), put("tools", to=None), put("messages", to=[
        {"role": "user", "content": "Hi."}, HELLO]))),
    Broken("deprecated-functions", "functions", lambda _: {**quiet("Bonn"), "functions": [{"name": "f"}]}),
    Broken("not-a-list", "messages", put("messages", to={"role": "user"})),
    Broken("no-messages", "messages", put("messages", to=[])),
    Broken("no-assistant", "messages", put("messages", to=[{"role": "user", "content": "Hi."}])),
    Broken("last-not-assistant", "messages[6]", put_message(6, {"role": "user", "content": "Thanks."})),
    Broken("nothing-to-learn", "messages", each(
        put("messages", 2, "weight", to=0), put("messages", 5, "weight", to=0))),
    Broken("no-user-message", "messages", cut("messages", 1)),
    Broken("duplicate-line", "", lambda _: supervised(CITIES[0])),
    Broken("example-too-long", "", put("messages", 0, "content", to="word " * 70_000)),
    # A message.
    Broken("message-not-an-object", "messages[0]", put("messages", 0, to="Help.")),
    Broken("missing-role", "messages[0]", cut("messages", 0, "role")),
    Broken("unknown-role", "messages[1].role", put("messages", 1, "role", to="human")),
    Broken("developer-role", "messages[0].role", put("messages", 0, "role", to="developer")),
    Broken("unknown-message-key", "messages[1].lang", put("messages", 1, "lang", to="en")),
    Broken("missing-content", "messages[1]", cut("messages", 1, "content")),
    Broken("content-not-a-text", "messages[5].content", put("messages", 5, "content", to={"answer": 5})),
    Broken("content-in-parts", "messages[3].content", put(
        "messages", 3, "content", to=[{"type": "text", "text": "5"}])),
    Broken("unknown-part", "messages[1].content[0]", put("messages", 1, "content", to=[{"type": "input_audio"}])),
    Broken("empty-content", "messages[5].content", put("messages", 5, "content", to=" ")),
    Broken("special-token", "messages[1].content", put("messages", 1, "content", to="a <|fim_suffix|> b")),
    Broken("special-token", f"{AT}.function.arguments", put(*ARGUMENTS, to='{"city": "<|reserved_200013|>"}')),
    Broken("special-token", "messages[5].refusal", each(
        cut("messages", 5, "content"), put("messages", 5, "refusal", to="<|end|>"))),
    Broken("missing-content", "messages[5]", each(
        cut("messages", 5, "content"), put("messages", 5, "refusal", to=""))),
    Broken("empty-content", "messages[1].content", put("messages", 1, "content", to=[])),
    Broken("unknown-part", "messages[1].content[0]", put(
        "messages", 1, "content", to=[{"type": "image_url", "image_url": {}}])),
    Broken("bad-message-name", "messages[1].name", put("messages", 1, "name", to="Ann Lee")),
    Broken("weight-not-0-or-1", "messages[5].weight", put("messages", 5, "weight", to=0.5)),
    Broken("weight-on-other-role", "messages[1].weight", put("messages", 1, "weight", to=1)),
    Broken("refusal-with-content", "messages[5].refusal", put("messages", 5, "refusal", to="No.")),
    Broken("roles-alternate", "messages[6]", put_message(5, HELLO)),
    Broken("late-system-message", "messages[5]", put_message(5, {"role": "system", "content": "Be brief."})),
    Broken("legacy-function-call", "messages[5]", put(
        "messages", 5, "function_call", to={"name": "f", "arguments": "{}"})),
    # A tool call and its result.
    Broken("calls-on-other-role", "messages[1].tool_calls", put("messages", 1, "tool_calls", to=[])),
    Broken("no-calls", "messages[5].tool_calls", put("messages", 5, "tool_calls", to=[])),
    Broken("bad-tool-call", f"{AT}.type", cut(*FIRST, "type")),
    Broken("unknown-call-key", f"{AT}.index", put(*FIRST, "index", to=0)),
    Broken("missing-call-id", "messages[1].tool_calls[0]", lambda line: {
        **line, "messages": [line["messages"][1], {"role": "assistant", "tool_calls": [
            {"type": "function", "function": {"name": "calculate", "arguments": '{"expression": "1"}'}}]}]}),
    Broken("long-call-id", "messages[2].tool_calls[0].id", each(
        put(*FIRST, "id", to="c" * 41), put("messages", 4, "tool_call_id", to="c" * 41))),
    Broken("duplicate-call-id", "messages[6].tool_calls[0].id", each(
        put("messages", 5, to={"role": "user", "content": "Again?"}),
        put_message(6, {"role": "assistant", "tool_calls": [call(1, "calculate", expression="9")]}))),
    Broken("bad-call-name", f"{AT}.function.name", put(*FIRST, "function", "name", to="get.weather")),
    Broken("wrapper-call", f"{AT}.function.name", put(*FIRST, "function", to=WRAPPED)),
    Broken("calls-without-tools", "messages[1].tool_calls[0].function.name", lambda line: {"messages": [
        line["messages"][1], {"role": "assistant", "tool_calls": [call(1, "calculate", expression="1")]}]}),
    Broken("unknown-tool", f"{AT}.function.name", put(*FIRST, "function", "name", to="get_wether")),
    Broken("arguments-missing", f"{AT}.function.arguments", cut(*FIRST, "function", "arguments")),
    Broken("arguments-not-a-text", f"{AT}.function.arguments", put(*ARGUMENTS, to={"city": "Rome"})),
    Broken("arguments-not-json", f"{AT}.function.arguments", put(*ARGUMENTS, to="{'city': 'Rome'}")),
    Broken("arguments-encoded-twice", f"{AT}.function.arguments", put(
        *ARGUMENTS, to='"{\\"city\\": \\"Rome\\"}"')),
    Broken("arguments-not-an-object", f"{AT}.function.arguments", put(*ARGUMENTS, to='["Rome"]')),
    Broken("arguments-misfit", f"{AT}.function.arguments.day", put(
        *ARGUMENTS, to='{"city": "Rome", "day": "Monday"}')),
    Broken("undefined-argument", f"{AT}.function.arguments.town", put(
        *ARGUMENTS, to='{"city": "Rome", "town": "Rome"}')),
    Broken("call-in-text", "messages[5].content", put(
        "messages", 5, "content", to='<tool_call>\n{"name": "calculate", "arguments": {}}\n</tool_call>')),
    Broken("calls-against-flag", "messages[2].tool_calls", lambda _: {
        **supervised("Bonn"), "parallel_tool_calls": False}, others=tuple(ONE_BY_ONE)),
    Broken("repeated-call", "messages[2].tool_calls[1]", lambda line: put(
        *SECOND, "function", to=copy.deepcopy(line["messages"][2]["tool_calls"][0]["function"]))(line)),
    Broken("tool-result-without-id", "messages[5]", put_message(5, {"role": "tool", "content": "5"})),
    Broken("tool-result-without-call", "messages[5].tool_call_id", put_message(
        5, {"role": "tool", "tool_call_id": "call_7", "content": "5"})),
    Broken("tool-result-twice", "messages[5].tool_call_id", put_message(
        5, {"role": "tool", "tool_call_id": "call_1", "content": "5"})),
    Broken("tool-call-without-result", "messages[2].tool_calls[0]", cut("messages", 4)),
    Broken("too-many-calls", "messages[1].tool_calls", lambda line: {**line, "messages": [
        line["messages"][1], {"role": "assistant", "tool_calls": [
            call(n, "calculate", expression=str(n)) for n in range(129)]}]}),
    # Tool definitions.
    Broken("no-tools", "tools", lambda _: {**quiet("Bonn"), "tools": []}),
    Broken("too-many-tools", "tools", many_tools(130)),
    Broken("many-tools", "tools", many_tools(20)),
    Broken("bad-tool", "tools[1]", lambda _: {**quiet("Bonn"), "tools": [WEATHER, CALCULATE["function"]]}),
    Broken("unknown-tool-key", "tools[0].function.returns", put("tools", 0, "function", "returns", to="a text")),
    Broken("bad-tool-name", "tools[2].function.name", lambda line: {**line, "tools": [*line["tools"], {
        "type": "function", "function": {"name": "wetter.heute", "description": "Weather."}}]}),
    Broken("duplicate-tool", "tools[2].function.name", lambda line: {**line, "tools": [*line["tools"], WEATHER]}),
    Broken("tool-without-description", "tools[0].function", cut("tools", 0, "function", "description")),
    Broken("unknown-type", "tools[0].function.parameters.type", put(*PARAMETERS, "type", to="dict")),
    Broken("bad-schema", "tools[0].function.parameters.required", put(*PARAMETERS, "required", to="city")),
    Broken("dangling-reference", "tools[0].function.parameters.properties.city.$ref", put(
        *PARAMETERS, "properties", "city", to={"$ref": "#/$defs/City"})),
    Broken("not-an-object-schema", "tools[0].function.parameters.type", put(
        *PARAMETERS, to={"type": "string"})),
    Broken("required-without-property", "tools[0].function.parameters.required", each(
        put(*PARAMETERS, "required", to=["city", "unit"]),
        put(*ARGUMENTS, to='{"city": "Rome", "unit": "C"}'))),
    Broken("incomplete-schema", "tools[0].function.parameters.properties.days.items", put(
        *PARAMETERS, "properties", "days", to={"type": ["array", "null"]})),
    Broken("incomplete-schema", "tools[0].function.parameters.type", cut(*PARAMETERS, "type")),
    Broken("incomplete-schema", "tools[2].function.parameters.properties", lambda line: {**line, "tools": [
        *line["tools"], {"type": "function", "function": {
            "name": "ping", "description": "Is it there?", "parameters": {"type": "object"}}}]}),
    Broken("beyond-strict", "tools[1].function.parameters.additionalProperties", cut(
        "tools", 1, "function", "parameters", "additionalProperties")),
    # Parallel calls.
    Broken("flag-without-tools", "parallel_tool_calls", lambda _: {
        "messages": quiet("Bonn")["messages"], "parallel_tool_calls": True}),
    Broken("flag-not-a-boolean", "parallel_tool_calls", put("parallel_tool_calls", to="yes")),
    # Preferences.
    Broken("missing-input", "input", put("input", to=[]), "dpo"),
    Broken("missing-messages", "input", put("input", to={}), "dpo"),
    Broken("missing-output", "", cut("non_preferred_output"), "dpo"),
    Broken("renamed-key", "preferred_completion", lambda line: {
        **{key: line[key] for key in ("input", "non_preferred_output")},
        "preferred_completion": line["preferred_output"]}, "dpo"),
    Broken("not-one-output", "preferred_output", put("preferred_output", to=[HELLO, HELLO]), "dpo"),
    Broken("output-not-assistant", "preferred_output[0].role", put("preferred_output", 0, "role", to="user"), "dpo"),
    Broken("equal-outputs", "non_preferred_output", lambda line: {
        **line, "non_preferred_output": line["preferred_output"]}, "dpo"),
    Broken("input-ends-with-assistant", "input.messages[1]", lambda line: {
        **line, "input": {"messages": [*line["input"]["messages"], HELLO]}}, "dpo"),
    Broken("unknown-part", "input.messages[0].content[0]", put("input", "messages", 0, "content", to=[
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]), "dpo"),
    Broken("unknown-key", "tools", put("tools", to=[WEATHER]), "dpo"),
    Broken("wrong-method", "", lambda _: quiet("Bonn"), "dpo"),
    # Reinforcement.
    Broken("last-not-user", "messages[2]", put_message(2, HELLO), "reinforcement"),
    Broken("nothing-to-grade-by", "", cut("right"), "reinforcement"),
]  # fmt: skip
# Rules of a whole file have no line.
OF_FILES = {
    "compressed-file",
    "empty-file", "too-few-examples", "cut-short", "not-json-lines", "utf-16", "byte-order-mark", "leak-across-files",
    "flag-differs", "tool-never-called", "always-a-call", "test-example-in-training",
}  # fmt: skip
