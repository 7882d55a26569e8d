"""Whether two JSON values say the same: to the letter, by what they stand for, or as people would say so.

Each way accepts what the one before it does.
"""

import re
import unicodedata
from collections.abc import Mapping
from math import isclose
from typing import Any

from ftbuild.settings.evaluation import Comparison

CLOSE = 1e-9  # relative
STANDS_FOR = {"true": True, "false": False, "null": None}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
# A point, a comma, a colon and a hyphen count between digits alone: 1.5 is not 15, and a-b is a b.
APART = re.compile(r"(?<!\d)[-.,:]|[-.,:](?!\d)|[\s;!?'\"()\[\]_…–—、。「」]+")


def same(one: Any, other: Any, how: Comparison = "exact") -> bool:
    """Return whether two values are one.

    `exact`: the same JSON value; 5 and 5.0 are one number, true and 1 are two values, the order of members says
    nothing. `value`: what a text spells counts ("5" is 5, "true" is true), and numbers may differ by rounding.
    `loose`: and texts may differ in case, width, spaces and punctuation.
    """
    if how != "exact":
        one, other = _stood_for(one), _stood_for(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(each, other[name], how) for name, each in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(lambda a, b: same(a, b, how), one, other))
    if _is_number(one) and _is_number(other):
        return bool(one == other) or (how != "exact" and isclose(one, other, rel_tol=CLOSE))
    if isinstance(one, str) and isinstance(other, str) and how == "loose":
        return folded(one) == folded(other)
    return type(one) is type(other) and bool(one == other)


def folded(text: str) -> str:
    """Return a text without what `loose` leaves aside; what is left of it says whether two are one."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(APART.sub(" ", plain).split()) or plain


def _stood_for(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.lower() in STANDS_FOR:
        return STANDS_FOR[text.lower()]
    return float(text) if NUMBER.fullmatch(text) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
