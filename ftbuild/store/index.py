"""The index: what the manifests say, in one SQLite file, so that a look-up costs microseconds.

    record   by key: what a manifest holds, with the stat of the manifest and of every output when they were good
    stat     by path: the digest of a source file, with its stat; paths as bytes, for they may be in no encoding

Never the truth: a row counts only while the files on the disk have the stat it remembers, a row that
is not there is looked up in the manifests, and the file may be deleted at any time. Whatever is wrong
with it (damaged, read-only, of another version) costs time and nothing else.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1
RACY_NANOSECONDS = 2_000_000_000
TABLES = """
CREATE TABLE IF NOT EXISTS record (
    key TEXT PRIMARY KEY, kind TEXT, label TEXT, started_at REAL, value TEXT, stat TEXT, outputs TEXT
);
CREATE INDEX IF NOT EXISTS by_label ON record (kind, label, started_at);
CREATE TABLE IF NOT EXISTS stat (path TEXT PRIMARY KEY, stat TEXT, digest TEXT, at INTEGER);
"""


def stat_of(path: str | Path) -> str | None:
    """Return size, time of the last change and inode of a file as one text; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"


@dataclass(frozen=True)
class Row:
    """A record as the index remembers it: its JSON form, the stat of its manifest, and of each output by digest."""

    value: Mapping[str, Any]
    stat: str
    outputs: Mapping[str, str]


class Index:
    """The index in one file. Reading makes no file; `write` makes it, and makes a damaged one anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._tried = False

    def record(self, key: str) -> Row | None:
        """Return the row of a key."""
        row = self._one("SELECT value, stat, outputs FROM record WHERE key = ?", key)
        return Row(json.loads(row[0]), row[1], json.loads(row[2])) if row else None

    def keys(self, kind: str, label: str, at_most: int) -> list[str]:
        """Return the keys of the records of one kind and label, newest first."""
        query = "SELECT key FROM record WHERE kind = ? AND label = ? ORDER BY started_at DESC, key LIMIT ?"
        return [key for (key,) in self._all(query, kind, label, at_most)]

    def digest(self, path: Path) -> str | None:
        """Return the digest of a file that has not changed since it was taken; racily clean files are not trusted."""
        row = self._one("SELECT stat, digest, at FROM stat WHERE path = ?", os.fsencode(path))
        if row is None or (now := stat_of(path)) != row[0]:
            return None
        return str(row[1]) if int(str(now).split()[1]) < row[2] - RACY_NANOSECONDS else None

    def write(self, records: Mapping[str, Row], digests: Mapping[str, tuple[str, str, int]]) -> None:
        """Keep rows, in one transaction. What cannot be written is left out: it is an index."""
        for _ in range(2):
            try:
                self._write(records, digests)
                return
            except sqlite3.DatabaseError as error:
                self.close()
                if isinstance(error, sqlite3.OperationalError) and "no such" not in str(error):
                    return
                with suppress(OSError):
                    os.unlink(self._path)
            except OSError:
                return

    def drop(self, keys: Iterable[str]) -> None:
        """Forget the rows of keys whose manifests are gone."""
        with suppress(sqlite3.Error, OSError):
            database = self._writable()
            with database:
                database.executemany("DELETE FROM record WHERE key = ?", [(key,) for key in keys])

    def sound(self) -> bool:
        """Return whether SQLite finds the file whole, of whatever version; a missing one is."""
        if not self._path.exists():
            return True
        try:
            with closing(self._opened()) as database:
                return bool(database.execute("PRAGMA quick_check").fetchall() == [("ok",)])
        except sqlite3.Error:
            return False

    def close(self) -> None:
        """Close the file; the next look-up opens it again."""
        if self._database is not None:
            self._database.close()
        self._database, self._tried = None, False

    def _write(self, records: Mapping[str, Row], digests: Mapping[str, tuple[str, str, int]]) -> None:
        database = self._writable()
        with database:
            database.executemany(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        key,
                        row.value["kind"],
                        row.value["label"],
                        row.value["started_at"],
                        json.dumps(row.value),
                        row.stat,
                        json.dumps(row.outputs),
                    )
                    for key, row in records.items()
                ],
            )
            database.executemany(
                "INSERT OR REPLACE INTO stat VALUES (?, ?, ?, ?)",
                [(os.fsencode(path), *row) for path, row in digests.items()],
            )

    def _writable(self) -> sqlite3.Connection:
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = self._database = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError("of another version")
        database.executescript(f"{TABLES} PRAGMA user_version = {VERSION};")
        self._tried = True
        return database

    def _readable(self) -> sqlite3.Connection | None:
        if self._database is None and not self._tried:
            self._tried = True
            if self._path.exists():
                database = self._opened()
                (version,) = database.execute("PRAGMA user_version").fetchone()
                if version == VERSION:
                    self._database = database
                else:
                    database.close()
        return self._database

    def _opened(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)

    def _all(self, query: str, *values: object) -> list[Any]:
        try:
            database = self._readable()
            return database.execute(query, values).fetchall() if database is not None else []
        except sqlite3.Error:
            self.close()
            self._tried = True
            return []

    def _one(self, query: str, *values: object) -> Any:
        rows = self._all(query, *values)
        return rows[0] if rows else None
