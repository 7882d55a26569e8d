"""Collect: what a root names stays with its bytes, what was paid for always stays, and the rest goes, bytes last."""

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_fixture import LABELS, Toy, with_texts

from ftbuild.errors import StoreError
from ftbuild.store.collect import Again, Garbage, mark, sweep
from ftbuild.store.locks import KeyLock
from ftbuild.store.store import Record, Store
from ftbuild.store.verify import check

OLD, NOW, LATER = 1_000_000.0, 2_000_000.0, 3_000_000.0


class Built:
    """A built toy whose files are all old."""

    def __init__(self, folder: Path) -> None:
        self.toy = Toy(folder)
        done = self.toy.build()
        self.records: dict[str, Record] = {ran.action.label: ran.record for ran in done.ran.values()}
        self.grow_old()

    def grow_old(self) -> None:
        for path in self.toy.store.folder.rglob("*"):
            os.utime(path, (OLD, OLD))

    def mark(self, *roots: str, since: float = NOW) -> Garbage:
        return mark(self.toy.store, set(roots), (), since)

    def collect(self, *roots: str) -> set[str]:
        """Collect; return the labels whose records are still there."""
        sweep(self.toy.store, self.mark(*roots))
        return {label for label, record in self.records.items() if self.toy.store.has(record.key)}

    def whole(self) -> bool:
        return not check(self.toy.store, (), full=True).problems


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path)


def test_without_roots_all_goes_but_what_was_paid_for(built: Built) -> None:
    ledger = {path: path.read_bytes() for path in built.toy.ledger.folder.rglob("*") if path.is_file()}
    assert built.collect() == {"pay"}
    assert built.whole()
    assert {path: path.read_bytes() for path in ledger} == ledger
    built.toy.build()
    assert built.toy.ran == ["a", "b", "c", "d"]


def test_a_record_of_a_paid_kind_stays_also_without_its_ledger(built: Built) -> None:
    for path in built.toy.ledger.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    built.toy.ledger.folder.joinpath(built.records["pay"].key).rmdir()
    assert len(built.mark().records) == 5
    assert len(mark(built.toy.store, set(), ("pay",), NOW).records) == 4


def test_what_a_root_names_stays_with_its_bytes_and_not_with_its_inputs(built: Built) -> None:
    assert built.collect(built.records["d"].key) == {"pay", "d"}
    assert built.whole()
    assert built.toy.store.find(built.records["d"].key) is not None
    assert not built.toy.store.path(built.records["c"].outputs["out"]).exists()


def test_a_root_may_be_the_digest_of_an_output(built: Built) -> None:
    assert built.collect(built.records["c"].outputs["out"]) == {"pay", "c"}


def test_a_root_of_anything_else_does_no_harm(built: Built) -> None:
    assert built.collect("0" * 64, "notes") == {"pay"}


def test_what_was_touched_lately_stays(built: Built) -> None:
    orphan = built.toy.store.put(b"being recorded")
    store = built.toy.store
    os.utime(store.manifest_path(built.records["b"].key), (NOW, NOW))
    os.utime(store.path(orphan), (NOW, NOW))
    assert built.collect() == {"pay", "b"}
    assert (built.whole(), store.get(orphan)) == (True, b"being recorded")


def test_a_touched_record_keeps_its_bytes_however_old_they_are(built: Built) -> None:
    os.utime(built.toy.store.manifest_path(built.records["b"].key), (LATER, LATER))
    built.collect()
    assert built.toy.store.find(built.records["b"].key) is not None


def test_bytes_that_no_record_names_go(built: Built) -> None:
    path = built.toy.store.path(built.toy.store.put(b"orphan"))
    os.utime(path, (OLD, OLD))
    built.collect(*(record.key for record in built.records.values()))
    assert (path.exists(), built.whole()) == (False, True)


def test_a_record_that_cannot_be_read_stays_with_all_it_names(built: Built) -> None:
    path = built.toy.store.manifest_path(built.records["c"].key)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "type": "ftbuild.record.v9"}))
    os.utime(path, (OLD, OLD))
    assert built.collect() == {"pay", "c"}
    assert built.toy.store.path(built.records["c"].outputs["out"]).exists()


