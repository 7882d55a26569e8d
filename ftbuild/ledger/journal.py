"""The journal of one paid action: append-only lines, folded into a state.

    ledger/<key>.jsonl   {"v":1,"at":...,"event":"intent|lost|refused|launched|cancel|ended|retry", ...}
    ledger/<key>.lock    held by whoever looks up and launches; freed by the kernel when it dies

Every line is on the disk before the next request is sent. A line takes effect with its line end:
what a crash cut short never happened. A line written twice counts once.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftbuild.errors import StoreError
from ftbuild.ledger.port import TERMINAL
from ftbuild.problem import Problem
from ftbuild.store import durable


@dataclass(frozen=True)
class JournalState:
    """Where a paid action stands. `attempt` counts from 1 and grows only by `retry`.

    `intent_at` is when a launch was last intended (seconds since 1970) and has no answer yet,
    `lost_at` when it became known that the answer will not come; `command` is the command line
    that intended it.
    """

    attempt: int = 1
    intent_at: float | None = None
    lost_at: float | None = None
    job_id: str | None = None
    status: str | None = None
    error: str | None = None
    command: tuple[str, ...] = ()
    experiment: str = ""

    @property
    def ended_badly(self) -> bool:
        """Return whether the job failed or was cancelled."""
        return self.status in TERMINAL and self.status != "succeeded"


NOT_LAUNCHED = JournalState()


def fold(events: Iterable[Mapping[str, Any]], state: JournalState = NOT_LAUNCHED) -> JournalState:
    """Return the state after `events`, oldest first, from `state` on.

    An `ended` that names another job than the one at hand is passed over: it comes from a client that
    watched the job before a retry. So is a `retry` of a job that has not ended badly.
    """
    for event in events:
        match event["event"]:
            case "intent":
                state = replace(
                    state,
                    intent_at=event["at"],
                    lost_at=None,
                    command=tuple(event["command"]),
                    experiment=event["experiment"],
                )
            case "lost":
                state = replace(state, lost_at=event["at"])
            case "refused":
                state = replace(state, intent_at=None, lost_at=None)
            case "launched":
                state = replace(state, intent_at=None, lost_at=None, job_id=event["job_id"], status="launched")
            case "ended" if event.get("job_id", state.job_id) == state.job_id:
                state = replace(state, status=event["status"], error=event["error"])
            case "retry" if state.ended_badly:
                state = replace(state, attempt=state.attempt + 1, job_id=None, status=None, error=None)
    return state


class Journal:
    """The journal of one key."""

    def __init__(self, folder: Path, key: str) -> None:
        self.key = key
        self._path = folder / f"{key}.jsonl"

    def state(self) -> JournalState:
        """Return the state; what follows the last line end was cut short by a crash and is passed over.

        Raises:
            StoreError: the journal, or a line of it, cannot be read.
        """
        try:
            *lines, _torn = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return NOT_LAUNCHED
        except OSError as error:
            raise _unreadable(self._path, (error.strerror or str(error)).lower()) from error
        state = NOT_LAUNCHED
        for number, line in enumerate(lines, 1):
            try:
                state = fold([json.loads(line)], state)
            except (ValueError, KeyError, TypeError) as error:
                raise _unreadable(self._path, "this line is damaged", number) from error
        return state

    def append(self, at: float, event: str, **data: Any) -> None:
        """Write one event durably."""
        line = json.dumps({"v": 1, "at": at, "event": event, **data}, ensure_ascii=False)
        durable.append_line(self._path, line.encode())

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of this key: waits for the holder, freed by the kernel when the holder dies.

        Raises:
            StoreError: the lock file cannot be written.
        """
        from filelock import FileLock

        path = self._path.with_suffix(".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held = FileLock(path)
            held.acquire()
        except OSError as error:
            raise durable.refused(path, error) from error
        try:
            yield
        finally:
            held.release()


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


def _unreadable(path: Path, why: str, line: int | None = None) -> StoreError:
    return StoreError(
        Problem(
            f"the journal of a paid job cannot be read: {why}",
            str(path),
            line,
            why="It says whether the job was launched; without it the job might be paid twice.",
            fix="mend the file, or delete it: the provider's list is asked before anything is launched.",
        )
    )
