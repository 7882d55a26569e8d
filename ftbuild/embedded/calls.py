"""Tool calls as text: how a model writes them, and how they are read back, whole or cut off.

Knows nothing of tokens. The text is a function of names and arguments alone, so that what is learnt is what is later
read and what decoding is held to (constraints.py): ids are not in it, and arguments are written in one way.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.embedded.spaced import spaced, unspaced


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_no_number)


@dataclass(frozen=True)
class Call:
    """A call in an answer; `arguments` are JSON in a text as the model wrote it, cut off where the answer was."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Calls:
    """What an answer says before its calls, the calls, and whether they are there to the last character."""

    before: str
    calls: tuple[Call, ...]
    whole: bool


@dataclass(frozen=True)
class CallForm:
    """The texts around calls: opening NAME middle ARGUMENTS (between NAME middle ARGUMENTS)* closing.

    With `spaced` the texts in arguments have a space in front that is not theirs (spaced.py).
    """

    opening: str
    middle: str
    between: str
    closing: str
    spaced: bool = False

    def written(self, calls: Sequence[Mapping[str, Any]]) -> str:
        """Return the text of calls as chat completions spell them."""
        each = [f"{call['function']['name']}{self.middle}{self._normal(call)}" for call in calls]
        return f"{self.opening}{self.between.join(each)}{self.closing}"

    def read(self, text: str) -> Calls | None:
        """Return the calls that a text makes, at its start or behind a line end; None where it makes none."""
        begun = re.search(rf"(?:^\s*|\n){re.escape(self.opening)}", text)
        if begun is None:
            return None
        found: list[Call] = []
        at = begun.end()
        while (name_end := text.find(self.middle, at)) >= 0:
            start = name_end + len(self.middle)
            try:
                value, end = DECODER.raw_decode(text, start)
            except (ValueError, RecursionError):  # cut off, or no JSON
                found.append(self._call(text[at:name_end], text[start:]))
                break
            if not isinstance(value, dict):
                break
            found.append(self._call(text[at:name_end], text[start:end]))
            if text[end:].rstrip() == self.closing.rstrip():
                return Calls(text[: begun.start()], tuple(found), whole=True)
            if not text.startswith(self.between, end):
                break
            at = end + len(self.between)
        return Calls(text[: begun.start()], tuple(found), whole=False)

    def _normal(self, call: Mapping[str, Any]) -> str:
        arguments = json.loads(call["function"]["arguments"])
        return json.dumps(spaced(arguments) if self.spaced else arguments, ensure_ascii=False)

    def _call(self, name: str, arguments: str) -> Call:
        return Call(name, unspaced(arguments) if self.spaced else arguments)

    def surely_text(self, text: str) -> str:
        """Return how much of a growing answer is said in words, whatever follows: all but what may begin calls."""
        if (calls := self.read(text)) is not None:
            return calls.before
        if self.opening.startswith(text.lstrip()):
            return ""
        last = max(0, len(text) - len(self.opening))
        line_ends = (at for at in range(last, len(text)) if text[at] == "\n")
        return next((text[:at] for at in line_ends if self.opening.startswith(text[at + 1 :])), text)


# -> get_weather {"city": " Oslo"}: half the tokens of a JSON array of calls
LINES = CallForm("-> ", " ", "\n-> ", "", spaced=True)


def in_call_order(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the messages with the results of parallel calls in the order of the calls: ids are not in the text."""
    found: list[Mapping[str, Any]] = []
    order: dict[str, int] = {}
    results: list[Mapping[str, Any]] = []
    for message in [*messages, {"role": "end"}]:
        if message["role"] == "tool":
            results.append(message)
            continue
        found += sorted(results, key=lambda each: order.get(each["tool_call_id"], len(order)))
        order = {call["id"]: number for number, call in enumerate(message.get("tool_calls") or ())}
        results = []
        found.append(message)
    return found[:-1]
