"""The bytes between actions: JSON lines and JSON documents."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import orjson

from ftbuild.chat import said
from ftbuild.completion import Dialogue
from ftbuild.example import Known, Origin, said_in
from ftbuild.rows import Shared, line, reread
from ftbuild.stream import Content, lines


def json_lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    """Return JSON lines, members in the order given."""
    return b"".join(line(value) + b"\n" for value in values)


def json_file(value: Mapping[str, Any]) -> bytes:
    """Return one JSON document, indented."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def dialogues(predictions: Content) -> dict[str, list[Dialogue]]:
    """Return the samples of each answer of an arm, by the id of its example."""
    found: dict[str, list[Dialogue]] = {}
    for each in parse_lines(predictions):
        found.setdefault(each["id"], []).append(Dialogue.from_json(each))
    return found


def texts(predictions: Content) -> dict[str, list[str]]:
    """Return what the samples of each answer say, by the id of its example: calls and their results before it."""
    return {name: ["\n".join(_told(each)) for each in samples] for name, samples in dialogues(predictions).items()}


def final(answer: Dialogue, *, is_played: bool) -> str:
    """Return what is scored of an answer: its end, and of a dialogue that ended before it answered nothing."""
    last = answer.last.message
    return "" if is_played and last.tool_calls else said(last)


def _told(dialogue: Dialogue) -> Iterator[str]:
    for each in dialogue.way:
        yield f"→ {each.content}" if each.role == "tool" else said(each)
    yield said(dialogue.last.message)


def parse_lines(content: Content) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines that we wrote."""
    return map(orjson.loads, each_line(content))


class Written(NamedTuple):
    """An example in its JSON form; `said` are the members of its conversation as they stand in its line."""

    value: dict[str, Any]
    said: bytes


def parse_examples(content: Content, beside: bytes) -> Iterator[Written]:
    """Yield the examples of JSON lines that we wrote."""
    return map(partial(parse_example, beside=beside), each_line(content))


def parse_example(line: bytes, beside: bytes) -> Written:
    """Return the example of a line that we wrote; tools that many of them offer are read once, as Shared.

    `beside` is what the member begins with that follows those of the conversation. The line is cut before its tools
    and there, if each part is an object then.
    """
    head, _, rest = line.partition(b',"tools":')
    tools, _, end = rest.rpartition(beside)
    try:
        value = {**orjson.loads(head + b"}"), **_offer(tools), **orjson.loads(b"{" + beside[1:] + end)}
    except orjson.JSONDecodeError:
        value = orjson.loads(line)
        return Written(value, reread(said_in(value))[1:-1])
    return Written(value, line[line.index(b'"messages":') : -len(beside) - len(end)])


class Standing(NamedTuple):
    """An example of which all is known that its conversation could tell, and which need not be read.

    `offer` are the members of its conversation behind the messages, `said` all members of it as they stand in its line.
    """

    origin: Origin
    offer: Mapping[str, Any]
    known: Known
    said: bytes


ORIGINAL = len('{"id":"') + 16 + len('","original":"')  # where the digest begins in the line of an example
SAID = ORIGINAL + 64 + len('",')


def standing(line: bytes) -> Standing | None:
    """Return an example as it stands in a line that we wrote; None where that does not say what is known of it."""
    end = line.rfind(b',"source":')
    if line.find(b',"known":[', end) < 0 or not line.startswith(b'"messages":', SAID):
        return None
    tools = line.find(b',"tools":', SAID, end)
    try:
        beside = orjson.loads(b"{" + line[end + 1 :])
        offer = _offer(line[tools + len(b',"tools":') : end]) if tools >= 0 else {}
    except orjson.JSONDecodeError:  # cut elsewhere: its members are named as ours are
        return None
    beside["original"] = line[ORIGINAL : SAID - 2].decode()
    return Standing(Origin.from_json(beside), offer, Known(*beside["known"]), line[SAID:end])


@lru_cache(maxsize=256)
def _offer(tools: bytes) -> dict[str, Any]:
    """Return the members of an example from its tools on to the end of its conversation."""
    value = orjson.loads(b'{"tools":' + tools + b"}")
    return {**value, "tools": Shared(value["tools"])}


def each_line(content: Content) -> Iterator[bytes]:
    """Yield the lines of JSON lines without their ends."""
    return (each for piece in lines(content) for each in piece.split(b"\n") if each)
