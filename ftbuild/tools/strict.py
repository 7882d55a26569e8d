"""The subset of JSON Schema that strict tools and answers may use; a fine-tuned model takes less than its base.

Source: OpenAI structured outputs guide and function calling guide, as copied by third parties 2026-09 (facts of
2026-11); that a reference stands alone: openai-python 3.57, `lib/_pydantic.py`; that a schema says its type and a list
its items: errors of the API as users report them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ftbuild.tools.schemas import Found, is_of, nodes, within

MAX_PROPERTIES = 5000
MAX_DEPTH = 10
MAX_ENUM_VALUES = 1000
MAX_NAME_CHARACTERS = 120_000
LONG_ENUM_VALUES = 250
LONG_ENUM_CHARACTERS = 15_000
NEVER = (
    "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "unevaluatedProperties",
    "unevaluatedItems", "propertyNames", "contains", "minContains", "maxContains", "uniqueItems", "minProperties",
    "maxProperties", "oneOf", "prefixItems", "default",
)  # fmt: skip
NOT_WHEN_TUNED = (
    "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "patternProperties", "minItems", "maxItems",
)  # fmt: skip


# One of these says what a value is.
SAYS_WHAT = {"type", "enum", "const", "anyOf", "$ref"}
Target = Literal["base", "tuned"]


def beyond(target: Target) -> tuple[str, ...]:
    """Return the keywords that the subset of a model has not."""
    return NEVER if target == "base" else (*NEVER, *NOT_WHEN_TUNED)


def violations(schema: Any, target: Target = "tuned") -> Iterator[Found]:
    """Yield where a sound schema leaves the subset of a base model or of a fine-tuned one."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        yield "type", "the outermost schema is no object"
    if isinstance(schema, Mapping) and "anyOf" in schema:
        yield "anyOf", "the outermost schema offers a choice"
    for at, node in nodes(schema):
        if not node.keys() & SAYS_WHAT:
            yield within(at, "type"), "is not said"
        if "$ref" in node and len(node) > 1:
            yield within(at, "$ref"), "does not stand alone"
        yield from _of_object(node, at)
        if is_of("array", node) and "items" not in node:
            yield within(at, "items"), "are not said"
        for key in beyond(target):
            if key in node:
                who = "a fine-tuned model" if key in NOT_WHEN_TUNED else "strict"
                yield within(at, key), f"{who} takes no {key!r}"
        values = node.get("enum")
        if isinstance(values, list) and len(values) > LONG_ENUM_VALUES:
            characters = sum(len(each) for each in values if isinstance(each, str))
            if characters > LONG_ENUM_CHARACTERS:
                yield within(at, "enum"), f"{len(values)} values of {characters:,} characters"
    yield from _too_much(schema)


def _of_object(node: Mapping[str, Any], at: str) -> Iterator[Found]:
    properties = node.get("properties")
    if not is_of("object", node) and not isinstance(properties, Mapping):
        return
    if node.get("additionalProperties") is not False:
        yield within(at, "additionalProperties"), "is not false"
    required = node.get("required", [])
    for name, each in properties.items() if isinstance(properties, Mapping) else ():
        if not isinstance(each, Mapping):
            yield within(at, f"properties.{name}"), "does not say what it is"
        if not isinstance(required, list) or name not in required:
            yield within(at, "required"), f"{name!r} is not required; an optional one is a union with null"


def _too_much(schema: Any) -> Iterator[Found]:
    everything = [node for _, node in nodes(schema)]
    names = [name for node in everything for name in _names(node)]
    if len(names) > MAX_PROPERTIES:
        yield "", f"{len(names):,} properties, at most {MAX_PROPERTIES:,}"
    values = [each for node in everything if isinstance(node.get("enum"), list) for each in node["enum"]]
    if len(values) > MAX_ENUM_VALUES:
        yield "", f"{len(values):,} enum values, at most {MAX_ENUM_VALUES:,}"
    consts = [node["const"] for node in everything if "const" in node]
    characters = sum(len(each) for each in [*names, *values, *consts] if isinstance(each, str))
    if characters > MAX_NAME_CHARACTERS:
        yield "", f"{characters:,} characters of names and values, at most {MAX_NAME_CHARACTERS:,}"
    if (depth := _depth(schema)) > MAX_DEPTH:
        yield "", f"{depth} levels of objects, at most {MAX_DEPTH}"


def _names(node: Mapping[str, Any]) -> list[str]:
    return list(node["properties"]) if isinstance(node.get("properties"), Mapping) else []


def _depth(schema: Any) -> int:
    if not isinstance(schema, Mapping):
        return 0
    inner = [*_values(schema.get("properties")), schema.get("items"), *(schema.get("anyOf") or [])]
    own = 1 if isinstance(schema.get("properties"), Mapping) else 0
    return own + max((_depth(each) for each in inner), default=0)


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else []
