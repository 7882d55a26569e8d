"""A schema brought into the strict subset, and arguments with it and back.

An optional property becomes a required one that may be null; what the subset has not goes, into the description where
that says it. What a value may be under the new schema and not under the old is told as lost.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftbuild import digits
from ftbuild.rows import NotJsonError, parse
from ftbuild.tools.names import OTHER
from ftbuild.tools.schemas import Checker, Found, is_of, nodes, pointed, within
from ftbuild.tools.strict import SAYS_WHAT, Target, beyond, violations
from ftbuild.tools.structured import DEEPEST, meant

NULL = {"type": "null"}
SAID_AT_MOST = 80  # characters of a keyword's value that a description takes
# What refers to a schema as a whole, or to one that has a name.
DEFINED = re.compile(r"#?|#/(\$defs|definitions)/[^/]*")
DESCRIBES = ("title", "description", "examples", "$comment")
BESIDE_REFERENCE = (*DESCRIBES, "default", "$schema", "$id", "$defs", "definitions")
# Keywords without which nothing more is allowed: they only say something.
SAYS_NOTHING = ("default",)


@dataclass(frozen=True)
class Strict:
    """A schema in the subset; `lost` is what it no longer demands or allows, `broken` why it is not in the subset."""

    schema: Mapping[str, Any]
    lost: tuple[Found, ...]
    broken: tuple[Found, ...]


def strictify(schema: Mapping[str, Any], target: Target) -> Strict:
    """Return a sound schema as the strict mode of a base model or a fine-tuned one takes it."""
    made = _object_at_root(copy.deepcopy(dict(schema)))
    _name_what_is_referred_to(made)
    made.setdefault("type", "object")
    if made["type"] == "object":
        made.setdefault("properties", {})
    lost: list[Found] = []
    for at, node in list(nodes(made)):
        assert isinstance(node, dict)
        lost += _dropped(node, at, target)
        _stand_alone(node)
    for at, node in reversed(list(nodes(made))):  # the innermost first: who stands above copies them
        assert isinstance(node, dict)
        lost += _closed(node, at)
    return Strict(made, tuple(lost), tuple(violations(made, target)))


def read_arguments(text: str) -> Any:
    """Return what the text of arguments says, its numbers with their digits; None where it is no JSON."""
    try:
        parse(text.encode("utf-8", "surrogatepass"))
    except NotJsonError:
        return None
    return digits.parse(text)


def with_nulls(value: Any, strict: Checker) -> Any:
    """Return arguments with a null for each property that they leave out and the strict schema lets be null."""
    return _with_nulls(value, strict.schema, strict)


def without_nulls(value: Any, own: Checker) -> Any:
    """Return arguments of the strict schema as those of the tool's own: without the nulls that stand for nothing."""
    return _without_nulls(value, own.schema, own)


