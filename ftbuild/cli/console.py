"""Talk of a build on stderr: one line an action, and a live line where there is a terminal.

The lines come in the order of the graph: one that is finished early waits for those before it. In a
sweep they come as they are finished, each with its point, and the live line has others below it, one
for each point at work. Without a terminal progress is said in plain lines. Either way a thread of its
own says it, so that an action with nothing new to tell still shows that it is at work: every second on
a terminal, every ten seconds in plain lines.
"""

import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from ftbuild.cli.layout import NARROWEST_LABEL
from ftbuild.cli.live_points import LivePoints
from ftbuild.errors import FtbuildError
from ftbuild.plan.action import Action
from ftbuild.problem import render
from ftbuild.report.words import duration
from ftbuild.voice import Status

PLAIN_EVERY_SECONDS = 10.0
LIVE_EVERY_SECONDS = 1.0
TIME_WIDTH = 12
ECHO_WIDTH = len("^C")
WIDEST = 104
NARROWEST_NOTE = 20
CLEAR = "\r\x1b[K"
UP, BELOW = "\x1b[{}A", "\x1b[J"
ROWS_LEFT = 4  # of a terminal, for what is said above the live lines


@dataclass
class _Running:
    """An action under way: since when (monotonic seconds), and what it said last."""

    action: Action
    since: float
    text: str = ""


