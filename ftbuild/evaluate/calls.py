"""Cached calls: one row an answer, by the digest of its request, so that a killed run repeats few.

SQLite in WAL mode; a row is written as its answer arrives. Failures are not kept.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbuild.chat import Message
from ftbuild.completion import Completion
from ftbuild.digest import of_value


def digest_of(model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> str:
    """Return the name of a request."""
    return of_value(["call.v1", model, [message.to_json() for message in messages], dict(parameters)])


class Calls:
    """The cache in one file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=30)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS call (digest TEXT PRIMARY KEY, answer TEXT NOT NULL)")
        self._database.commit()

    def get(self, digest: str) -> Completion | None:
        """Return the answer kept for a request."""
        row = self._database.execute("SELECT answer FROM call WHERE digest = ?", (digest,)).fetchone()
        return Completion.from_json(json.loads(row[0])) if row else None

    def put(self, digest: str, answer: Completion) -> None:
        """Keep an answer; the first one stays."""
        with self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO call VALUES (?, ?)", (digest, json.dumps(answer.to_json(), ensure_ascii=False))
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()
