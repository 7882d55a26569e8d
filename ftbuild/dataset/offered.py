"""What a provider is offered instead of the tools as they are, and the calls that an example makes of them.

Tools get names that it takes, schemas that its strict mode takes, and calls at once follow one another where it takes
no parallel calls. Each is done where it is needed: an example that is fine stays as it is. Pure, and one example at a
time; an example that is offered something else keeps its own tools beside, so that answers can be read back.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, count, takewhile
from typing import Any

from ftbuild import digits
from ftbuild.chat import Message, Tool, ToolCall
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.tools.names import provider_names
from ftbuild.tools.schemas import Checker, dangling, within, wrong_schema
from ftbuild.tools.strict import Target
from ftbuild.tools.strictify import Strict, read_arguments, strictify, with_nulls

OTHER_NAME = re.compile(rb'"name": ?"(?![a-zA-Z0-9_-]{1,64}")')
CUT = "calls beside the first"  # as a reason in dropped.json
NAMES, SCHEMAS = "tool_names.json", "tool_schemas.json"
# What is kept beside a dataset where it is, and what it is.
BESIDE: Mapping[str, str] = {
    NAMES: "the name that each tool was told by, with its own",
    SCHEMAS: "the arguments of each strict tool, as they were and as they are told",
}


@dataclass(frozen=True)
class Terms:
    """What a provider takes: names for the tools that need one, the subset of strict tools, one call at a time."""

    names: Mapping[str, str] = field(default_factory=dict)
    strict: Target | None = None
    one_by_one: bool = False


@dataclass(frozen=True)
class Offered:
    """An example on these terms, and how many calls were cut off from its answers."""

    example: Example
    n_cut: int = 0


Pairs = Mapping[str, tuple[Tool, Tool]]  # a tool as it was and as it is told, by what it was


def names_told(every: Iterable[str]) -> dict[str, str]:
    """Return the name that a provider is told of each tool that needs another, no two alike.

    `every` are the names of all tools of a dataset; their order does not matter.
    """
    return {name: told for name, told in provider_names(sorted(set(every))).items() if name != told}


def may_name_others(lines: bytes) -> bool:
    """Return whether examples as JSON lines may hold a name that no provider takes; a few that do not are too many."""
    return OTHER_NAME.search(lines) is not None


def named(example: Example) -> Iterator[str]:
    """Yield the names of the tools that an example offers and calls."""
    for tool in example.tools:
        yield tool.name
    for message in _answering(example):
        for call in message.tool_calls:
            yield call.name


def offered(example: Example, terms: Terms) -> Offered:
    """Return the example as a provider takes it."""
    n_cut = 0
    if terms.one_by_one:
        example, n_cut = _one_by_one(example)
    if not terms.names and terms.strict is None:
        return Offered(example, n_cut)
    tools = tuple(as_told(tool, terms) for tool in example.tools)
    names = {tool.name: terms.names[tool.name] for tool in example.tools if tool.name in terms.names}
    if tools == example.tools and not names:
        return Offered(example, n_cut)
    strict = {
        own.name: tool for own, tool in zip(example.tools, tools, strict=True) if own.parameters != tool.parameters
    }
    done = {"tool_names": bool(names), "strict_tools": any(map(_differ, example.tools, tools))}
    known = replace(
        example,
        messages=tuple(_message(each, names, strict) for each in example.messages),
        rejected=_message(example.rejected, names, strict) if example.rejected is not None else None,
        tools=tools,
        own_tools=example.tools,
        transforms=(*example.transforms, *(name for name, is_done in done.items() if is_done)),
    )
    return Offered(known, n_cut)


def pairs(example: Example, terms: Terms) -> Pairs:
    """Return the tools of an example where they are brought into the strict subset; nothing where they are not."""
    own = example.own_tools or example.tools
    return {_written(was): (was, told) for was, told in zip(own, example.tools, strict=True)} if terms.strict else {}


def beside(told: Pairs, terms: Terms) -> dict[str, dict[str, Any]]:
    """Return what is kept beside a dataset, by file name: the names told, and the schemas as they were and as told.

    Of several tools of one name, the second schema is told under `NAME (2)`.
    """
    files: dict[str, dict[str, Any]] = {}
    if terms.names:
        files[NAMES] = {name: own for own, name in sorted(terms.names.items())}
    if terms.strict:
        schemas: dict[str, Any] = {}
        for _, (own, tool) in sorted(told.items()):
            more = (f"{own.name} ({number})" for number in count(2))
            name = next(each for each in chain([own.name], more) if each not in schemas)
            schemas[name] = {"own": own.parameters, "told": tool.parameters, "strict": tool.strict}
        files[SCHEMAS] = schemas
    return files


def losses(told: Pairs, terms: Terms) -> Iterator[Problem]:
    """Yield what the tools lose by being brought into the strict subset."""
    for _, (own, _) in sorted(told.items()):
        assert terms.strict is not None
        made = _strict(json.dumps(own.parameters or {}), terms.strict)
        for at, what in made.broken or made.lost:
            said = "stays as it is, and not strict: " if made.broken else ""
            why = "Answers are scored against the tool as it was." if not made.broken else ""
            place = within(f"tools.{own.name}", at)
            yield Problem(f"{said}{what}", at=place, why=why, rule="strict-tools", severity="warning")


def _written(tool: Tool) -> str:
    return json.dumps([tool.name, tool.parameters or {}], ensure_ascii=False)


@lru_cache(maxsize=1024)
def _strict(schema: str, target: Target) -> Strict:
    own = json.loads(schema)
    if wrong_schema(own) or any(dangling(own)):
        return Strict(own, (), (("", "it is no sound JSON Schema"),))
    return strictify(own, target)


@lru_cache(maxsize=1024)
def _checker(schema: str) -> Checker:
    return Checker(json.loads(schema))


def as_told(tool: Tool, terms: Terms) -> Tool:
    """Return what a provider is told of a tool."""
    name = terms.names.get(tool.name, tool.name)
    made = _strict(json.dumps(tool.parameters or {}), terms.strict) if terms.strict else None
    if made is None or made.broken:
        return replace(tool, name=name) if name != tool.name else tool
    return replace(tool, name=name, parameters=made.schema, strict=True)


def _differ(own: Tool, told: Tool) -> bool:
    return (own.parameters, own.strict) != (told.parameters, told.strict)


def _message(message: Message, names: Mapping[str, str], strict: Mapping[str, Tool]) -> Message:
    if not message.tool_calls:
        return message
    return with_calls(message, [_call(each, names, strict.get(each.name)) for each in message.tool_calls])


def with_calls(message: Message, calls: Sequence[ToolCall], *, content: bool = True) -> Message:
    """Return a message with other calls, and without its content where that is not wanted."""
    value = message.to_json() | {"tool_calls": [each.to_json() for each in calls]}
    return Message.from_json(value if content else {name: each for name, each in value.items() if name != "content"})


def _call(call: ToolCall, names: Mapping[str, str], strict: Tool | None) -> ToolCall:
    arguments = call.arguments
    if strict is not None:
        given = read_arguments(arguments)
        filled = with_nulls(given, _checker(json.dumps(strict.parameters)))
        arguments = arguments if digits.written(filled) == digits.written(given) else digits.written(filled)
    return ToolCall(call.id, names.get(call.name, call.name), arguments)


def _one_by_one(example: Example) -> tuple[Example, int]:
    """Return an example whose messages make one call each, and how many calls are gone: their results are not known.

    Calls with results become turns, each call followed by its result; of others the first stays.
    """
    if not example.tools:
        return example, 0
    messages: list[Message] = []
    waiting = list(example.messages)
    while waiting:
        message = waiting.pop(0)
        if len(message.tool_calls) < 2:
            messages.append(message)
            continue
        results = list(takewhile(lambda each: each.role == "tool", waiting))
        del waiting[: len(results)]
        messages += _turns(message, results)
    rejected = example.rejected
    if rejected is not None and len(rejected.tool_calls) > 1:
        rejected = with_calls(rejected, rejected.tool_calls[:1])
    after = replace(example, messages=tuple(messages), rejected=rejected, parallel_tool_calls=False)
    n_cut = _n_calls(example) - _n_calls(after)
    return after if after == example else replace(after, transforms=(*after.transforms, "one_by_one")), n_cut


def _turns(message: Message, results: Sequence[Message]) -> Iterator[Message]:
    """Yield each call of a message that has a result with it, the first call where none has; other results last."""
    known = [call for call in message.tool_calls if any(each.tool_call_id == call.id for each in results)]
    kept = known or message.tool_calls[:1]
    for number, call in enumerate(kept):
        yield with_calls(message, [call], content=number == 0)
        yield from (each for each in results if each.tool_call_id == call.id)
    made = {call.id for call in kept}
    yield from (each for each in results if each.tool_call_id not in made)


def _n_calls(example: Example) -> int:
    return sum(len(each.tool_calls) for each in _answering(example))


def _answering(example: Example) -> Iterator[Message]:
    """Yield the messages of an example and its rejected answer."""
    yield from example.messages
    if example.rejected is not None:
        yield example.rejected