def _object_at_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to in the place of the reference: the outermost one must be an object."""
    for _ in range(DEEPEST):
        if not isinstance(schema.get("$ref"), str) or not schema.keys() <= {"$ref", *BESIDE_REFERENCE}:
            return schema
        found = pointed(schema, schema["$ref"])
        if not isinstance(found, Mapping):
            return schema
        schema = {**copy.deepcopy(found), **{name: each for name, each in schema.items() if name != "$ref"}}
    return schema


def _name_what_is_referred_to(schema: dict[str, Any]) -> None:
    """Give what is referred to a place in $defs: where it stands otherwise it may come to be null."""
    waiting = [schema]
    named: dict[str, str] = {}
    while waiting:
        for _, node in list(nodes(waiting.pop())):
            target = node.get("$ref")
            if not isinstance(target, str) or DEFINED.fullmatch(target):
                continue
            if target not in named:
                found = copy.deepcopy(pointed(schema, target))
                name = OTHER.sub("_", target.strip("#/"))
                defined = schema.setdefault("$defs", {})
                while name in defined:
                    name += "_"
                named[target], defined[name] = f"#/$defs/{name}", found
                waiting.append(found)
            assert isinstance(node, dict)
            node["$ref"] = named[target]


def _stand_alone(node: dict[str, Any]) -> None:
    """Have a reference stand alone where what is beside it only describes."""
    if "$ref" in node and len(node) > 1 and node.keys() <= {"$ref", *DESCRIBES}:
        node["anyOf"] = [{"$ref": node.pop("$ref")}]


def _dropped(node: dict[str, Any], at: str, target: Target) -> Iterator[Found]:
    """Take out what the subset has not, and yield what is lost by it."""
    if "oneOf" in node and "anyOf" not in node:
        node["anyOf"] = node.pop("oneOf")
        yield within(at, "oneOf"), "any of them will do, also two at once"
    listed = node.get("allOf")
    if isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], dict) and not listed[0].keys() & node:
        node.update(node.pop("allOf")[0])
    for key in [key for key in beyond(target) if key in node]:
        value = json.dumps(node.pop(key), ensure_ascii=False)
        said = f"{key}: {value}"
        if len(value) <= SAID_AT_MOST and not value.startswith("{"):
            node["description"] = f"{node['description']} ({said})" if node.get("description") else said
        if key not in SAYS_NOTHING:
            yield within(at, key), f"{value if len(value) <= SAID_AT_MOST else 'it'} is no longer demanded"


def _closed(node: dict[str, Any], at: str) -> Iterator[Found]:
    """Close an object: nothing beside its properties, each of them required."""
    if not is_of("object", node) and "properties" not in node:
        return
    if not node.keys() & SAYS_WHAT:
        node["type"] = "object"
        yield within(at, "type"), "nothing but an object will do"
    more = node.get("additionalProperties")
    if more is not False:
        node["additionalProperties"] = False
        if more is not None or not node.get("properties"):
            yield within(at, "additionalProperties"), "nothing can be given beside the properties"
    properties = node.get("properties")
    if not isinstance(properties, dict):
        return
    required = node.get("required", ())
    yield from (
        (within(at, "required"), f"{name!r} can no longer be given") for name in required if name not in properties
    )
    for name, each in properties.items():
        if name not in required:
            properties[name] = _or_null(each)
    node["required"] = list(properties)


def _or_null(schema: Any) -> Any:
    """Return a schema that null fits too."""
    if not isinstance(schema, dict) or not schema:
        return schema
    kinds = schema.get("type")
    if "$ref" in schema or (kinds is None and "anyOf" not in schema) or "const" in schema:
        said = {"description": schema["description"]} if "description" in schema else {}
        inner = {name: each for name, each in schema.items() if name != "description"}
        return {"anyOf": [inner, dict(NULL)], **said}
    if isinstance(kinds, str | list):
        listed = [kinds] if isinstance(kinds, str) else kinds
        schema = {**schema, "type": [*listed, *(["null"] if "null" not in listed else [])]}
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    if "anyOf" in schema:
        schema = {**schema, "anyOf": [*schema["anyOf"], *([dict(NULL)] if NULL not in schema["anyOf"] else [])]}
    return schema


def _with_nulls(value: Any, schema: Any, strict: Checker) -> Any:
    found = _written_by(schema, value, strict)
    if isinstance(value, list):
        return [_with_nulls(each, found.get("items", {}), strict) for each in value]
    if not isinstance(value, dict):
        return value
    filled = {
        name: _with_nulls(value[name], each, strict) if name in value else None
        for name, each in (found.get("properties") or {}).items()
        if name in value or strict.fits_within(each, None)
    }
    return filled | {name: each for name, each in value.items() if name not in filled}


def _without_nulls(value: Any, schema: Any, own: Checker) -> Any:
    found = _written_by(schema, value, own)
    if isinstance(value, list):
        return [_without_nulls(each, found.get("items", {}), own) for each in value]
    if not isinstance(value, dict):
        return value
    properties, required = found.get("properties") or {}, found.get("required") or ()
    stands_for_nothing = [
        name
        for name, each in value.items()
        if each is None and name in properties and name not in required and _says_nothing(properties[name], own)
    ]
    return {
        name: _without_nulls(each, properties.get(name, {}), own)
        for name, each in value.items()
        if name not in stands_for_nothing
    }


def _says_nothing(schema: Any, own: Checker) -> bool:
    """Return whether null for a property is as good as leaving it out: it may not be null, or is null by default."""
    is_default = isinstance(schema, Mapping) and schema.get("default", ...) is None
    return is_default or not own.fits_within(schema, None)


def _written_by(schema: Any, value: Any, checker: Checker, depth: int = 0) -> Mapping[str, Any]:
    """Return the schema that a value is written by, also where it does not fit yet for nulls too few or too many."""
    found = meant(schema, value, checker)
    for each in found.get("anyOf") or () if depth < DEEPEST else ():
        inner = _written_by(each, value, checker, depth + 1)
        properties = inner.get("properties")
        if isinstance(value, dict) and isinstance(properties, Mapping) and value.keys() <= properties.keys():
            return inner
        if isinstance(value, list) and "items" in inner:
            return inner
    return found
