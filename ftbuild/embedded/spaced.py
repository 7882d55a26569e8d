"""Texts in the arguments of calls with a space in front that is not theirs.

Most words of a vocabulary have their space with them: ` Cardiff` is one token wherever a request says it, and
`"Cardiff` in JSON is others, `Card` and `iff`, which a small model has to spell out of the first. Behind a space it
copies a token. Owns how such texts are written, read, and held to a schema.
"""

import re
from collections.abc import Mapping
from typing import Any

NAMED = {"properties", "patternProperties", "$defs", "definitions"}  # names, each with a schema
SCHEMAS = {"items", "prefixItems", "additionalProperties", "allOf", "anyOf", "oneOf"}
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)("\s*:|"|)', re.DOTALL)  # with a colon behind it is a name


def spaced(value: Any) -> Any:
    """Return a value of JSON with a space in front of every text in it; names of members stay as they are."""
    if isinstance(value, str):
        return f" {value}"
    if isinstance(value, Mapping):
        return {name: spaced(each) for name, each in value.items()}
    return [spaced(each) for each in value] if isinstance(value, list) else value


def unspaced(text: str) -> str:
    """Return JSON as text, whole or cut off, without the spaces in front of its texts."""
    return TEXT.sub(_unspaced, text)


def _unspaced(found: re.Match[str]) -> str:
    said, end = found.groups()
    return found[0] if end.endswith(":") else f'"{said.removeprefix(" ")}{end}'


def spaced_schema(schema: Any) -> Any:
    """Return a schema that spaced values keep to, if their originals keep to `schema`.

    Where nothing but being a text is asked of a text, a space is left to the model, and so it is where a format or a
    pattern can be had only without: reading takes both.
    """
    if isinstance(schema, list):
        return [spaced_schema(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = dict(schema)
    for name in schema.keys() & NAMED:
        found[name] = {key: spaced_schema(each) for key, each in schema[name].items()}
    for name in schema.keys() & SCHEMAS:
        found[name] = spaced_schema(schema[name])
    for name in schema.keys() & {"enum", "const"}:
        found[name] = spaced(schema[name])
    pattern = schema.get("pattern", "^")
    if schema.keys() & {"pattern", "minLength", "maxLength"} and "format" not in schema and _begins(pattern):
        found["pattern"] = f"^ {pattern[1:]}"
        found |= {name: schema[name] + 1 for name in ("minLength", "maxLength") if name in schema}
    return found


def _begins(pattern: str) -> bool:
    """Return whether a pattern describes a text from its start, in one way rather than this or that."""
    inner, outside = None, re.sub(r"\\.|\[(?:\\.|[^\]])*\]", "", pattern, flags=re.DOTALL)
    while outside != inner:
        inner, outside = outside, re.sub(r"\([^()]*\)", "", outside)
    return pattern.startswith("^") and "|" not in outside
