"""Tool definitions as a small model reads them: a line a tool, in the way of a TypeScript signature.

    get_weather(city: string, unit?: "C"|"F")  Weather in a city.

A fraction of the tokens of the same JSON Schema. What a line cannot say (patterns, bounds) is left to constrained
decoding. For models whose own chat template knows nothing of tools.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.embedded.calls import LINES

DEEPEST = 6  # schemas inside schemas; what lies deeper is "any"


def offered(tools: Sequence[Mapping[str, Any]], *, parallel: bool) -> str:
    """Return what the system message says of the tools, and of how they are called."""
    how_many = "a line each, several if need be" if parallel else "one at a time"
    head = f"Tools, called by answering {LINES.opening}name{LINES.middle}{{arguments}}, {how_many}, and nothing else:"
    return "\n".join([head, *(signature(tool) for tool in tools)])


def signature(tool: Mapping[str, Any]) -> str:
    """Return the line of one tool."""
    function = tool["function"]
    schema = function.get("parameters") or {}
    line = f"{function['name']}({', '.join(_members(schema, schema, 0))})"
    about = " ".join((function.get("description") or "").split())
    return f"{line}  {about}" if about else line


def _members(schema: Mapping[str, Any], whole: Mapping[str, Any], depth: int) -> list[str]:
    required = schema.get("required") or ()
    found = []
    for name, inner in (schema.get("properties") or {}).items():
        member = f"{name}{'' if name in required else '?'}: {_type(inner, whole, depth)}"
        about = " ".join(str(inner.get("description") or "").split()) if isinstance(inner, Mapping) else ""
        found.append(f"{member} ({about})" if about else member)
    return found


def _type(schema: Any, whole: Mapping[str, Any], depth: int) -> str:
    """Return the type that a schema describes, "any" where a signature has no word for it."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return "any"
    if "$ref" in schema:
        return _type(led_to(whole, str(schema["$ref"])), whole, depth + 1)
    if "const" in schema or "enum" in schema:
        return "|".join(json.dumps(value, ensure_ascii=False) for value in schema.get("enum", [schema.get("const")]))
    for name in ("anyOf", "oneOf"):
        if schema.get(name):
            return "|".join(dict.fromkeys(_type(each, whole, depth + 1) for each in schema[name]))
    kind = schema.get("type", "object" if "properties" in schema else "any")
    kinds = kind if isinstance(kind, list) else [kind]
    return "|".join(_named(str(each), schema, whole, depth) for each in kinds)


def _named(kind: str, schema: Mapping[str, Any], whole: Mapping[str, Any], depth: int) -> str:
    if kind == "array":
        inner = _type(schema.get("items"), whole, depth + 1)
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if kind == "object" and schema.get("properties"):
        return f"{{{', '.join(_members(schema, whole, depth + 1))}}}"
    return kind


def led_to(whole: Any, reference: str) -> Any:
    """Return what a reference inside a schema leads to, None where that is nothing."""
    found = whole
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found
