"""Conversations, one a line: whatever their layout, they are read as OpenAI's training lines and held to their rules.

The last message is the target, and an example keeps its own tools. Other fields may stand in a line, for
groups and slices. A finding names the place in the layout of the file.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from ftbuild import rows
from ftbuild.chat import Message, Tool, as_asked
from ftbuild.digest import canonical, canonical_plain, of_bytes
from ftbuild.example import Accepted, Example, Origin, tools_of
from ftbuild.problem import Problem
from ftbuild.remembered import Remembered
from ftbuild.rows import Row
from ftbuild.rules.lines import INPUT_KEYS, SUPERVISED_KEYS, check
from ftbuild.rules.pack import PACKS
from ftbuild.settings import Source
from ftbuild.settings.source import FIRST_QUESTION
from ftbuild.sources.fields import criteria, missing, passage, passage_fields, placed, text, time, unmeetable, untimely
from ftbuild.sources.filters import LEFT_OUT
from ftbuild.tools.schemas import complete

# Any name will do for a tool: a dataset tells a provider another where it needs one.
PACK = replace(PACKS["compatible"], name_pattern=r"[^\x00-\x20]([^\x00-\x1f]{0,254}[^\x00-\x20])?")
LATER, COMPLETED = "calls-without-tools", "incomplete-schema"


@dataclass(frozen=True)
class Converted:
    """A line of some layout as a training line, with what could not be converted.

    `places` maps where a message, or a part of one, stands in the training line to where it stands in the file. A line
    with a `name` of its own, a case of a benchmark, is told by it, and left out with a warning where it is broken:
    its file is not ours to mend. `accepted` are the values that the arguments of its calls may have, by the call's id.
    """

    line: Any
    problems: tuple[Problem, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    rejected: Mapping[str, Any] | None = None
    accepted: Accepted | None = None

    def place(self, problem: Problem) -> Problem:
        """Return a finding about the training line as one about the file."""
        parts = re.split(r"(?=[.\[])", problem.at)
        heads = ["".join(parts[:n]) for n in range(len(parts), 0, -1)]
        known = next((head for head in heads if head in self.places), "")
        placed = replace(problem, at=self.places.get(known, known) + problem.at.removeprefix(known))
        if not self.name:
            return placed
        told = replace(placed, what=f"{self.name}: {problem.what}", severity="warning")
        is_left_out = problem.severity == "error"
        return replace(told, why="It is left out: it contradicts itself.", fix="") if is_left_out else told


MEDIA = ("image", "images", "video", "videos", "audio", "audios")


def media(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the fields beside the texts of a line that name pictures or sound, as ShareGPT and Alpaca have them."""
    for name in MEDIA:
        if value.get(name):
            fix = "leave the line out: a source holds texts alone."
            yield Problem("pictures or sound", at=name, fix=fix, rule="content-in-parts")


def dpo_jsonl(value: Any) -> Converted:
    """Return a preference as the conversation that ends with the preferred answer."""
    wrong = check(value, "dpo", PACK)
    if not isinstance(value, dict) or any(problem.severity == "error" for problem in wrong):
        return Converted(None, tuple(wrong))
    asked = value["input"]
    line = {key: asked[key] for key in INPUT_KEYS if key in asked}
    line["messages"] = [*asked["messages"], *value["preferred_output"]]
    at = len(asked["messages"])
    places = {f"messages[{number}]": f"input.messages[{number}]" for number in range(at)}
    return Converted(
        line, places={**places, f"messages[{at}]": "preferred_output[0]"}, rejected=value["non_preferred_output"][0]
    )


Convert = Callable[[Any], Converted]


def chat_jsonl(value: Any) -> Converted:
    """Return a training line as it is, without the fields that a provider does not know."""
    if not isinstance(value, dict) or "messages" not in value:
        return Converted(value)
    return Converted({key: value[key] for key in SUPERVISED_KEYS if key in value})


def reader(convert: Convert) -> Callable[[Iterable[Row], str, Source], Iterator[Example | Problem]]:
    """Return the reader of a layout: it yields examples, and what is wrong; warnings stand before their example."""

    def read(listed: Iterable[Row], name: str, source: Source) -> Iterator[Example | Problem]:
        for row in listed:
            if row.problems:
                yield from placed(row.problems, source.path, row.line)
                continue
            converted = convert(row.value)
            if any(problem.rule == LEFT_OUT for problem in converted.problems):
                yield from placed(converted.problems, source.path, row.line)
                continue
            problems = [*converted.problems, *unread(row.value, source)]
            broken = bool(problems)
            sound = False
            if not converted.problems:
                found = check(converted.line, "supervised", PACK)
                sound = not found and converted.rejected is None
                # What a line without tools will be offered is known when the dataset is built, and checked then; a
                # schema that leaves unsaid what OpenAI wants said is completed.
                found = [each for each in found if each.rule not in (LATER, COMPLETED)]
                if all(problem.severity != "error" for problem in found):
                    unheld = list(_unheld(converted.line))
                    rules = {problem.rule for problem in unheld}
                    found = [*(problem for problem in found if problem.rule not in rules), *unheld]
                    sound = sound and not unheld
                broken = broken or any(problem.severity == "error" for problem in found)
                problems += map(converted.place, found)
            yield from placed(problems, source.path, row.line)
            if not broken:
                yield _example(row, converted, name, source, sound=sound)

    return read


