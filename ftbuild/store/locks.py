"""Who works on what: locks of the kernel through filelock, freed when their holder dies, never by time.

locks/<key>.lock     held while one action runs: whoever else wants the same action waits and takes the result
locks/use.lock       shared while results are written or taken, exclusive while gc deletes
live/<uuid>.lock     held as long as a build lives: gc spares what was touched since the oldest began
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ftbuild.errors import StoreError
from ftbuild.store.durable import refused

if TYPE_CHECKING:
    from filelock import BaseFileLock


class KeyLock:
    """The lock of one action."""

    def __init__(self, folder: Path, key: str) -> None:
        self._path = folder / "locks" / f"{key}.lock"
        self._held: BaseFileLock | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody holds it; say whether it is ours.

        Raises:
            StoreError: the lock file cannot be written.
        """
        self._held = _taken(self._path)
        return self._held is not None

    def release(self) -> None:
        """Let the lock go."""
        if self._held is not None:
            self._held.release()
            self._held = None


def running(folder: Path, key: str) -> bool:
    """Return whether a process runs the action with this key right now; makes no file."""
    path = folder / "locks" / f"{key}.lock"
    return path.exists() and _is_held(path)


class Session:
    """A build's life on a store, for gc to see."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "live" / f"{uuid.uuid4().hex}.lock"
        self._held: BaseFileLock | None = None

    def __enter__(self) -> "Session":
        self._held = _taken(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._held.release()


def live_since(folder: Path) -> float | None:
    """Return when the oldest living build began (seconds since 1970), None when none lives; the dead are cleared."""
    began = []
    for path in (folder / "live").glob("*.lock"):
        with suppress(OSError):
            since = path.stat().st_mtime
            if _is_held(path):
                began.append(since)
            else:
                path.unlink(missing_ok=True)
    return min(began, default=None)


@contextmanager
def using(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Hold the store while results are written or taken; `alone` while they are deleted. Waits for the others.

    Raises:
        StoreError: the lock file cannot be written.
    """
    import sqlite3

    from filelock import ReadWriteLock

    path = folder / "locks" / "use.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = ReadWriteLock(path, is_singleton=False)
        held = lock.write_lock() if alone else lock.read_lock()
        held.__enter__()
    except OSError as error:
        raise refused(path, error) from error
    except sqlite3.Error as error:
        raise refused(path, OSError(0, str(error))) from error
    try:
        yield
    finally:
        held.__exit__(None, None, None)
        lock.close()


def _taken(path: Path) -> "BaseFileLock | None":
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, thread_local=False)
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        raise refused(path, error) from error
    return lock


def _is_held(path: Path) -> bool:
    try:
        found = _taken(path)
    except StoreError:  # what cannot be opened is not known to be held
        return False
    if found is None:
        return True
    found.release()
    return False
