"""Whether a call is right by the rules of the Berkeley Function Calling Leaderboard, quirks included.

Texts are compared without case and some punctuation ("1.5" is "15"), lists in order, an integer for a number is right
and 5.0 for an integer is wrong, and what is given must be among the accepted values, whatever the schema says.
Source: ShishirPatil/gorilla, bfcl_eval/eval_checker/ast_eval/ast_checker.py (2026-03), Python categories.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

OMITTED = ""  # among the accepted values: the argument may be left out
TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}
PUNCTUATION = re.compile(r"[ ,./\-_*^]")


def is_right(given: Mapping[str, Any], accepted: Mapping[str, Sequence[Any]], schema: Mapping[str, Any]) -> bool:
    """Return whether the arguments of a call are right; `accepted` are the values of each, `schema` is the tool's."""
    properties = schema.get("properties") or {}
    if any(name not in given for name in schema.get("required") or ()):
        return False
    if any(name not in properties or name not in accepted for name in given):
        return False
    if any(name not in given and OMITTED not in values for name, values in accepted.items()):
        return False
    return all(_is_accepted(value, accepted[name], properties[name]) for name, value in given.items())


def _is_accepted(value: Any, accepted: Sequence[Any], schema: Mapping[str, Any]) -> bool:
    wanted = _type(schema)
    items = _type(schema.get("items") or {}) if wanted is list else None
    if wanted is float and type(value) is int:
        value = float(value)
    said = next((type(each) for each in accepted if each != OMITTED), None)
    is_typed = type(value) is wanted and (items is None or _items_fit(value, accepted, items))
    if not is_typed and type(value) is not said:
        return False
    if said is None or said is wanted:  # else the answer's type stands against the schema's: compared as it is
        if wanted is dict:
            return any(_is_map(value, each) for each in accepted if each != OMITTED)
        if wanted is list and items is dict:
            return any(_are_maps(value, each) for each in accepted if isinstance(each, list))
        if wanted is str:
            return _plain(value) in [_plain(each) for each in accepted if isinstance(each, str)]
        if wanted is list:
            return [*map(_plain, value)] in [[*map(_plain, each)] for each in accepted if isinstance(each, list)]
    return value in accepted


def _type(schema: Mapping[str, Any]) -> type:
    """Return the type that a schema names; what names none, or several, is taken for a text."""
    named = schema.get("type")
    return TYPES.get(named, str) if isinstance(named, str) else str


def _items_fit(value: Any, accepted: Sequence[Any], wanted: type) -> bool:
    """Return whether the items of a list have the type wanted, or that of an accepted list's items."""
    for each in accepted:
        said = next((type(item) for item in each if item != OMITTED), None) if isinstance(each, list) else None
        if all(type(item) in (wanted, said) for item in value):
            return True
    return False


def _is_map(value: Mapping[str, Any], accepted: Any) -> bool:
    if not isinstance(accepted, Mapping) or any(name not in accepted for name in value):
        return False
    if any(name not in value and OMITTED not in values for name, values in accepted.items()):
        return False
    return all(_plain(each) in [*map(_plain, accepted[name])] for name, each in value.items())


def _are_maps(value: Sequence[Any], accepted: Sequence[Any]) -> bool:
    return len(value) == len(accepted) and all(
        isinstance(one, Mapping) and _is_map(one, other) for one, other in zip(value, accepted, strict=True)
    )


def _plain(value: Any) -> Any:
    """Return a text without what does not count; anything else as it is."""
    return PUNCTUATION.sub("", value).lower().replace("'", '"') if isinstance(value, str) else value
