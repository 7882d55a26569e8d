"""What an answer is to be like, by a test of its own that a machine can carry out: to hold a text, to be JSON, ...

The names are promptfoo's (its deterministic assertions), since many have such tests written down already; `not-` before
one turns it round. Knows no answer: scorers do. Source: promptfoo.dev/docs/configuration/expected-outputs (2026-11).
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

OF_A_TEXT = ("contains", "icontains", "starts-with", "regex")
OF_TEXTS = ("contains-any", "contains-all", "icontains-any", "icontains-all")
KINDS = ("equals", *OF_A_TEXT, *OF_TEXTS, "is-json", "word-count")
NOT = "not-"


class Criterion(NamedTuple):
    """One test of an answer; `kind` is one of KINDS, and what `value` is depends on it.

    `equals`: a text that the answer is, or a value whose JSON it is. OF_A_TEXT: a text, or a regular expression
    (Python's `re`) that is found somewhere. OF_TEXTS: a list of texts. `is-json`: the JSON Schema it fits, or None.
    `word-count`: {min, max}, either or both. An i in front of contains: in any case.
    """

    kind: str
    value: Any = None
    negated: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        named = {"type": f"{NOT}{self.kind}" if self.negated else self.kind}
        return named if self.value is None else {**named, "value": self.value}

    @classmethod
    def from_json(cls, said: Any) -> "Criterion":
        """Return the criterion that `to_json` wrote, or that somebody else did.

        Raises:
            ValueError: it is none; says why.
        """
        if not isinstance(said, Mapping) or not isinstance(said.get("type"), str):
            raise ValueError(f"{said!r} is no criterion: {{type: contains, value: ...}}")
        kind, value = said["type"].removeprefix(NOT), said.get("value")
        if kind not in KINDS:
            raise ValueError(f"no criterion {said['type']!r}; there are {', '.join(KINDS)}")
        if more := [name for name in said if name not in ("type", "value")]:
            raise ValueError(f"{said['type']} takes a value, and no {more[0]}")
        if wrong := _wrong(kind, value):
            raise ValueError(f"{said['type']}: {wrong}")
        return cls(kind, value, said["type"].startswith(NOT))


def _wrong(kind: str, value: Any) -> str | None:
    """Return why a value is none of a kind."""
    if kind == "equals":
        fits, wanted = value is not None, "value"
    elif kind in OF_TEXTS:
        fits, wanted = (
            isinstance(value, list) and bool(value) and all(isinstance(e, str) for e in value),
            "list of texts",
        )
    elif kind == "is-json":
        fits, wanted = value is None or isinstance(value, Mapping), "JSON Schema"
    elif kind == "word-count":
        named = isinstance(value, Mapping) and bool(value) and set(value) <= {"min", "max"}
        fits, wanted = named and all(type(each) is int for each in value.values()), "{min, max} of whole numbers"
    else:
        fits, wanted = isinstance(value, str), "text"
        try:
            re.compile(value if fits and kind == "regex" else "")
        except re.error as error:
            return f"{value!r} is no regular expression: {error}"
    return None if fits else f"{value!r} is no {wanted}"
