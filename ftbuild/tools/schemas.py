"""JSON Schemas of tools and answers: whether a schema is one, and where a value does not fit it.

A place is written as people write it: `properties.city.type`, `days[0]`. Source: JSON Schema 2020-12.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, cast
from urllib.parse import unquote

from ftbuild.problem import nearest

TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
# What other languages and datasets call a type.
CALLED = {
    "dict": "object", "map": "object", "hashmap": "object", "struct": "object", "tuple": "array", "list": "array",
    "arraylist": "array", "set": "array", "float": "number", "double": "number", "decimal": "number", "int": "integer",
    "long": "integer", "short": "integer", "str": "string", "text": "string", "char": "string", "date": "string",
    "bool": "boolean", "none": "null",
}  # fmt: skip
SHOWN_AT_MOST = 60
Found = tuple[str, str]  # place, what is wrong


def place(*parts: str | int) -> str:
    """Return a place: names with dots between, numbers in brackets."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


def within(at: str, inner: str) -> str:
    """Return a place inside another."""
    return f"{at}{inner}" if inner.startswith("[") or not at or not inner else f"{at}.{inner}"


def shown(value: object) -> str:
    """Return a value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN_AT_MOST else text[: SHOWN_AT_MOST - 3] + "..."


def wrong_types(schema: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield every type that JSON Schema does not know: its place, its name, what to do."""
    for at, node in nodes(schema):
        named = node.get("type")
        listed = named if isinstance(named, list) else [] if named is None else [named]
        for each in listed:
            if each not in TYPES:
                yield within(at, "type"), each, _mend_type(each)


def _mend_type(name: Any) -> str:
    if isinstance(name, str) and name.lower() == "any":
        return "leave type out: that allows anything."
    close = CALLED.get(str(name).lower()) or nearest(str(name).lower(), TYPES)
    return f"write {close!r}." if close else f"the types are {', '.join(TYPES)}."


def incomplete(schema: Any) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """Yield what a schema of arguments leaves unsaid that OpenAI wants said: the node, its place, the key."""
    for at, node in nodes(schema):
        is_root = not at and bool(node)
        if is_root and "type" not in node:
            yield node, at, "type"
        if is_root and "properties" not in node and node.get("type", "object") == "object":
            yield node, at, "properties"
        if "items" not in node and is_of("array", node):
            yield node, at, "items"


def complete(schema: Any) -> Any:
    """Return a schema of arguments with what OpenAI wants said, which takes what it took: a list holds anything."""
    if not any(True for _ in incomplete(schema)):
        return schema
    whole = copy.deepcopy(schema)
    say_all(whole)
    return whole


def say_all(schema: Any) -> list[tuple[str, Any]]:
    """Write into a schema what `complete` adds, and return it by its places."""
    said = []
    for node, at, key in [*incomplete(schema)]:
        value: Any = "object" if key == "type" else {}
        cast("dict[str, Any]", node)[key] = value
        said.append((within(at, key), value))
    return said


def is_of(kind: str, node: Mapping[str, Any]) -> bool:
    """Return whether values of a schema may be of a type."""
    kinds = node.get("type")
    return kinds == kind or (isinstance(kinds, list) and kind in kinds)


