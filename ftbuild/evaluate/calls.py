"""Cached calls: one row an answer, by the digest of its request, so that a killed run repeats few.

SQLite in WAL mode; a row is written as its answer arrives, and outlives a kill of the process at once and a loss of
power a moment later. Request and response are kept as they were sent and came. Failures are not kept.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from ftbuild.chat import Message
from ftbuild.completion import Completion, Prompt
from ftbuild.digest import of_value
from ftbuild.errors import StoreError
from ftbuild.problem import Problem

COLUMNS = {"sample": "INTEGER", "request": "TEXT", "response": "TEXT", "cost_usd": "REAL", "answered_at": "REAL"}


def digest_of(model: str, messages: Sequence[Message], parameters: Mapping[str, Any], sample: int = 0) -> str:
    """Return the name of a request; of a `sample` after the first, one of its own."""
    said = ["call.v1", model, [message.to_json() for message in messages], dict(parameters)]
    return of_value([*said, sample] if sample else said)


class Calls:
    """The cache in one file. Every method raises StoreError when the file cannot be read or written.

    `scope` says who is asked, as far as a request does not: a model's name is no description of it. `price` says what
    an answer cost in USD, None where nobody knows.
    """

    def __init__(
        self,
        path: Path,
        scope: str = "",
        price: Callable[[Completion], float | None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._scope, self._price, self._now = path, scope, price, now
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30)
            try:
                with FileLock(path.with_suffix(".lock")):  # the switch to WAL does not wait for another's
                    self._database.execute("PRAGMA journal_mode=WAL")
                    self._database.execute("PRAGMA synchronous=NORMAL")
                    with self._database:
                        self._make_table()
            except sqlite3.Error:
                self._database.close()
                raise

    def _make_table(self) -> None:
        """Make the table, or give one of an earlier ftbuild the columns that it lacks."""
        self._database.execute("CREATE TABLE IF NOT EXISTS call (digest TEXT PRIMARY KEY, answer TEXT NOT NULL)")
        there = {row[1] for row in self._database.execute("PRAGMA table_info(call)")}
        for name, kind in COLUMNS.items():
            if name not in there:
                self._database.execute(f"ALTER TABLE call ADD COLUMN {name} {kind}")

    def get(self, digest: str) -> Completion | None:
        """Return the answer kept for a request."""
        kept = self.value(digest)
        return Completion.from_json(kept) if kept is not None else None

    def put(self, digest: str, answer: Completion, model: str, prompt: Prompt) -> Completion:
        """Keep an answer to a request, and return the one that is kept: the first stays."""
        messages = [message.to_json() for message in prompt.messages]
        row = (
            self._scope + digest,
            json.dumps(answer.to_json(), ensure_ascii=False),
            prompt.sample,
            json.dumps({"model": model, "messages": messages, **prompt.parameters}, ensure_ascii=False),
            answer.raw,
            self._price(answer),
            self._now(),
        )
        with self._translated(), self._database:
            written = self._database.execute(
                f"INSERT OR IGNORE INTO call (digest, answer, {', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)", row
            )
        return answer if written.rowcount else self.get(digest) or answer

    def value(self, digest: str) -> Any:
        """Return what is kept under a name, None where nothing is."""
        with self._translated():
            row = self._database.execute("SELECT answer FROM call WHERE digest = ?", (self._scope + digest,)).fetchone()
        return json.loads(row[0]) if row else None

    def keep(self, values: Mapping[str, Any]) -> None:
        """Keep JSON values by name; the first one of a name stays."""
        rows = [(self._scope + name, json.dumps(value, ensure_ascii=False)) for name, value in values.items()]
        with self._translated(), self._database:
            self._database.executemany("INSERT OR IGNORE INTO call (digest, answer) VALUES (?, ?)", rows)

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
