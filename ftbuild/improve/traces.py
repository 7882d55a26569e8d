"""Logged answers before anybody looks at them: redacted, and without those that the data has already.

Pure. What was asked is compared without regard to case, width, spaces and punctuation, to the ids of calls and to the
system message.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.chat import Message
from ftbuild.dataset import redact
from ftbuild.dataset.build import Recipe, folded, prepared
from ftbuild.dataset.wall import Twin, Wall
from ftbuild.digest import of_value
from ftbuild.example import SYSTEM, Example, Split
from ftbuild.retrieval.grounding import without_context

TWICE = "asked as another trace is"


@dataclass(frozen=True)
class Pool:
    """The traces that may be chosen from, in an order that a seed draws, and what became of the others, by reason.

    `redacted` is how often each rule took something out of those that are left.
    """

    traces: Sequence[Example]
    left_out: Mapping[str, int]
    redacted: Mapping[str, int]


class Known:
    """What is asked in a dataset: its splits by name, each with its examples in their JSON form.

    `recipe` is what is done to every example; before the `wall` nothing is chosen that is too near one that tests.
    """

    def __init__(
        self, splits: Mapping[Split, Iterable[Mapping[str, Any]]], recipe: Recipe, wall: Wall | None = None
    ) -> None:
        self._recipe, self._wall = recipe, wall
        self._split: dict[str, Split] = {}
        for split, examples in splits.items():
            for each in examples:
                messages = without_context(each["messages"], each.get("context", ""))
                self._split.setdefault(_asked(map(Message.from_json, messages[:-1])), split)

    def split(self, trace: Example) -> Split | None:
        """Return the split in which the same is asked, None where none does."""
        return self._split.get(self.asked(trace))

    def asked(self, trace: Example) -> str:
        """Return what is asked in a trace, as an example of the dataset would ask it."""
        return _asked(self._ready(trace).prompt)

    def twin(self, trace: Example) -> Twin | None:
        """Return the example that tests and that a trace is too near to, None where there is none."""
        return self._wall.twin(self._ready(trace).to_json()) if self._wall is not None else None

    def _ready(self, trace: Example) -> Example:
        return prepared(trace, self._recipe) or trace


def pool(found: Iterable[Example], rules: Sequence[str], known: Known, seed: int, at_most: int | None) -> Pool:
    """Return the traces that may be chosen from: redacted, each question once and none that the dataset asks.

    Of more than `at_most` those are left that the seed draws; more traces change no draw between two of them.
    """
    left_out: Counter[str] = Counter()
    seen: set[str] = set()
    kept: list[Example] = []
    for each in (redact.redacted(one, rules) for one in found):
        split, asked = known.split(each), known.asked(each)
        if split is not None:
            left_out[f"in the {split} split already"] += 1
        elif asked in seen:
            left_out[TWICE] += 1
        else:
            seen.add(asked)
            kept.append(each)
    drawn: list[Example] = []
    for each in sorted(kept, key=lambda one: of_value(["sample.v1", seed, one.id])):
        if len(drawn) == at_most:
            left_out["not drawn"] += 1
        elif (twin := known.twin(each)) is not None:
            left_out[f"too near one in the {twin.split} split"] += 1
        else:
            drawn.append(each)
    return Pool(drawn, left_out, redact.totals(each.redacted for each in drawn))


def line(trace: Example) -> dict[str, Any]:
    """Return a trace as a line of a source: what is said in it, and the group that it belongs to."""
    said = trace.conversation()
    return {name: said[name] for name in ("messages", "tools", "parallel_tool_calls") if name in said} | {
        "group": trace.group
    }


def _asked(messages: Iterable[Message]) -> str:
    return of_value([*_parts(messages)])


def _parts(messages: Iterable[Message]) -> Iterator[Any]:
    for each in messages:
        if each.role not in SYSTEM:
            calls = [[call.name, folded(call.arguments)] for call in each.tool_calls]
            yield [each.role, folded(each.content or each.refusal or ""), calls]
