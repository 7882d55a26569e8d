"""The index: an index of any kind is no damage, and a path need not be text."""

import os
import sqlite3
from pathlib import Path

from ftbuild.digest import of_bytes
from ftbuild.store.index import RACY_NANOSECONDS, Index
from ftbuild.store.store import Store


def test_an_index_is_sound_if_sqlite_finds_it_whole_of_whatever_version(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    assert Index(path).sound()
    path.touch()  # what a build leaves that is killed as it makes it
    assert Index(path).sound()
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.execute("CREATE TABLE of_tomorrow (key)")
    database.close()
    assert Index(path).sound()
    path.write_bytes(b"rubbish" * 1000)
    assert not Index(path).sound()


def test_the_digest_of_a_file_whose_name_is_no_text_is_remembered(tmp_path: Path) -> None:
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl"))
    source.write_bytes(b"line\n")
    old = source.stat().st_mtime_ns - 2 * RACY_NANOSECONDS
    os.utime(source, ns=(old, old))
    store = Store(tmp_path / "store")
    assert store.digest_of(source) == of_bytes(b"line\n")
    store.flush()
    assert Index(tmp_path / "store" / "index.db").digest(source) == of_bytes(b"line\n")
