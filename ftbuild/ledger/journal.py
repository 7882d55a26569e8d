"""The journal of one paid action: append-only lines, folded into a state.

    ledger/<key>.jsonl   {"v":1,"at":...,"event":"intent|launched|ended|cancel|retry|refused", ...}
    ledger/<key>.lock    held by whoever looks up and launches; freed by the kernel when it dies

Every line is on the disk before the next request is sent. Folding a journal twice gives the
same state as folding it once.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftbuild.errors import StoreError
from ftbuild.problem import Problem
from ftbuild.store import durable


@dataclass(frozen=True)
class JournalState:
    """Where a paid action stands. `attempt` counts from 1 and grows only by `retry`.

    `intent_at` is when a launch was last intended (seconds since 1970) and has no answer yet;
    `command` is the command line that intended it.
    """

    attempt: int = 1
    intent_at: float | None = None
    job_id: str | None = None
    status: str | None = None
    error: str | None = None
    command: tuple[str, ...] = ()
    experiment: str = ""


def fold(events: Iterable[Mapping[str, Any]]) -> JournalState:
    """Return the state after `events`, oldest first."""
    state = JournalState()
    for event in events:
        match event["event"]:
            case "intent":
                state = replace(
                    state, intent_at=event["at"], command=tuple(event["command"]), experiment=event["experiment"]
                )
            case "refused":
                state = replace(state, intent_at=None)
            case "launched":
                state = replace(state, intent_at=None, job_id=event["job_id"], status="launched")
            case "ended":
                state = replace(state, status=event["status"], error=event["error"])
            case "retry":
                state = replace(
                    state, attempt=state.attempt + 1, intent_at=None, job_id=None, status=None, error=None
                )
    return state


class Journal:
    """The journal of one key."""

    def __init__(self, folder: Path, key: str) -> None:
        self.key = key
        self._path = folder / f"{key}.jsonl"

    def state(self) -> JournalState:
        """Return the state. A line cut short by a crash at the very end is passed over: it never took effect.

        Raises:
            StoreError: a line before the last cannot be read.
        """
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return JournalState()
        events = []
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                events.append(json.loads(line))
            except ValueError as error:
                if number == len(lines):
                    break
                raise StoreError(Problem("the journal of a paid job is damaged", str(self._path), number)) from error
        return fold(events)

    def append(self, at: float, event: str, **data: Any) -> None:
        """Write one event durably."""
        line = json.dumps({"v": 1, "at": at, "event": event, **data}, ensure_ascii=False)
        durable.append_line(self._path, line.encode())

    def lock(self) -> AbstractContextManager[Any]:
        """Return the lock of this key: waits for the holder, freed by the kernel when the holder dies."""
        from filelock import FileLock

        self._path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self._path.with_suffix(".lock"))


def find_journal(folder: Path, job_id: str) -> Journal | None:
    """Return the journal whose job is `job_id`, None when there is none."""
    for path in sorted(folder.glob("*.jsonl")):
        journal = Journal(folder, path.stem)
        if journal.state().job_id == job_id:
            return journal
    return None


def journals(folder: Path) -> list[Journal]:
    """Return all journals, by key."""
    return [Journal(folder, path.stem) for path in sorted(folder.glob("*.jsonl"))]
