"""The journal of one paid action: append-only lines, folded into a state.

    new -> intent -> running -> terminal -> fetched

    ledger/<key>.jsonl   {"v":1,"at":...,"event":"intent|lost|refused|launched|status|cancel|pause|resume|ended|fetched|
                         retry", ...}
    ledger/<key>.lock    held by whoever looks up and launches; freed by the kernel when it dies

Every line is on the disk before the next request is sent. A line takes effect with its line end:
what a crash cut short never happened. A line written twice counts once.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ftbuild.errors import StoreError
from ftbuild.ledger.lock import hold, is_held
from ftbuild.ledger.port import CANCELLED, LOST, PARKED, TERMINAL
from ftbuild.problem import Problem
from ftbuild.store import durable

Phase = Literal["new", "intent", "running", "terminal", "fetched"]
Wish = Literal["cancel", "pause", "resume"]
WISHES: tuple[Wish, ...] = ("cancel", "pause", "resume")


@dataclass(frozen=True)
class Asked:
    """Who asked for a job: the words after `ftbuild`, the experiment, the provider's settings as JSON, and the id of
    the action that it is for, under which its price stands reserved.
    """

    command: tuple[str, ...] = ()
    experiment: str = ""
    provider: Mapping[str, Any] | None = None
    action: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        told = {"command": list(self.command), "experiment": self.experiment, "provider": self.provider}
        return {**told, "action": self.action}


@dataclass(frozen=True)
class JournalState:
    """Where a paid action stands. `attempt` counts from 1 and grows only by `retry`; `past` are the jobs before.

    `intent_at` is when a launch was last intended (seconds since 1970) and has no answer yet, `request` its body,
    `lost_at` when it became known that the answer will not come, `refused` what the provider said to the last create
    that it refused. `others` are jobs found beside ours under the same key. `wish` is what was asked of the provider
    and not yet confirmed, `why` the reason for the last wish where no person had it, `seen_at` when the status was
    written. `fetched` maps the outputs to their digests.
    """

    attempt: int = 1
    intent_at: float | None = None
    lost_at: float | None = None
    refused: str | None = None
    request: Mapping[str, Any] | None = None
    job_id: str | None = None
    launched_at: float | None = None
    adopted: bool = False
    others: tuple[str, ...] = ()
    status: str | None = None
    seen_at: float | None = None
    error: str | None = None
    code: str | None = None
    wish: Wish | None = None
    why: str = ""
    fetched: Mapping[str, str] | None = None
    note: str = ""
    past: tuple[str, ...] = ()
    asked: Asked = Asked()

    def knows(self, job_id: str) -> bool:
        """Return whether a job is this one, one before a retry, or another under the same key."""
        return job_id in (self.job_id, *self.past, *self.others)

    @property
    def ended_badly(self) -> bool:
        """Return whether the job failed or was cancelled."""
        return self.status in TERMINAL and self.status != "succeeded"

    @property
    def is_cancelled(self) -> bool:
        """Return whether the job was cancelled, however that is spelt."""
        return self.status in CANCELLED

    @property
    def is_lost(self) -> bool:
        """Return whether the provider did not know the job; with the key that launched it, it may."""
        return self.ended_badly and self.code == LOST

    @property
    def is_held(self) -> bool:
        """Return whether the job stands still though no person wished it: it goes on when more of it is wanted."""
        return self.status in PARKED and bool(self.why)

    @property
    def phase(self) -> Phase:
        """Return how far it has come."""
        if self.job_id is None:
            return "new" if self.intent_at is None else "intent"
        if self.status not in TERMINAL:
            return "running"
        return "terminal" if self.fetched is None else "fetched"


NOT_LAUNCHED = JournalState()


def fold(events: Iterable[Mapping[str, Any]], state: JournalState = NOT_LAUNCHED) -> JournalState:
    """Return the state after `events`, oldest first, from `state` on.

    What names another job than the one at hand is passed over: it comes from a client that watched the job
    before a retry. So is a `retry` of a job that has not ended badly, and what comes after the end, unless that was
    the loss of the job: it may be found again.
    """
    for event in events:
        name = event["event"]
        if name in ("intent", "launched", "lost", "refused"):
            state = _launching(state, name, event)
        elif event.get("job_id", state.job_id) != state.job_id:
            continue
        elif name == "ended" and (state.status not in TERMINAL or state.is_lost or _may_be_lost(state)):
            told = {"status": event["status"], "error": event["error"], "code": event.get("code")}
            state = replace(state, **told, seen_at=event["at"], wish=None)
        elif name == "retry" and state.ended_badly:
            past = (*state.past, str(state.job_id))
            anew = JournalState(state.attempt + 1, seen_at=event["at"], past=past, asked=state.asked)
            state = replace(anew, others=state.others)
        elif name == "fetched":
            state = replace(state, fetched=event["outputs"], note=event["note"])
        elif name == "status" and (state.status not in TERMINAL or state.is_lost):
            wish = None if event.get("answers") == state.wish else state.wish
            state = replace(state, status=event["status"], error=None, code=None, seen_at=event["at"], wish=wish)
        elif name in WISHES and state.status not in TERMINAL:
            state = replace(state, wish=name, why=event.get("why", ""))
    return state


def _may_be_lost(state: JournalState) -> bool:
    """Return whether a job that succeeded can still be lost: its results are at the provider alone."""
    return state.status == "succeeded" and state.fetched is None


def _launching(state: JournalState, name: str, event: Mapping[str, Any]) -> JournalState:
    """Return the state after an event on the way to a job."""
    at = event["at"]
    if name == "lost":
        return replace(state, lost_at=at)
    if name == "refused":
        return replace(state, intent_at=None, lost_at=None, request=None, refused=event["error"], seen_at=at)
    asked = state.asked
    if "command" in event:
        asked = Asked(tuple(event["command"]), event["experiment"], event.get("provider"), event.get("action", ""))
    state = replace(state, asked=asked, refused=None, lost_at=None)
    if name == "intent":
        return replace(state, intent_at=at, request=event.get("request"))
    return replace(
        state,
        attempt=event.get("attempt", state.attempt),
        intent_at=None,
        request=None,
        job_id=event["job_id"],
        launched_at=event.get("created_at", at),
        adopted=event.get("adopted", False),
        others=tuple(event.get("others", ())),
        status="launched",
        seen_at=at,
    )


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
    def lock(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock of this key; waits for the holder, and calls `waiting` once before it does.

        Raises:
            StoreError: the lock file cannot be written.
        """
        with hold(self._path.with_suffix(".lock"), waiting):
            yield

    def held(self) -> bool:
        """Return whether somebody looks up or launches right now; makes no file."""
        return is_held(self._path.with_suffix(".lock"))


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
