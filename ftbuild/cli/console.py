"""Talk of a build on stderr: one line an action, and a live line where there is a terminal.

Without a terminal progress is said in plain lines. Either way a thread of its own says it, so that an
action with nothing new to tell still shows that it is at work: every second on a terminal, every
ten seconds in plain lines.
"""

import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ftbuild.engine import Status
from ftbuild.plan.action import Action
from ftbuild.report.words import duration

PLAIN_EVERY_SECONDS = 10.0
LIVE_EVERY_SECONDS = 1.0
TIME_WIDTH = 12
WIDEST = 104
NARROWEST_NOTE = 20
CLEAR = "\r\x1b[K"


class TerminalConsole:
    """The console of the command line; `close` when the build is over, however it ended."""

    def __init__(self, out: TextIO | None = None, every_seconds: float | None = None) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self.every_seconds = every_seconds or (LIVE_EVERY_SECONDS if self._live else PLAIN_EVERY_SECONDS)
        self._stage = ""
        self._held: list[tuple[Action, Status, str, float]] = []
        self._running: Action | None = None
        self._since = 0.0
        self._text = ""
        self._paused = False
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._ticker: threading.Thread | None = None

    def started(self, action: Action) -> None:
        """Remember what runs, and say it on a terminal; the hits before it are said now."""
        with self._lock:
            for held in self._held:
                self._line(*held)
            self._held = []
            self._running, self._since, self._text = action, time.monotonic(), ""
            self._draw()
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, name="console", daemon=True)
            self._ticker.start()

    def progress(self, text: str) -> None:
        """Replace what the live line says; without a terminal it is said when its time comes."""
        with self._lock:
            self._text = text
            self._draw()

    def finished(self, action: Action, status: Status, note: str, seconds: float) -> None:
        """Say what came of an action; hits are held back until something runs."""
        with self._lock:
            if status == "HIT" and self._ticker is None:
                self._held.append((action, status, note, seconds))
            else:
                self._running = None
                self._line(action, status, note, seconds)

    def say(self, text: str) -> None:
        """Say a line that stays."""
        with self._lock:
            self._out.write((CLEAR if self._live else "") + text + "\n")
            self._draw()
            self._out.flush()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the terminal to another process for a while."""
        with self._lock:
            self._paused = self._live
            self._clear()
        try:
            yield
        finally:
            with self._lock:
                self._paused = False
                self._draw()

    def close(self) -> None:
        """Take the live line away and say no more."""
        with self._lock:
            self._running = None
            self._clear()
            self._closed.set()

    def _tick(self) -> None:
        while not self._closed.wait(self.every_seconds):
            with self._lock:
                if self._running is None:
                    continue
                if self._live:
                    self._draw()
                else:
                    self._out.write(self._now(self._running, "") + "\n")
                    self._out.flush()

    def _draw(self) -> None:
        if self._live and self._running is not None and not self._paused:
            # A line as wide as the terminal would wrap, and half of it could not be taken away.
            self._out.write(CLEAR + self._now(self._running, self._running.stage)[: _columns() - 1])
            self._out.flush()

    def _now(self, action: Action, stage: str) -> str:
        seconds = int(time.monotonic() - self._since)
        line, *rest = self._row(stage, action.label, self._text, duration(seconds) if seconds >= 60 else f"{seconds} s")
        return line if not rest else _head(stage, action.label) + self._text

    def _line(self, action: Action, status: Status, note: str, seconds: float) -> None:
        stage = action.stage if action.stage != self._stage else ""
        self._stage = action.stage
        took = "cached" if status == "HIT" else duration(seconds)
        self.say("\n".join(self._row(stage, action.label, note, took)))

    def _row(self, stage: str, label: str, note: str, took: str) -> list[str]:
        """Return the line of an action, and what of its note did not fit below; the times stand in one column."""
        head = _head(stage, label)
        column = max(min(_columns() - 1, WIDEST) - len(head) - TIME_WIDTH, NARROWEST_NOTE)
        first, *rest = textwrap.wrap(note, column, break_on_hyphens=False) or [""]
        return [f"{head}{first:{column}}{took:>{TIME_WIDTH}}", *(" " * len(head) + line for line in rest)]

    def _clear(self) -> None:
        if self._live:
            self._out.write(CLEAR)
            self._out.flush()


def _head(stage: str, label: str) -> str:
    return f"{stage:8} {label:13} "


def _columns() -> int:
    return shutil.get_terminal_size((WIDEST + 1, 24)).columns
