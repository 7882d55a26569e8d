"""The wall in a dataset: which examples to learn from were made out of one that tests.

Looked for among all that were read, before any is dropped: of a copy and its original either may be the duplicate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ftbuild.dataset.build import Decided
from ftbuild.dataset.facts import Table, offsets
from ftbuild.dataset.wall import Twin, Wall
from ftbuild.example import LEARNT_FROM, SPLITS
from ftbuild.partitions import mapped, pool_of
from ftbuild.problem import Problem
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.stream import Gathered, Spool, lines

COMPARED = ("messages", "tools", "context")


def held(
    decided: Decided,
    told: Spool,
    table: Table,
    sources: Sequence[str],
    paths: Sequence[str],
    walled: Sequence[str],
    given: Mapping[str, Any],
) -> tuple[Decided, list[Problem]]:
    """Return what is wrong with the examples to learn from of the sources that are `walled`, in the order of the rows.

    What was decided goes with it, without the leaks that are told of here. `told` are the lines of all rows; `sources`
    and `paths` are what the numbers in the table stand for.
    """
    if not walled:
        return decided, []
    is_learnt = np.isin(table["split"], [SPLITS.index(each) for each in LEARNT_FROM])
    is_walled = np.isin(table["source"], [sources.index(each) for each in walled])
    rows, guarded = np.flatnonzero(is_learnt & is_walled), np.flatnonzero(~is_learnt)
    at, lengths = offsets(table, "n_bytes"), table["n_bytes"]
    tests = json_lines(
        {name: value[name] for name in COMPARED if name in value}
        | {"path": paths[row["path"]], "line": int(row["line"]), "split": SPLITS[row["split"]]}
        for value, row in zip(
            parse_lines(Gathered(told, at[guarded], lengths[guarded]).content()), table[guarded], strict=True
        )
    )
    parts = lines(Gathered(told, at[rows], lengths[rows]).content())
    twins = [twin for part in mapped(partial(_twins, tests), parts, pool_of(given), len) for twin in part]
    found = {int(row): twin for row, twin in zip(rows, twins, strict=True) if twin is not None}
    problems = [twin.problem(paths[table["path"][row]], int(table["line"][row])) for row, twin in found.items()]
    return replace(decided, leaks=[pair for pair in decided.leaks if pair[0] not in found]), problems


def _twins(tests: bytes, part: bytes) -> list[Twin | None]:
    wall = _wall(tests)
    return [wall.twin(each) for each in parse_lines(part)]


@lru_cache(maxsize=1)
def _wall(tests: bytes) -> Wall:
    """Return the wall before some examples: one for all the parts that a process works on."""
    return Wall(parse_lines(tests))
