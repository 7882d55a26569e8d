"""Talk of a build on stderr: one line an action, and a live line where there is a terminal.

Without a terminal progress is said in plain lines, at most one every ten seconds.
"""

import shutil
import sys
import time
from typing import TextIO

from ftbuild.engine import Status
from ftbuild.plan.action import Action
from ftbuild.report.words import duration

PLAIN_EVERY_SECONDS = 10.0


class TerminalConsole:
    """The console of the command line."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._said_at = float("-inf")
        self._stage = ""
        self._held: list[tuple[Action, Status, str, float]] = []
        self._running: Action | None = None

    def started(self, action: Action) -> None:
        """Remember what runs, and say it on a terminal; the hits before it are said now."""
        for held in self._held:
            self._line(*held)
        self._held = []
        self._running = action
        self._said_at = float("-inf") if self._live else time.monotonic()
        self.progress("")

    def progress(self, text: str) -> None:
        """Replace the live line, or say a plain line now and then."""
        if self._running is None:
            return
        if self._live:
            line = f"{self._running.stage:8} {self._running.label:13} {text}"
            self._out.write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1])
            self._out.flush()
        elif time.monotonic() - self._said_at >= PLAIN_EVERY_SECONDS:
            self._said_at = time.monotonic()
            self._out.write(f"{'':8} {self._running.label:13} {text}\n")
            self._out.flush()

    def finished(self, action: Action, status: Status, note: str, seconds: float) -> None:
        """Say what came of an action; hits are held back until something runs."""
        if status == "HIT" and self._running is None:
            self._held.append((action, status, note, seconds))
        else:
            self._line(action, status, note, seconds)

    def say(self, text: str) -> None:
        """Say a line that stays."""
        self._clear()
        self._out.write(text + "\n")
        self._out.flush()

    def _line(self, action: Action, status: Status, note: str, seconds: float) -> None:
        stage = action.stage if action.stage != self._stage else ""
        self._stage = action.stage
        took = "cached" if status == "HIT" else duration(seconds)
        self.say(f"{stage:8} {action.label:13} {note:70} {took:>10}")

    def _clear(self) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