def nodes(schema: Any, at: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every schema inside a schema with its place, the outermost first."""
    if not isinstance(schema, Mapping):
        return
    yield at, schema
    for key in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"):
        inner = schema.get(key)
        if isinstance(inner, Mapping):
            for name, each in inner.items():
                yield from nodes(each, within(at, f"{key}.{name}"))
    for key in ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"):
        yield from nodes(schema.get(key), within(at, key))
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        listed = schema.get(key)
        for number, each in enumerate(listed if isinstance(listed, list) else []):
            yield from nodes(each, within(at, f"{key}[{number}]"))


def wrong_schema(schema: Any) -> list[Found]:
    """Return where a schema is none by the rules of JSON Schema 2020-12; empty if it is one."""
    from jsonschema import Draft202012Validator

    checker = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    found = ((place(*error.absolute_path), _said(error)) for error in _ordered(checker.iter_errors(schema)))
    return [*dict.fromkeys(found)] or [*_wrong_patterns(schema)]


def _wrong_patterns(schema: Any) -> Iterator[Found]:
    """Yield every pattern that none of the validators can read."""
    for at, node in nodes(schema):
        listed = {within(at, f"patternProperties.{each}"): each for each in node.get("patternProperties", ())}
        for here, each in {within(at, "pattern"): node.get("pattern"), **listed}.items():
            if isinstance(each, str) and not _is_pattern(each):
                yield here, f"{shown(each)} is no regular expression"


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return Checker({"pattern": text}).is_quick
    return True


def dangling(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield every reference to a place that the schema does not have, with the place of the reference."""
    for at, node in nodes(schema):
        for key in ("$ref", "$dynamicRef"):
            target = node.get(key)
            if isinstance(target, str) and not _leads_somewhere(schema, target):
                yield within(at, key), target


def _leads_somewhere(schema: Any, target: str) -> bool:
    try:
        pointed(schema, target)
    except LookupError:
        return False
    return True


def pointed(root: Any, target: str) -> Any:
    """Return the part of a schema that a reference leads to: a JSON pointer after #, as RFC 6901 has it, or an anchor.

    Raises:
        LookupError: it leads nowhere, or out of the schema.
    """
    start, _, pointer = target.partition("#")
    if start:
        raise LookupError(target)
    if pointer and not pointer.startswith("/"):
        return {node[key]: node for key in ("$dynamicAnchor", "$anchor") for _, node in nodes(root) if key in node}[
            pointer
        ]
    found = root
    for part in unquote(pointer).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isascii() and name.isdigit():
            found = found[int(name)]
        elif isinstance(found, Mapping):
            found = found[name]
        else:
            raise LookupError(target)
    return found


class Checker:
    """A sound schema, made ready to check many values against.

    What fits is told by jsonschema-rs, which is quick; what does not by jsonschema, which says why. Where the one
    cannot follow a reference or read a pattern, the other tells both.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        import jsonschema_rs

        self.schema = schema
        try:
            self._quick: Any = jsonschema_rs.Draft202012Validator(dict(schema))
        except (ValueError, jsonschema_rs.ValidationError):
            self._quick = None  # it cannot follow a reference, or reads a pattern otherwise

    @property
    def is_quick(self) -> bool:
        """Whether the quick way can read the schema."""
        return self._quick is not None

    def fits(self, value: Any) -> bool:
        """Return whether a value is told to fit the quick way; False says nothing."""
        try:
            return self._quick is not None and bool(self._quick.is_valid(value))
        except ValueError:  # half a surrogate pair
            return False

    def misfits(self, value: Any) -> list[Found]:
        """Return where a value does not fit, in the order of the value."""
        if self.fits(value):
            return []
        from referencing.exceptions import Unresolvable

        try:
            return [(place(*error.absolute_path), _said(error)) for error in _ordered(self._slow.iter_errors(value))]
        except (re.error, RecursionError, Unresolvable) as error:
            if self._quick is None:
                return [("", f"cannot be checked: {error}")]
            return [(place(*each.instance_path), _cut(each.message)) for each in self._quick.iter_errors(value)]

    def fits_within(self, schema: Any, value: Any) -> bool:
        """Return whether a value fits a schema that stands inside this one."""
        try:
            return bool(self._slow.evolve(schema=schema).is_valid(value))
        except RecursionError:  # a reference that leads to itself says nothing
            return True

    @cached_property
    def _slow(self) -> Any:
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self.schema)


def _ordered(errors: Iterable[Any]) -> list[Any]:
    return sorted(errors, key=lambda error: ([str(part) for part in error.absolute_path], str(error.validator)))


def _said(error: Any) -> str:
    """Return what is wrong, without the value where that is long."""
    wanted, value = error.validator_value, shown(error.instance)
    if error.validator == "type":
        return f"{value} is not of type {' or '.join(wanted) if isinstance(wanted, list) else wanted}"
    if error.validator == "enum":
        close = nearest(str(error.instance), [str(each) for each in wanted])
        return f"{value} is not one of {shown(wanted)}" + (f"; the nearest is {close!r}" if close else "")
    text = str(error.message)
    return text if len(text) <= 2 * SHOWN_AT_MOST else f"{value} breaks {error.validator}"


def _cut(text: str) -> str:
    return text if len(text) <= 2 * SHOWN_AT_MOST else text[: 2 * SHOWN_AT_MOST - 3] + "..."
