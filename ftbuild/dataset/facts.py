"""Where each example goes: decided over facts of less than a hundred bytes each, whatever the examples hold.

Owns duplicates, leaks, order and limit. A fact is made of one example alone, so facts can be made anywhere and
in any order; what is decided over them all depends on what the examples say and not on how they came.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ftbuild.example import SPLITS, Split

Indexes = npt.NDArray[np.int64]
Table = npt.NDArray[np.void]
_ROW = struct.Struct(">16s16s16s8sIIHBBIII")
_TYPE = np.dtype(
    [
        ("same", ">u8", 2), ("asked", ">u8", 2), ("order", ">u8", 2), ("id", ">u8"), ("line", ">u4"), ("path", ">u4"),
        ("source", ">u2"), ("split", "u1"), ("free", "u1"),
        ("n_bytes", ">u4"), ("n_beside", ">u4"), ("company", ">u4"),
    ]
)  # fmt: skip
ROW_BYTES = _ROW.size


class Fact(NamedTuple):
    """What is to be known of one example.

    `same` is one digest for examples that are duplicates of each other, `asked` one for those that ask the same;
    `order` decides where it stands. Duplicates are kept pinned ones first, then by source, path, line and id;
    `source` and `path` are numbers in the order of the names that they stand for. `n_bytes` and `n_beside` are the
    lengths of its line and of what stands beside it, `company` says which tools it offers and calls.
    """

    same: bytes
    asked: bytes
    order: bytes
    id: str
    line: int
    path: int
    source: int
    split: Split
    pinned: bool
    n_bytes: int = 0
    n_beside: int = 0
    company: int = 0

    def packed(self) -> bytes:
        """Return it as one row of a table."""
        place = (self.line, self.path, self.source, SPLITS.index(self.split), not self.pinned)
        lengths = (self.n_bytes, self.n_beside, self.company)
        return _ROW.pack(self.same, self.asked, self.order, bytes.fromhex(self.id), *place, *lengths)  # cut at 16 bytes


def table(packed: Sequence[bytes], paths: Sequence[Sequence[int]], companies: Sequence[Sequence[int]]) -> Table:
    """Return the rows of several partitions as one table.

    `paths` and `companies` say for each partition what its own numbers stand for in all of them.
    """
    parts = [np.frombuffer(each, _TYPE) for each in packed]
    whole = np.concatenate(parts) if parts else np.zeros(0, _TYPE)
    at = 0
    for part, own_paths, own_companies in zip(parts, paths, companies, strict=True):
        rows = whole[at : at + len(part)]
        rows["path"] = np.asarray(own_paths, "u4")[rows["path"]]
        rows["company"] = np.asarray(own_companies, "u4")[rows["company"]]
        at += len(part)
    return whole


def unique(facts: Table) -> Indexes:
    """Return the rows without duplicates, in the order in which they were preferred."""
    rank = np.lexsort([facts[name] for name in ("id", "line", "path", "source", "free")])
    same = facts["same"][rank]
    together = np.lexsort([np.arange(len(rank)), same[:, 1], same[:, 0]])
    return rank[np.sort(together[_begins(same[together])])]


def leaks(facts: Table, kept: Indexes) -> list[tuple[int, int]]:
    """Return the rows that ask what a test row asks and are learnt from, each with that row.

    So does a row of any split but its own that asks what a row of the confirm split asks.
    """
    asked = facts["asked"][kept]
    together = np.lexsort([asked[:, 1], asked[:, 0]])
    number = np.empty(len(kept), np.int64)
    number[together] = np.cumsum(_begins(asked[together])) - 1
    found: list[tuple[int, int]] = []
    for held_out in (SPLITS.index("test"), SPLITS.index("confirm")):
        held = facts["split"][kept] == held_out
        twin = np.full(len(kept), -1, np.int64)
        twin[number[held]] = np.flatnonzero(held)  # of several the last
        leaking = np.flatnonzero((facts["split"][kept] < held_out) & (twin[number] >= 0))
        found += [(int(kept[row]), int(kept[twin[number[row]]])) for row in leaking]
    return found


def asked_alike(facts: Table, rows: Indexes) -> list[Indexes]:
    """Return the rows that ask the same, for each thing that several ask; by source, path and line."""
    half = facts["asked"][rows, 0].astype(np.uint64)
    in_order = np.sort(half)
    again = in_order[1:][in_order[1:] == in_order[:-1]]
    rows = rows[np.isin(half, again)]  # few as a rule: only they are told apart and put in order
    rank = rows[np.lexsort([facts[name][rows] for name in ("line", "path", "source")])]
    asked = facts["asked"][rank]
    together = np.lexsort([np.arange(len(rank)), asked[:, 1], asked[:, 0]])
    begins = np.flatnonzero(_begins(asked[together]))
    sizes = np.diff(begins, append=len(together))
    groups = [together[at : at + n] for at, n in zip(begins[sizes > 1], sizes[sizes > 1], strict=True)]
    return [rank[each] for each in sorted(groups, key=lambda each: int(each[0]))]


def ordered(facts: Table, kept: Indexes, splits: Sequence[Split]) -> Mapping[Split, Indexes]:
    """Return the rows of each of the splits in the order of their digests."""
    order = facts["order"][kept]
    in_order = kept[np.lexsort([np.arange(len(kept)), order[:, 1], order[:, 0]])]
    where = facts["split"][in_order]
    return {split: in_order[where == SPLITS.index(split)] for split in splits}


class Place(NamedTuple):
    """Where an example comes from, and its row."""

    source: str
    path: str
    line: int
    id: str
    row: int


def places(facts: Table, rows: Indexes, sources: Sequence[str], paths: Sequence[str]) -> list[Place]:
    """Return where the examples of some rows come from; `sources` and `paths` are what the numbers stand for."""
    return [
        Place(sources[each["source"]], paths[each["path"]], int(each["line"]), f"{int(each['id']):016x}", int(row))
        for row, each in zip(rows, facts[rows], strict=True)
    ]


def limited(splits: Mapping[Split, Indexes], limit: int) -> Mapping[Split, Indexes]:
    """Keep `limit` rows in all, or all if there are fewer: each split its share, one at least where it has any.

    What rounding leaves goes to train as long as it has more, and is taken from the largest share.
    """
    total = sum(map(len, splits.values()))
    share = {split: min(max(1, limit * len(all_) // total), len(all_)) if len(all_) else 0
             for split, all_ in splits.items()}  # fmt: skip
    while sum(share.values()) < min(limit, total):
        share[next(split for split in splits if share[split] < len(splits[split]))] += 1
    while sum(share.values()) > limit:
        share[max(splits, key=lambda split: share[split])] -= 1
    return {split: rows[: share[split]] for split, rows in splits.items()}


def offsets(facts: Table) -> Indexes:
    """Return where the line of each row begins when all lie one after the other, each with what stands beside it."""
    lengths: Indexes = facts["n_bytes"].astype(np.int64) + facts["n_beside"]
    return np.cumsum(lengths) - lengths


def _begins(digests: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return for sorted digests which differ from the one before."""
    begins = np.ones(len(digests), np.bool_)
    begins[1:] = (digests[1:] != digests[:-1]).any(axis=1)
    return begins