def unread(value: Any, source: Source) -> list[Problem]:
    """Return what is wrong with the fields of a line that a source names."""
    named = [source.time] if source.group == FIRST_QUESTION else [source.group, source.time]
    fields = [*source.slices.values(), *[each for each in named if each]]
    fields += passage_fields(value, source)
    found = [*missing(value, fields), *untimely(value, source)] if fields else []
    return [*found, *unmeetable(value, source)] if source.criteria is not None else found


def _unheld(line: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what a sound line says that an example cannot hold, so that nothing is dropped unseen."""
    if "functions" in line:
        yield Problem("the older form of tools", at="functions", fix="write tools.", rule="deprecated-functions")
    for number, message in enumerate(line["messages"]):
        at = f"messages[{number}]"
        if message["role"] == "function" or "function_call" in message:
            fix = "use tools, tool_calls and the role 'tool'."
            yield Problem("the older form of tool calls", at=at, fix=fix, rule="legacy-function-call")
        if isinstance(message.get("content"), list):
            fix = "join the parts into one text, or leave the line out: a source holds texts alone."
            yield Problem("a list of parts", at=f"{at}.content", fix=fix, rule="content-in-parts")
        if "audio" in message:
            fix = "leave it out: a source holds texts alone."
            yield Problem("sound", at=f"{at}.audio", fix=fix, rule="unknown-message-key")


def _example(row: Row, converted: Converted, name: str, source: Source, *, sound: bool) -> Example:
    line, rejected = converted.line, converted.rejected
    original = digest(line, [rejected] if rejected is not None else [])
    return Example(
        messages=tuple(map(Message.from_json, line["messages"])),
        tools=_complete(tools_of(line["tools"])) if line.get("tools") else (),
        parallel_tool_calls=line.get("parallel_tool_calls"),
        rejected=Message.from_json(rejected) if rejected is not None else None,
        **origin(row.value, row.line, original, line["messages"], name, source, sound=sound)
        ._replace(accepted=converted.accepted)
        ._asdict(),
    )


@Remembered
def _complete(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """Return tools whose schemas say what OpenAI wants said."""
    return tuple(replace(each, parameters=complete(each.parameters)) for each in tools)


def origin(
    value: Mapping[str, Any],
    line: int,
    original: str,
    messages: Sequence[Mapping[str, Any]],
    name: str,
    source: Source,
    *,
    sound: bool,
) -> Origin:
    """Return where an example comes from: from which line, and what the fields that a source names say there.

    `original` is its digest, `messages` what is said in it, `sound` whether no rule found anything in it.
    """
    asked = [each.get("content") or "" for each in messages if each["role"] == "user"] or [""]
    group = original
    if source.group == FIRST_QUESTION:
        group = as_asked(asked[0]) or original
    elif source.group:
        group = text(value, source.group)
    return Origin(
        original,
        name,
        source.path,
        line,
        group,
        asked[-1],
        {"source": name, **{each: text(value, field) for each, field in sorted(source.slices.items())}},
        source.only,
        time(value, source),
        passage(value, source),
        sound,
        criteria=criteria(value, source),
    )


def digest(line: Mapping[str, Any], rejected: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the digest of what a sound line says: of ["example.v2", its members, the rejected answer if any]."""
    said = b'{"messages":' + _said_of(line["messages"])
    if "parallel_tool_calls" in line:
        said += b',"parallel_tool_calls":' + canonical_plain(line["parallel_tool_calls"])
    if "tools" in line:
        said += b',"tools":' + _canonical_tools(rows.written(line["tools"]))
    return of_bytes(b'["example.v2",%s}%s]' % (said, b"".join(b"," + _said_of(each) for each in rejected)))


def _said_of(messages: Any) -> bytes:
    """Return sound messages as canonical JSON; the one number in them is a weight."""
    said = canonical_plain(messages)
    has_weight = b'"weight":' in said
    return canonical(messages) if has_weight and (b'"weight":0.' in said or b'"weight":1.' in said) else said


@lru_cache(maxsize=256)  # the lines of a source mostly offer the same tools
def _canonical_tools(written: bytes) -> bytes:
    return canonical(json.loads(written))
