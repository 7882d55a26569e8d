"""Examples to learn from that ask the same and are answered differently: the model can learn one of the answers.

Looks only at what the table says asks alike, and reads no other line.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ftbuild.dataset.facts import Indexes, Table, asked_alike
from ftbuild.example import sorted_json
from ftbuild.problem import SHOWN_AT_MOST, Problem

WHY = "The model can learn only one of them."
FIX = "keep the answer that you want, or say in the input what tells the two apart."


def contradicting(table: Table, rows: Indexes, paths: Sequence[str], read: Callable[[int], Any]) -> list[Problem]:
    """Return a warning for each input of `rows` with more than one answer, cut where more would not be shown.

    `paths` are the names that the numbers of paths stand for, `read` returns the JSON form of a row. Other tools or
    another system message are another input; a rejected answer beside it makes a pair, of which an input may have many.
    """
    pairs = _pairs(asked_alike(table, rows), read)
    told = [
        _problem(
            f"same input as {paths[table['path'][first]]}:{table['line'][first]}, and another answer",
            paths[table["path"][row]],
            int(table["line"][row]),
        )
        for first, row in islice(pairs, SHOWN_AT_MOST - 1)
    ]
    more = sum(1 for _ in pairs)
    return [*told, _problem(f"so have {more:,} more inputs two answers")] if more else told


def _problem(what: str, path: str = "", line: int | None = None) -> Problem:
    return Problem(what, path, line, WHY, FIX, rule="contradicting-answers", severity="warning")


def _pairs(groups: Sequence[Indexes], read: Callable[[int], Any]) -> Iterator[tuple[int, int]]:
    """Yield of each input with several answers the first row, and the first that answers differently."""
    for rows in groups:
        first: dict[bytes, tuple[int, bytes]] = {}
        told = set()
        for row in map(int, rows):
            value = read(row)
            if "rejected" in value:
                continue
            asked, answer = _asked(value), sorted_json(_answer(value["messages"][-1]))
            before, said = first.setdefault(asked, (row, answer))
            if said != answer and asked not in told:
                told.add(asked)
                yield before, row


def _asked(value: Mapping[str, Any]) -> bytes:
    return sorted_json([value["messages"][:-1], value.get("tools"), value.get("parallel_tool_calls")])


def _answer(target: Mapping[str, Any]) -> list[Any]:
    """Return what a target says; ids of calls say nothing."""
    calls = [each.get("function") for each in target.get("tool_calls") or ()]
    return [target.get("content"), target.get("refusal"), calls]