def test_logs_locks_leftovers_and_what_was_set_aside_go_with_their_keys(built: Built) -> None:
    folder, alive, gone = built.toy.store.folder, built.records["pay"].key, built.records["c"].key
    going = {
        folder / "logs" / f"{gone}.log",
        folder / "locks" / f"{gone}.lock",
        folder / "artifacts" / "ab" / ".tmp-1",
        folder / "ledger" / alive / ".tmp-2",
        folder / "damaged" / ("f" * 64),
    }
    staying = {
        folder / "logs" / f"{alive}.log",
        folder / "logs" / "notes.log",
        folder / "locks" / f"{alive}.lock",
        folder / "locks" / "use.lock",
        folder / "calls.db",
        folder / "artifacts" / "ab" / ".tmp-young",
        folder / "logs" / f"{'0' * 64}.log",
    }
    for path in going | staying:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
        os.utime(path, (OLD, OLD))
    for path in staying:
        if path.name in (".tmp-young", f"{'0' * 64}.log"):
            os.utime(path, (LATER, LATER))
    built.collect()
    assert {path for path in going | staying if path.exists()} == staying


def test_a_lock_that_is_held_stays(built: Built) -> None:
    key = built.records["c"].key
    lock = KeyLock(built.toy.store.folder, key)
    assert lock.acquire()
    path = built.toy.store.folder / "locks" / f"{key}.lock"
    os.utime(path, (OLD, OLD))
    built.collect()
    assert path.exists()
    lock.release()


def test_it_is_said_what_making_it_again_would_take(built: Built) -> None:
    for label in ("a", "b"):
        path = built.toy.store.manifest_path(built.records[label].key)
        path.write_text(json.dumps({**json.loads(path.read_bytes()), "cost_usd": 0.5}))
        os.utime(path, (OLD, OLD))
    garbage = built.mark()
    assert garbage.again == {"make": Again(n=4, seconds=10.0, cost_usd=1.0)}
    assert (len(garbage.records), garbage.n_records_kept) == (4, 1)
    assert (len(garbage.artifacts), garbage.n_artifacts_kept, garbage.n_bytes_kept) == (4, 1, len(b"a1b1pay1"))
    assert garbage.n_bytes == sum(entry.path.stat().st_size for part in garbage.parts.values() for entry in part)


def test_marking_writes_nothing(built: Built) -> None:
    def listing() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in built.toy.folder.rglob("*")}

    before = listing()
    built.mark()
    assert listing() == before


def test_the_index_forgets_what_is_gone(built: Built) -> None:
    built.collect()
    index = built.toy.store.index
    assert [label for label, record in built.records.items() if index.record(record.key)] == ["pay"]


def test_a_second_collection_finds_nothing(built: Built) -> None:
    built.collect()
    assert built.mark().parts == Garbage().parts


def test_a_crash_between_any_two_deletions_leaves_no_record_without_its_bytes(tmp_path: Path) -> None:
    n_deletions = len([entry for part in Built(tmp_path / "count").mark().parts.values() for entry in part])
    for n in range(n_deletions):
        built = Built(tmp_path / str(n))
        garbage = built.mark()
        flat = [(name, entry) for name, entries in garbage.parts.items() for entry in entries][:n]
        cut = {name: tuple(entry for each, entry in flat if each == name) for name in garbage.parts}
        sweep(built.toy.store, Garbage(**cut))
        assert built.whole(), n
        assert sum(map(len, built.mark().parts.values())) == n_deletions - n


def test_what_cannot_be_deleted_is_an_error_with_its_place(built: Built) -> None:
    path = built.toy.store.manifest_path(built.records["c"].key)
    garbage = built.mark()
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError) as caught:
        sweep(built.toy.store, garbage)
    said = f"{path}: cannot be deleted: is a directory\n    Fix: take back the right to delete there, then again."
    assert str(caught.value) == said


@pytest.mark.slow
@given(roots=st.sets(st.sampled_from(LABELS)), young=st.sets(st.sampled_from(LABELS)))
def test_what_is_kept_is_whole_whatever_the_roots(
    roots: set[str], young: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    built = Built(tmp_path_factory.mktemp("toy"))
    for label in young:
        os.utime(built.toy.store.manifest_path(built.records[label].key), (NOW, NOW))
    kept = built.collect(*(built.records[label].key for label in roots))
    assert kept == roots | young | {"pay"}
    assert built.whole()


def test_builds_beside_a_collection_that_never_rests_succeed(tmp_path: Path) -> None:
    from ftbuild.store.locks import live_since, using

    over = threading.Event()
    swept: list[int] = []

    def collect() -> None:
        store = Store(Toy(tmp_path).world.store)
        while not over.is_set():
            with using(store.folder, alone=True):
                began = live_since(store.folder)
                garbage = mark(store, set(), (), LATER * 1000 if began is None else began - 1)
                sweep(store, garbage)
            swept.append(len(garbage.records))

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for number in range(4):
            toy = Toy(tmp_path, texts=with_texts(Toy(tmp_path).texts, a=f"{number % 3}"))
            assert len(toy.build().ran) == len(LABELS)
    finally:
        over.set()
        collector.join()
    assert sum(swept) > 0
