"""What was made of a value once, for values that come again and again as the very same object."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

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
