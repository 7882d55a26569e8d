"""Answers that are JSON of a schema, put into the schema's order.

Source: OpenAI structured outputs guide (2026-09): an answer has its members in the order of the schema.
"""

from collections.abc import Mapping
from typing import Any

from ftbuild.tools.schemas import Checker, pointed

DEEPEST = 50  # references that lead to references; more of them lead round in a circle


def in_order(value: Any, checker: Checker) -> Any:
    """Return a value with the members of its objects in the order of the schema; what it does not name comes last."""
    return _ordered(value, checker.schema, checker)


def meant(schema: Any, value: Any, checker: Checker) -> Mapping[str, Any]:
    """Return the schema that a value is written by: references followed, of several the first that it fits."""
    for _ in range(DEEPEST):
        found = followed(schema, checker.schema)
        listed = found.get("anyOf") or found.get("oneOf")
        fitting = [each for each in listed if checker.fits_within(each, value)] if isinstance(listed, list) else []
        if not fitting:
            return found
        schema = fitting[0]
    return {}


def followed(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a schema stands for: the place its $ref leads to, itself without one, {} where it leads nowhere."""
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping):
            return {}
        if not isinstance(schema.get("$ref"), str):
            return schema
        try:
            found = pointed(root, schema["$ref"])
        except LookupError:
            return {}
        schema = found
    return {}


def _ordered(value: Any, schema: Any, checker: Checker) -> Any:
    if isinstance(value, list):
        items = meant(schema, value, checker).get("items", {})
        return [_ordered(each, items, checker) for each in value]
    if not isinstance(value, dict):
        return value
    properties = meant(schema, value, checker).get("properties") or {}
    names = [*(name for name in properties if name in value), *(name for name in value if name not in properties)]
    return {name: _ordered(value[name], properties.get(name, {}), checker) for name in names}
