"""Artifacts by digest, records by key: what is there, what is gone, what is damaged."""

import json
from pathlib import Path

import pytest

from ftbuild.digest import of_bytes
from ftbuild.errors import StoreError
from ftbuild.store.store import Record, Store
from ftbuild.stream import whole

MANIFEST = {"preimage": {"settings": {"größe": 1}}}


def record(outputs: dict[str, str], key: str = "k" * 64) -> Record:
    return Record(
        key=key,
        kind="dataset",
        label="dataset",
        outputs=outputs,
        note="12 examples",
        started_at=1.5,
        seconds=0.25,
    )


def test_what_is_put_is_got_by_its_digest(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    digest = store.put(b"bytes")
    assert digest == of_bytes(b"bytes") == store.put(b"bytes")
    assert store.get(digest) == b"bytes"
    assert store.path(digest) == tmp_path / "store" / "artifacts" / digest[:2] / digest
    assert store.path(digest).stat().st_mode & 0o777 == 0o444


def test_a_store_that_was_only_read_does_not_exist(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert (store.find("k"), store.keys()) == (None, [])
    assert not (tmp_path / "store").exists()


def test_bytes_that_are_gone_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = of_bytes(b"never put")
    with pytest.raises(StoreError) as caught:
        store.get(digest)
    assert str(caught.value) == f"{store.path(digest)}: artifact {digest[:12]} is gone\n    Fix: run the build again."


def test_damaged_bytes_are_told_and_the_remedy_works(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = store.put(b"bytes")
    store.record(record({"train.jsonl": digest}), MANIFEST)
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(b"bytez")
    with pytest.raises(StoreError) as caught:
        store.get(digest)
    assert str(caught.value) == (
        f"{store.path(digest)}: artifact {digest[:12]} is damaged\n    Fix: run the build again."
    )
    store.set_aside(digest)
    assert (store.find("k" * 64), store.spoilt("k" * 64)) == (None, "train.jsonl is gone")
    store.put(b"bytes")
    assert store.find("k" * 64) == record({"train.jsonl": digest})


def test_a_record_reads_back_as_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = record({"train.jsonl": store.put(b"a"), "test.jsonl": store.put(b"b")})
    store.record(kept, MANIFEST)
    assert store.find(kept.key) == kept
    assert next(iter(json.loads((tmp_path / "records" / f"{kept.key}.json").read_bytes()).items())) == (
        "type",
        "ftbuild.record.v2",
    )


def test_a_record_counts_only_with_all_its_bytes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = record({"train.jsonl": store.put(b"a"), "test.jsonl": of_bytes(b"b")})
    store.record(kept, MANIFEST)
    assert store.find(kept.key) is None
    assert store.keys() == [kept.key]
    store.put(b"b")
    assert store.find(kept.key) == kept


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"type": "ftbuild.record.v1"}', b"\xff", b"null"])
def test_a_record_that_cannot_be_read_is_told_with_its_place(content: bytes, tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = record({})
    store.record(kept, MANIFEST)
    path = tmp_path / "records" / f"{'x' * 64}.json"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        store.find("x" * 64)
    assert str(caught.value) == f"{path}: the record cannot be read\n    Fix: delete it; its action runs again."
    assert [each["key"] for each in store.manifests()] == [kept.key]


def test_a_stream_is_read_first_unless_it_is_known_to_be_good(tmp_path: Path) -> None:
    store, digest = Store(tmp_path), of_bytes(b"bytes")
    store.record(record({"train.jsonl": store.put(b"bytes")}), MANIFEST)
    assert whole(store.stream(digest)) == b"bytes"
    assert store.good([digest, "unknown"]).keys() == {digest}
    path = store.path(digest)
    path.chmod(0o644)
    path.write_bytes(b"bytez")
    for other in (store, Store(tmp_path)):
        other.trust(store.good([digest]))
        with pytest.raises(StoreError) as caught:
            other.stream(digest)
        assert str(caught.value) == f"{path}: artifact {digest[:12]} is damaged\n    Fix: run the build again."
