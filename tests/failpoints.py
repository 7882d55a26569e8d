"""Failpoints: make the n-th effect of a piece of work fail, or be the last one, in a child process.

An effect is what the disk or SQLite is asked to change: every call of `os` that writes, names, unnames, stamps or
syncs, every file made, and every connection, script and commit of SQLite. Three faults:

    broken   the n-th effect fails with EIO; a write fails half-way
    full     from the n-th effect that needs room on, each such effect fails with ENOSPC; a write fails half-way
    killed   the process is gone at the n-th; a write stops half-way

The methodology is SQLite's ("How SQLite Is Tested", section 3): n = 1, 2, 3 ... until n is not reached.
"""

import errno
import os
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from filelock import FileLock, ReadWriteLock  # noqa: F401 - imported late by the store: here, so that no child has to

Fault = Literal["broken", "full", "killed"]
KILLED, BUG = 137, 70
NEEDS_ROOM = ("write", "fsync", "open", "mkdir", "symlink", "link", "replace", "rename", "sqlite")
EFFECTS = ("write", "fsync", "replace", "rename", "link", "symlink", "unlink", "mkdir", "ftruncate", "utime", "chmod")


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, the effect that was struck (empty: none was), and what was raised."""

    code: int
    struck: str
    raised: str


class Points:
    """Counts effects, and strikes at the n-th."""

    def __init__(self, n: int, fault: Fault, tell: Callable[[str], None]) -> None:
        self._left, self._fault, self._tell = n, fault, tell
        self._counting = threading.Lock()

    def strikes(self, name: str, about: str) -> bool:
        """Count one effect and say whether it must fail; a process that is to be killed does not come back."""
        if self._fault == "full" and name not in NEEDS_ROOM:
            return False
        with self._counting:
            self._left -= 1
            if self._left == 0:
                self._tell(f"{name} {about}")
        return self._left == 0 or (self._fault == "full" and self._left < 0)

    def error(self) -> OSError:
        number = errno.ENOSPC if self._fault == "full" else errno.EIO
        return OSError(number, os.strerror(number))

    def end(self) -> None:
        """Be gone, where that is the fault."""
        if self._fault == "killed":
            os._exit(KILLED)


def install(points: Points) -> None:
    """Put the points into `os` and `sqlite3` of this process, for good."""
    for name in EFFECTS:
        setattr(os, name, _counted(name, getattr(os, name), points))
    os.open = _opening(os.open, points)  # type: ignore[assignment]
    sqlite3.connect = _connecting(sqlite3.connect, points)  # type: ignore[assignment]


def run(work: Callable[[], int], n: int, fault: Fault) -> Ended:
    """Do `work` in a child in which the n-th effect is struck (0: none is); its result is the exit code."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        _be_child(work, n, fault, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        struck, _, raised = told.read().partition("\n")
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), struck, raised)


def _be_child(work: Callable[[], int], n: int, fault: Fault, writing: int) -> None:
    code, write = BUG, os.write
    told = [False]

    def tell(text: str) -> None:
        if not told[0]:
            told[0] = True
            write(writing, f"{text}\n".encode())

    try:
        if n:
            install(Points(n, fault, tell))
        code = work()
    except BaseException:
        tell("")
        write(writing, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _counted(name: str, real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    def effect(*arguments: Any, **options: Any) -> Any:
        if points.strikes(name, " ".join(map(str, arguments[: 1 if name == "write" else 2]))):
            if name == "write":
                real(arguments[0], arguments[1][: len(arguments[1]) // 2])
            points.end()
            raise points.error()
        return real(*arguments, **options)

    return effect


def _opening(real: Callable[..., int], points: Points) -> Callable[..., int]:
    def effect(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_CREAT and points.strikes("open", str(path)):
            points.end()
            raise points.error()
        return real(path, flags, *arguments, **options)

    return effect


def _connecting(real: Callable[..., sqlite3.Connection], points: Points) -> Callable[..., sqlite3.Connection]:
    def strike(about: str) -> None:
        if points.strikes("sqlite", about):
            points.end()
            is_full = points.error().errno == errno.ENOSPC
            error = sqlite3.OperationalError("database or disk is full" if is_full else "disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL if is_full else sqlite3.SQLITE_IOERR
            raise error

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        class Counted(options.pop("factory", sqlite3.Connection)):  # type: ignore[misc]
            def commit(self) -> None:
                strike("commit")
                super().commit()

            def executescript(self, script: str, /) -> sqlite3.Cursor:
                strike(f"script {script[:40]!r}")
                return super().executescript(script)  # type: ignore[no-any-return]

            def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
                if kind is None:
                    try:
                        strike("commit")
                    except sqlite3.Error:
                        super().rollback()
                        raise
                return super().__exit__(kind, error, trace)

        strike("connect")
        return real(*arguments, factory=Counted, **options)

    return connect