class TerminalConsole:
    """The console of the command line; `close` when the build is over, however it ended.

    `order` are the ids of the actions in the order they are told in, `points` says which point of a
    sweep an action belongs to; with points nothing is held back, and those that are `named` have a live line each;
    `label_width` is that of the longest label. Of actions that are `known` to be done, which an earlier walk told,
    nothing is said.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        every_seconds: float | None = None,
        order: Sequence[str] = (),
        points: Mapping[str, str] | None = None,
        known: Container[str] = (),
        label_width: int = NARROWEST_LABEL,
        named: Sequence[str] = (),
    ) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self.every_seconds = every_seconds or (LIVE_EVERY_SECONDS if self._live else PLAIN_EVERY_SECONDS)
        self._points = points or {}
        self._live_points = LivePoints(named, self._points) if self._live and len(named) > 1 else None
        self._drawn = 1  # lines
        self._known = known
        self._label_width = label_width
        self._waiting = [] if points else list(order)
        self._stage = ""
        self._held: dict[str, tuple[Action, Status, str, float]] = {}
        self._running: dict[str, _Running] = {}
        self._spoken = ""
        self._paused = False
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._ticker: threading.Thread | None = None

    def started(self, action: Action) -> None:
        """Remember what runs, and say it on a terminal; the hits before it are said now."""
        with self._lock:
            self._running[action.id] = _Running(action, time.monotonic())
            self._spoken = action.id
            self._release()
            self._draw()
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, name="console", daemon=True)
            self._ticker.start()

    def progress(self, action: Action, text: str) -> None:
        """Replace what the live line says; without a terminal it is said when its time comes."""
        with self._lock:
            if action.id in self._running:
                self._running[action.id].text = text
                self._spoken = action.id
            self._draw()

    def finished(self, action: Action, status: Status, note: str, seconds: float) -> None:
        """Say what came of an action; hits are held back until something runs."""
        with self._lock:
            self._running.pop(action.id, None)
            if self._live_points is not None:
                self._live_points.done(action.id)
            if action.id not in self._known:
                self._held[action.id] = (action, status, note, seconds)
            self._release()

    def failed(self, action: Action, error: FtbuildError) -> None:
        """Say at once that an action has failed, where the build goes on without it."""
        with self._lock:
            self._running.pop(action.id, None)
            if self._live_points is not None:
                self._live_points.failed(action.id, action.label)
            if self._points:
                point = self._points.get(action.id, "")
                self.say(f"{action.label} {f'[{point}] ' if point else ''}failed: {render(error.problems)}")

    def say(self, text: str, action: Action | None = None) -> None:
        """Say a line that stays, in a sweep with the point whose action it is of."""
        point = self._points.get(action.id) if action is not None else None
        with self._lock:
            self._out.write((self._cleared() if self._live else "") + (f"[{point}] " if point else "") + text + "\n")
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
        """Say what is still held back, take the live line away and say no more."""
        with self._lock:
            self._running.clear()
            self._waiting = []
            if self._ticker is not None:
                self._release()
            self._clear()
            self._closed.set()

    def _release(self) -> None:
        """Say what is finished and waits for nothing before it; before anything has run nothing is said."""
        if self._ticker is None and not self._running:
            return
        while self._waiting and self._waiting[0] in self._held:
            self._line(*self._held.pop(self._waiting.pop(0)))
        for name in [each for each in self._held if each not in self._waiting]:
            self._line(*self._held.pop(name))

    def _tick(self) -> None:
        while not self._closed.wait(self.every_seconds):
            with self._lock:
                if not self._running:
                    continue
                if self._live:
                    self._draw()
                else:
                    self._out.write(self._now("") + "\n")
                    self._out.flush()

    def _draw(self) -> None:
        if self._live and self._running and not self._paused:
            # A line as wide as the terminal would wrap, and half of it could not be taken away; nor could it after
            # a Ctrl-C, which is shown as ^C behind it.
            lines = [self._now(None)]
            if self._live_points is not None:
                said = {name: f"{each.action.label}  {each.text}" for name, each in self._running.items()}
                lines += self._live_points.lines(said, _rows() - ROWS_LEFT)
            width = _columns() - 1 - ECHO_WIDTH
            self._out.write(self._cleared() + "\n".join(line[:width] for line in lines))
            self._drawn = len(lines)
            self._out.flush()

    def _now(self, stage: str | None) -> str:
        """Return the line of what spoke last, and how many others are under way."""
        found = self._running.get(self._spoken) or next(iter(self._running.values()))
        seconds = int(time.monotonic() - found.since)
        others = len(self._running) - 1
        text = found.text + (f"  (and {others} more)" if others else "")
        shown = found.action.stage if stage is None else stage
        took = duration(seconds) if seconds >= 60 else f"{seconds} s"
        line, *rest = self._row(shown, found.action.label, text, took, ECHO_WIDTH if stage is None else 0)
        return line if not rest else self._head(shown, found.action.label) + text

    def _line(self, action: Action, status: Status, note: str, seconds: float) -> None:
        stage = action.stage if action.stage != self._stage else ""
        self._stage = action.stage
        took = "cached" if status == "HIT" else duration(seconds)
        point = f"[{self._points[action.id]}] " if self._points.get(action.id) else ""
        self.say("\n".join(self._row(stage, action.label, point + note, took)))

    def _row(self, stage: str, label: str, note: str, took: str, spare: int = 0) -> list[str]:
        """Return the line of an action, and what of its note did not fit below; the times stand in one column."""
        head = self._head(stage, label)
        column = max(min(_columns() - 1 - spare, WIDEST) - len(head) - TIME_WIDTH, NARROWEST_NOTE)
        first, *rest = textwrap.wrap(note, column, break_on_hyphens=False) or [""]
        return [f"{head}{first:{column}}{took:>{TIME_WIDTH}}", *(" " * len(head) + line for line in rest)]

    def _head(self, stage: str, label: str) -> str:
        return f"{stage:8} {label:{self._label_width}} "

    def _clear(self) -> None:
        if self._live:
            self._out.write(self._cleared())
            self._out.flush()

    def _cleared(self) -> str:
        """Return what takes the live lines away."""
        up = UP.format(self._drawn - 1) + BELOW if self._drawn > 1 else ""
        self._drawn = 1
        return CLEAR + up


def _columns() -> int:
    return shutil.get_terminal_size((WIDEST + 1, 24)).columns


def _rows() -> int:
    return shutil.get_terminal_size((WIDEST + 1, 24)).lines
