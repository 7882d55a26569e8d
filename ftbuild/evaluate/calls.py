"""Cached calls: one row an answer, by the digest of its request, so that a killed run repeats few.

SQLite in WAL mode; a row is written as its answer arrives. Failures are not kept.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from ftbuild.chat import Message
from ftbuild.completion import Completion
from ftbuild.digest import of_value
from ftbuild.errors import StoreError
from ftbuild.problem import Problem


def digest_of(model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> str:
    """Return the name of a request."""
    return of_value(["call.v1", model, [message.to_json() for message in messages], dict(parameters)])


class Calls:
    """The cache in one file. Every method raises StoreError when the file cannot be read or written.

    `scope` says who is asked, as far as a request does not: a model's name is no description of it.
    """

    def __init__(self, path: Path, scope: str = "") -> None:
        self._path, self._scope = path, scope
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30)
            try:
                with FileLock(path.with_suffix(".lock")):  # the switch to WAL does not wait for another's
                    self._database.execute("PRAGMA journal_mode=WAL")
                    with self._database:
                        self._database.execute(
                            "CREATE TABLE IF NOT EXISTS call (digest TEXT PRIMARY KEY, answer TEXT NOT NULL)"
                        )
            except sqlite3.Error:
                self._database.close()
                raise

    def get(self, digest: str) -> Completion | None:
        """Return the answer kept for a request."""
        kept = self.value(digest)
        return Completion.from_json(kept) if kept is not None else None

    def put(self, digest: str, answer: Completion) -> None:
        """Keep an answer; the first one stays."""
        self.keep({digest: answer.to_json()})

    def value(self, digest: str) -> Any:
        """Return what is kept under a name, None where nothing is."""
        with self._translated():
            row = self._database.execute("SELECT answer FROM call WHERE digest = ?", (self._scope + digest,)).fetchone()
        return json.loads(row[0]) if row else None

    def keep(self, values: Mapping[str, Any]) -> None:
        """Keep JSON values by name; the first one of a name stays."""
        rows = [(self._scope + name, json.dumps(value, ensure_ascii=False)) for name, value in values.items()]
        with self._translated(), self._database:
            self._database.executemany("INSERT OR IGNORE INTO call VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        with self._translated():
            self._database.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                Problem(
                    f"the cached calls cannot be read or written: {error}",
                    str(self._path),
                    fix="free space or rights there; if the file is damaged, delete it: its answers are asked again.",
                )
            ) from error
