"""OpenAI's training lines: a conversation a line, with its tools; other fields may stand in it, for groups and slices.

A line is held to the rules of the protocol, as `ftbuild check` holds it. The last message is the target;
every example keeps its own tools.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from ftbuild.chat import Message, Tool, said
from ftbuild.digest import of_value
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.rules.lines import SUPERVISED_KEYS, check
from ftbuild.rules.pack import PACKS
from ftbuild.settings import Source
from ftbuild.sources.fields import missing, placed, text

PACK = PACKS["compatible"]


def read(rows: Iterable[Row], name: str, source: Source) -> Iterator[Example | Problem]:
    """Yield the example of every sound line, and what is wrong with the others; warnings stand before their example."""
    fields = [*source.slices.values(), *([source.group] if source.group else [])]
    for row in rows:
        if row.problems:
            yield from placed(row.problems, source.path, row.line)
            continue
        line = row.value
        if isinstance(line, dict):
            line = {key: line[key] for key in SUPERVISED_KEYS if key in line}
        problems = [*check(line, "supervised", PACK), *missing(row.value, fields)]
        yield from placed(problems, source.path, row.line)
        if all(problem.severity != "error" for problem in problems):
            yield _example(row, line, name, source)


def _example(row: Row, line: dict[str, Any], name: str, source: Source) -> Example:
    original = of_value(["example.v2", line])
    messages = tuple(map(Message.from_json, line["messages"]))
    asked = next((said(each) for each in reversed(messages[:-1]) if each.role == "user"), "")
    return Example(
        messages=messages,
        original=original,
        source=name,
        path=source.path,
        line=row.line,
        group=text(row.value, source.group) if source.group else original,
        raw=asked,
        slices={"source": name, **{each: text(row.value, field) for each, field in sorted(source.slices.items())}},
        only=source.only,
        tools=tuple(map(Tool.from_json, line.get("tools") or ())),
        parallel_tool_calls=line.get("parallel_tool_calls"),
    )
