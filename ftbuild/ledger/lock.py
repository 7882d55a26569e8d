"""A lock of the kernel on a file: freed when its holder dies, never by time; a holder that stands still keeps it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ftbuild.store import durable


@contextmanager
def hold(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock; `waiting` is called once where somebody else has it.

    Raises:
        StoreError: the lock file cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path)
        try:
            held.acquire(blocking=False)
        except Timeout:
            waiting()
            held.acquire()
    except OSError as error:
        raise durable.refused(path, error) from error
    try:
        yield
    finally:
        held.release()


def is_held(path: Path) -> bool:
    """Return whether somebody holds the lock; makes no file."""
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # what cannot be opened is not known to be held
        return False
