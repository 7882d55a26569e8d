"""How actions talk while they run: to people through the console, to posterity through their logs.

Owns the port of the console and the wish to stop, which a waiting action notices at its next pause.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from ftbuild.errors import FtbuildError, Interrupted, StoreError
from ftbuild.plan.action import Action
from ftbuild.store.durable import refused

Status = Literal["HIT", "RUN", "MAYBE", "ATTACH", "WAIT", "BLOCKED", "FAILED"]
INTERRUPTED = "interrupted; the same command goes on from here"


class Console(Protocol):
    """Where a build tells what it does."""

    def started(self, action: Action) -> None:
        """An action begins."""
        ...

    def progress(self, action: Action, text: str) -> None:
        """A running action has something new to say; a later text replaces an earlier one."""
        ...

    def finished(self, action: Action, status: Status, note: str, seconds: float) -> None:
        """An action has its record."""
        ...

    def failed(self, action: Action, error: FtbuildError) -> None:
        """An action has failed."""
        ...

    def say(self, text: str, action: Action | None = None) -> None:
        """Say a line that stays, of an action or of the whole build."""
        ...


class Stopping:
    """Whether the build is to stop; set by the user or by a failure, and cleared where the build begins anew."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def wanted(self) -> bool:
        """Return whether it is to stop."""
        return self._event.is_set()

    def set(self) -> None:
        """Ask for the stop."""
        self._event.set()

    def clear(self) -> None:
        """Go on after all."""
        self._event.clear()

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            Interrupted: the build is to stop.
        """
        if self._event.wait(seconds):
            raise Interrupted(INTERRUPTED)


class Voice:
    """The voice of one action; its log is made when it first says something."""

    def __init__(
        self, console: Console, action: Action, stopping: Stopping, log: Path, now: Callable[[], float]
    ) -> None:
        self.action = action
        self._console, self._stopping, self._log, self._now = console, stopping, log, now

    def progress(self, text: str) -> None:
        """Say where the action stands."""
        self._console.progress(self.action, text)

    def say(self, text: str) -> None:
        """Say a line that stays."""
        self._console.say(text, self.action)
        self._write(text)

    def note(self, text: str) -> None:
        """Write a line to the log alone."""
        self._write(text)

    def sleep(self, seconds: float) -> None:
        """Wait; 0 only looks whether to go on.

        Raises:
            Interrupted: the build is to stop.
        """
        self._stopping.sleep(seconds)

    def log(self) -> Path:
        """Return the log, its folder made.

        Raises:
            StoreError: the folder cannot be made.
        """
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(self._log, error) from error
        return self._log

    def _write(self, text: str) -> None:
        at = datetime.fromtimestamp(self._now(), UTC)
        try:
            with self.log().open("a", encoding="utf-8") as log:
                log.write(f"{at:%Y-%m-%dT%H:%M:%SZ} {self.action.label}: {text}\n")
        except (OSError, StoreError):
            return  # a log is no reason to stop
