"""The wall in a dataset: which examples to learn from were made out of one that tests.

Looked for among all that were read, before any is dropped: of a copy and its original either may be the duplicate. Held
before the tests in meaning is what was built, by an action of its own, for vectors have to be asked for.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ftbuild.dataset.build import Decided
from ftbuild.dataset.facts import Table, offsets
from ftbuild.dataset.meant import USUAL_AT_LEAST, Meant, texts, usual, worded
from ftbuild.dataset.wall import Exchange, Twin, Wall
from ftbuild.example import LEARNT_FROM, SPLITS
from ftbuild.partitions import mapped, pool_of
from ftbuild.problem import Problem
from ftbuild.report.words import count
from ftbuild.retrieval.index import Vectors
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.stream import Content, Gathered, Spool, lines, whole
from ftbuild.workers import Made

ALIKE = "alike.jsonl"
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
    at, lengths = offsets(table), table["n_bytes"]
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


def placed(read: Callable[[str], Content], splits: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the examples of some splits of a built dataset, each with its source, place and split; `read` returns what
    stands in a file of it, by the name without its ending.
    """
    places: dict[str, list[Mapping[str, Any]]] = {split: [] for split in splits}
    for place in parse_lines(read("provenance")):
        if place["split"] in places:
            places[place["split"]].append(place)
    for split in splits:
        for example, at in zip(parse_lines(read(split)), places[split], strict=True):
            yield {**example, **{name: at[name] for name in ("source", "path", "line", "split")}}


@dataclass(frozen=True)
class _Held:
    """Examples of a built dataset: those that are suspected, those that test, and what nobody suspects."""

    suspected: Sequence[Mapping[str, Any]]
    tests: Sequence[Mapping[str, Any]]
    unsuspected: Sequence[Exchange]

    @classmethod
    def of(cls, settings: Mapping[str, Any], inputs: Mapping[str, Content]) -> "_Held":
        """Return those of a dataset whose files are `inputs`, by the sources that are told apart."""
        learnt = [*placed(inputs.__getitem__, LEARNT_FROM)]
        beyond_doubt = usual(each for each in learnt if each["source"] in settings["unsuspected"])
        tests = placed(inputs.__getitem__, [each for each in SPLITS if each in inputs and each not in LEARNT_FROM])
        return cls([each for each in learnt if each["source"] in settings["walled"]], [*tests], beyond_doubt)


def to_read(settings: Mapping[str, Any], inputs: Mapping[str, Content]) -> list[str]:
    """Return the texts whose vectors say what is near in meaning; none where nobody suspected answers in words."""
    held = _Held.of(settings, inputs)
    said, tests = ([one for each in some for one in worded(each)] for some in (held.suspected, held.tests))
    return texts([*held.unsuspected, *tests, *said]) if said else []


def wall(settings: Any, inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    """Hold what is walled before the tests in meaning, and warn of what is too near."""
    held = _Held.of(settings, inputs)
    meant = Meant(held.tests, held.unsuspected, Vectors.from_bytes(whole(inputs["vectors"])))
    if not meant.can_tell:
        return Made({ALIKE: b""}, f"nothing to say: that takes {USUAL_AT_LEAST} examples beyond doubt, in words")
    found = [(each, twin) for each in held.suspected if (twin := meant.twin(each)) is not None]
    told = [
        {"path": each["path"], "line": each["line"], "of": {"path": twin.path, "line": twin.line, "split": twin.split}}
        for each, twin in found
    ]
    said = f"{len(found):,} of {count(len(held.suspected), 'example')} to look at"
    return Made({ALIKE: json_lines(told)}, said, [twin.problem(each["path"], each["line"]) for each, twin in found])
