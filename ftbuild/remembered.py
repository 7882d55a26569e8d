"""What was made of a value once, for values that come again and again.

A value is known by the very object that it is. Equal JSON values that were read one after the other are made one
object first: the tools of a line, mostly, which are those of the line before.
"""

import json
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ftbuild.rows import written

Given = TypeVar("Given")
Made = TypeVar("Made")
AT_MOST = 256


class Remembered(Generic[Given, Made]):
    """A function that makes something of an object once; the object must not change."""

    def __init__(self, make: Callable[[Given], Made]) -> None:
        self._make = make
        self._known: dict[int, tuple[Any, Made]] = {}

    def __call__(self, given: Given) -> Made:
        """Return what is made of an object."""
        known = self._known.get(id(given))
        if known is not None and known[0] is given:
            return known[1]
        if len(self._known) >= AT_MOST:
            self._known.clear()
        made = self._make(given)
        self._known[id(given)] = given, made
        return made


class Shared:
    """One object for all JSON values that are written alike; it is nobody's own and must not change."""

    def __init__(self) -> None:
        self._by_bytes: dict[bytes, Any] = {}
        self._by_id: dict[int, Any] = {}

    def __call__(self, value: Any) -> Any:
        """Return the object that stands for a value; the value where it is that object."""
        if self._by_id.get(id(value)) is value:
            return value
        said = written(value)
        if said not in self._by_bytes:
            if len(self._by_bytes) >= AT_MOST:
                self._by_bytes.clear()
                self._by_id.clear()
            own = self._by_bytes[said] = json.loads(said)
            self._by_id[id(own)] = own
        return self._by_bytes[said]


shared = Shared()
