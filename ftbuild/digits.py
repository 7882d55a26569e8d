"""JSON whose numbers keep their digits: 1e3 and 0.10 are written as they were read, whatever a float makes of them.

Knows nothing of lines, and of what is wrong with a text: `rows.parse` tells that before.
"""

import json
from collections.abc import Mapping
from typing import Any


class Number(float):
    """A number with a point or an exponent, and the digits it was written in."""

    digits: str

    def __new__(cls, digits: str) -> "Number":
        """Return the number that the digits say."""
        number = super().__new__(cls, digits)
        number.digits = digits
        return number


def parse(text: str) -> Any:
    """Return the value of a JSON text; equal to what any other parser makes of it."""
    return json.loads(text, parse_float=Number)


def written(value: Any, item: str = ", ", name: str = ": ") -> str:
    """Return a value as JSON, with what stands after an item and after a name."""
    if isinstance(value, Number):
        return value.digits
    if isinstance(value, Mapping):
        pairs = (f"{written(key)}{name}{written(each, item, name)}" for key, each in value.items())
        return f"{{{item.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{item.join(written(each, item, name) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)
