"""Find and delete what nobody needs: mark from roots, sweep the rest.

A record is kept if a root names its key or one of its outputs, if it was paid for, if it was touched
lately, or if it cannot be read (what it needs is not known). A kept record keeps its outputs. It does not
keep its inputs: they are named by digest, its manifest holds the pre-image, so `why` still explains it,
and making them again is what they cost. Nothing in the ledger is ever touched, nor are the cached calls.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftbuild.errors import StoreError
from ftbuild.problem import Problem
from ftbuild.store.contents import Entry, files, files_below, is_name, leftovers, names_in, paid_keys
from ftbuild.store.durable import sync_folder
from ftbuild.store.locks import KeyLock
from ftbuild.store.store import Store


@dataclass(frozen=True)
class Again:
    """What it would take to make the records of one kind again; a cost of None is unknown."""

    n: int
    seconds: float
    cost_usd: float | None


@dataclass(frozen=True)
class Garbage:
    """What nobody needs, and how much is kept. `again` is by kind."""

    records: tuple[Entry, ...] = ()
    artifacts: tuple[Entry, ...] = ()
    logs: tuple[Entry, ...] = ()
    locks: tuple[Entry, ...] = ()
    leftovers: tuple[Entry, ...] = ()
    damaged: tuple[Entry, ...] = ()
    again: Mapping[str, Again] = field(default_factory=dict)
    n_records_kept: int = 0
    n_artifacts_kept: int = 0
    n_bytes_kept: int = 0

    @property
    def parts(self) -> dict[str, tuple[Entry, ...]]:
        """Return the files by what they are, in the order in which they are deleted."""
        names = ("records", "artifacts", "logs", "locks", "leftovers", "damaged")
        return {name: getattr(self, name) for name in names}

    @property
    def n_bytes(self) -> int:
        """Return how much room it takes."""
        return sum(entry.n_bytes for entries in self.parts.values() for entry in entries)


def mark(store: Store, roots: Collection[str], paid_kinds: Collection[str], since: float) -> Garbage:
    """Return what no root needs. What was touched at or after `since` (seconds since 1970) is spared.

    `roots` are keys and digests; names of anything else among them do no harm. A record was paid for if it
    is of one of `paid_kinds` or the ledger knows its key.
    """
    folder, paid = store.folder, paid_keys(store.folder)
    kept: set[str] = set()
    needed = set(roots)
    going: list[tuple[Entry, Mapping[str, Any]]] = []
    for entry in files(folder / "records"):
        key = entry.path.name.removesuffix(".json")
        if entry.is_leftover:
            continue
        try:
            manifest = store.manifest(key)
        except StoreError:
            kept.add(key)
            needed |= names_in(entry.path)
            continue
        outputs = set(manifest["outputs"].values())
        is_paid = key in paid or manifest["kind"] in paid_kinds
        if is_paid or entry.touched_at >= since or not outputs.isdisjoint(roots) or key in roots:
            kept.add(key)
            needed |= outputs
        else:
            going.append((entry, manifest))
    artifacts = [entry for entry in files_below(folder / "artifacts") if is_name(entry.path.name)]
    garbage = [entry for entry in artifacts if entry.path.name not in needed and entry.touched_at < since]
    alive = kept | paid
    return Garbage(
        records=tuple(entry for entry, _ in going),
        artifacts=tuple(garbage),
        logs=_of_gone_keys(folder / "logs", alive, since),
        locks=_of_gone_keys(folder / "locks", alive, since),
        leftovers=tuple(entry for entry in leftovers(folder) if entry.touched_at < since),
        damaged=tuple(files(folder / "damaged")),
        again=_again([manifest for _, manifest in going]),
        n_records_kept=len(kept),
        n_artifacts_kept=len(artifacts) - len(garbage),
        n_bytes_kept=sum(entry.n_bytes for entry in artifacts) - sum(entry.n_bytes for entry in garbage),
    )


def sweep(store: Store, garbage: Garbage) -> None:
    """Delete it; the caller holds the store alone. Manifests go first, so a crash leaves no record without its bytes.

    Raises:
        StoreError: a file cannot be deleted.
    """
    for name, entries in garbage.parts.items():
        for entry in entries:
            if name == "locks":
                _delete_lock(store.folder, entry.path)
            else:
                _delete(entry.path)
        if name == "records" and entries:
            sync_folder(store.folder / "records")
            store.index.drop(entry.path.stem for entry in entries)


def _of_gone_keys(folder: Path, alive: Collection[str], since: float) -> tuple[Entry, ...]:
    """Return the files named by a key that is not alive and was not touched lately."""
    return tuple(
        entry
        for entry in files(folder)
        if is_name(entry.path.stem) and entry.path.stem not in alive and entry.touched_at < since
    )


def _again(manifests: Iterable[Mapping[str, Any]]) -> dict[str, Again]:
    by_kind: dict[str, Again] = {}
    for each in manifests:
        so_far = by_kind.get(each["kind"], Again(0, 0.0, 0.0))
        costs = (so_far.cost_usd, each.get("cost_usd", 0.0))
        by_kind[each["kind"]] = Again(so_far.n + 1, so_far.seconds + each["seconds"], summed(costs))
    return dict(sorted(by_kind.items()))


def summed(costs: Iterable[float | None]) -> float | None:
    """Return the sum of some costs; with one that is unknown, None, it is unknown."""
    listed = list(costs)
    return None if None in listed else float(sum(each for each in listed if each is not None))


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        fix = "take back the right to delete there, then again."
        raise StoreError(Problem(f"cannot be deleted: {said}", str(path), fix=fix)) from error


def _delete_lock(folder: Path, path: Path) -> None:
    """Delete the lock of a key unless somebody holds it."""
    lock = KeyLock(folder, path.stem)
    if lock.acquire():
        try:
            _delete(path)
        finally:
            lock.release()
