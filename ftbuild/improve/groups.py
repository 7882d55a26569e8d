"""Misses in groups: what kind of mistake, in which part of the examples it stands out, and what the data had on it.

Pure. Knows the mistakes that a report knows, and three more that take two answers or a call to see: another tool than
the one wanted, what the arm compared with got right, and what an answer with passages got right.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.improve.neighbours import Evidence, Learnt, Near, Training
from ftbuild.report import misses
from ftbuild.stats import holm
from ftbuild.stats.excess import p_of_excess

WRONG_TOOL, LOST, NEEDS_PASSAGES = "call.wrong", "lost_against", "needs_retrieval"
_LABELS = {
    WRONG_TOOL: "calls another tool than the one wanted",
    NEEDS_PASSAGES: "says without passages what it gets right with them: a fact that needs retrieval",
}
SLICE_AT_LEAST = 5
LEVEL = 0.05

Example = Mapping[str, Any]


@dataclass(frozen=True)
class Miss:
    """An example that was missed: as reports have it, with its kinds, and what the training data had that is near."""

    example: Example
    kinds: tuple[str, ...]
    evidence: Evidence
    near: Sequence[Near]


@dataclass(frozen=True)
class Part:
    """A slice, "name=value", in which `missed` of `n` examples were missed; `p` is corrected over all slices."""

    where: str
    missed: int
    n: int
    p: float

    @property
    def stands_out(self) -> bool:
        """Return whether it is missed more often than the others, beyond chance."""
        return self.p < LEVEL


@dataclass(frozen=True)
class Group:
    """The misses of one kind among `n` examples that an `arm` was asked; `parts` are the slices that have some, what
    stands out first.

    `tools` counts the tools that should have been called, `arguments` those that were wrong, as tool.name; `tested` is
    how often the kind came up in the test split, of which nothing else is known here.
    """

    kind: str
    arm: str
    misses: Sequence[Miss]
    n: int
    parts: Sequence[Part]
    tools: Mapping[str, int]
    arguments: Mapping[str, int]
    tested: tuple[int, int]

    def evidence(self) -> dict[Evidence, int]:
        """Return how many misses had nothing like them in the training data, were contradicted there, were taught."""
        found: dict[Evidence, int] = {"absent": 0, "contradicted": 0, "taught": 0}
        return found | Counter(each.evidence for each in self.misses)

    def aims(self, tested: Mapping[str, int]) -> list[str]:
        """Return the slices that should move when this is mended: those that stand out and that are tested, too."""
        return [each.where for each in self.parts if each.stands_out and tested.get(each.where, 0) >= SLICE_AT_LEAST]


def label(kind: str, against: str = "") -> str:
    """Return a kind of miss as a verb phrase."""
    if kind == LOST:
        return f"gets wrong what {against} gets right"
    return _LABELS.get(kind) or misses.kind_label(kind)


def kinds_of(example: Example, arm: str, against: str, others: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the kinds of miss of an arm's answer, none for a hit; `others` are arms that it differs from by passages.

    A call of another tool is one in place of one wanted: as many of those that are missing and those that are not
    wanted as come in pairs.
    """
    found = misses.kinds(example, arm)
    if not found:
        return ()
    kinds = list(dict.fromkeys(_with_wrong_tools(example, arm, found)))
    if _is_right(example, against):
        kinds.append(LOST)
    if any(_is_right(example, each) for each in others):
        kinds.append(NEEDS_PASSAGES)
    return tuple(kinds)


def _is_right(example: Example, arm: str) -> bool:
    return example["answers"].get(arm) is not None and not misses.kinds(example, arm)


def _with_wrong_tools(example: Example, arm: str, found: Sequence[str]) -> Iterator[str]:
    missing, extra = (_named(example, arm, which) for which in ("missing", "extra"))
    n_swapped = min(missing.total(), extra.total())
    for kind in found:
        if kind == misses.MISSING:
            yield from [WRONG_TOOL] * bool(n_swapped)
            yield from [kind] * (missing.total() > n_swapped)
        elif kind == misses.EXTRA:
            yield from [kind] * (extra.total() > n_swapped)
        else:
            yield kind


def _named(example: Example, arm: str, which: str) -> Counter[str]:
    """Return the tools of the calls that are missing, or not wanted, in an arm's answer."""
    detail = (example["detail"].get(arm) or {}).get("tool_calls.exact_set")
    return Counter(each.partition("(")[0] for each in detail[which]) if isinstance(detail, Mapping) else Counter()


def _tools(example: Example, arm: str) -> set[str]:
    """Return the tools that an arm should have called and did not, or called wrongly."""
    detail = (example["detail"].get(arm) or {}).get("tool_calls.exact_set")
    if not isinstance(detail, Mapping):
        return set()
    return {*_named(example, arm, "missing"), *(each["call"].partition("(")[0] for each in detail["differs"])}


def _arguments(example: Example, arm: str) -> set[str]:
    """Return the arguments that an arm got wrong, as tool.name."""
    detail = (example["detail"].get(arm) or {}).get("tool_calls.exact_set")
    differs = detail["differs"] if isinstance(detail, Mapping) else ()
    return {f"{each['call'].partition('(')[0]}.{one['name']}" for each in differs for one in each["arguments"]}


def groups(
    examples: Sequence[Example],
    arm: str,
    against: str,
    training: Training,
    wanted: Mapping[str, Learnt],
    tested: Sequence[Example] = (),
    others: Sequence[str] = (),
) -> list[Group]:
    """Return the misses of an arm by kind, the commonest first; a miss may be in several.

    `wanted` is each example as it should be answered, by id; `tested` are those of the test split, which are counted.
    """
    found = {each["id"]: kinds_of(each, arm, against, others) for each in examples}
    missed = {}
    for each in examples:
        if found[each["id"]]:
            missed[each["id"]] = Miss(each, found[each["id"]], *training.evidence(wanted[each["id"]]))
    in_test = Counter(kind for each in tested for kind in kinds_of(each, arm, against, others))
    made = []
    for kind in dict.fromkeys(kind for each in missed.values() for kind in each.kinds):
        mine = [each for each in missed.values() if kind in each.kinds]
        tools = Counter(tool for each in mine for tool in sorted(_tools(each.example, arm)))
        parts = _parts(examples, {each.example["id"] for each in mine})
        wrong = Counter(name for each in mine for name in _arguments(each.example, arm))
        made.append(Group(kind, arm, mine, len(examples), parts, tools, wrong, (in_test[kind], len(tested))))
    return sorted(made, key=lambda each: (-len(each.misses), each.kind))


def _parts(examples: Sequence[Example], missed: set[str]) -> list[Part]:
    """Return the slices with misses, what stands out most first."""
    inside: dict[str, list[str]] = {}
    for each in examples:
        for name, value in each["slices"].items():
            inside.setdefault(f"{name}={value}", []).append(each["id"])
    counted = [
        (where, sum(each in missed for each in ids), len(ids))
        for where, ids in inside.items()
        if SLICE_AT_LEAST <= len(ids) < len(examples)
    ]
    total = len(missed)
    ps = [p_of_excess(k, n, total - k, len(examples) - n) for _, k, n in counted]
    corrected = [1.0 if p is None else p for p in holm(ps)]
    parts = [Part(*each, p) for each, p in zip(counted, corrected, strict=True) if each[1]]
    return sorted(parts, key=lambda each: (each.p, -each.missed, each.where))
