"""What a rehearsal takes besides what our own server can do: files of any method, tools, forms of answers.

The lines are checked by the same rules as everybody's. What is made up fits the schemas it was asked to fit, and says
nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

from ftbuild.embedded.engine import Reader
from ftbuild.embedded.lessons import checked, read_lessons
from ftbuild.embedded.signatures import led_to
from ftbuild.embedded.template import Lesson
from ftbuild.rules.pack import Method

DEEPEST = 8
OF_TYPE: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def lessons_of(content: bytes, kind: str, method: Method, reader: Reader) -> tuple[list[Lesson], int]:
    """Return the lessons of a file for any method, and how many were cut: none is.

    Raises:
        InvalidFileError: the first line that a provider would not take, or too few lines.
    """
    if method == "supervised":
        return read_lessons(content, reader, kind)
    return [_lesson(line, method, reader) for _, line in checked(content, method, kind)], 0


def _lesson(line: dict[str, Any], method: Method, reader: Reader) -> Lesson:
    asked = line["input"] if method == "dpo" else line
    messages = [*asked["messages"], *line.get("preferred_output", ())]
    lesson = reader.lesson(messages, asked.get("tools") or (), parallel=asked.get("parallel_tool_calls", True))
    return Lesson(lesson.ids, (*lesson.learnt[:-1], True))


def made_up(schema: Any, whole: Any = None, depth: int = 0) -> Any:
    """Return a value that fits a plain JSON Schema; `whole` is the schema that its references lead into."""
    whole = schema if whole is None else whole
    schema = _chosen(schema, whole)
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return None
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][0]
    named = schema.get("type", "object" if "properties" in schema else "string")
    return _of_type(named[0] if isinstance(named, list) else named, schema, whole, depth + 1)


def _chosen(schema: Any, whole: Any) -> Any:
    """Return the schema that a reference leads to, or the first of several; nothing of one that leads in circles."""
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping):
            return schema
        inner = schema.get("anyOf") or schema.get("oneOf")
        if "$ref" in schema:
            schema = led_to(whole, str(schema["$ref"]))
        elif inner:
            schema = inner[0]
        else:
            return schema
    return None


def _of_type(kind: str, schema: Mapping[str, Any], whole: Any, depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties") or {}
        return {name: made_up(properties.get(name), whole, depth) for name in schema.get("required", ())}
    if kind == "array":
        n_items = max(1, schema.get("minItems", 1)) if "items" in schema else schema.get("minItems", 0)
        return [made_up(schema.get("items"), whole, depth) for _ in range(n_items)]
    return schema.get("minimum", OF_TYPE.get(kind)) if kind in ("integer", "number") else OF_TYPE.get(kind)


def call_of(tool: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return a call of a tool, with arguments made up."""
    function = tool["function"]
    arguments = json.dumps(made_up(function.get("parameters") or {"type": "object"}), ensure_ascii=False)
    return {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }
