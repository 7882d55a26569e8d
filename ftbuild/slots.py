"""Values handed to another process and back through a file in memory: a copy on each side, where a pipe makes many.

What a value is made of does not matter; long bytes in it are copied once and not looked at. A file never shrinks:
what is left of a longer value behind a shorter one is not read, and its memory is written to again, which is quicker
than to get some from the system each time.
"""

import os
import pickle
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

IN_MEMORY = hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()  # else they lie in the folder for such files


class Slots(ExitStack):
    """Files for one value at a time, as many as there are values under way at once; closed, they are gone."""

    def __init__(self) -> None:
        super().__init__()
        self._free: list[tuple[IO[bytes], str]] = []

    def submit(self, pool: Executor, work: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
        """Have a process of a pool work on a value; return what waits for the result, to be called once."""
        file, path = self._free.pop() if self._free else self._opened()
        _put(file, value)
        done = pool.submit(_worked, work, path)

        def result() -> Any:
            done.result()
            made = _take(file)
            self._free.append((file, path))
            return made

        return result

    def _opened(self) -> tuple[IO[bytes], str]:
        """Return a new file and the path by which another process opens it."""
        if not IN_MEMORY:
            named = tempfile.NamedTemporaryFile()  # noqa: SIM115 : closed with all others
            return self.enter_context(named).file, named.name
        file = self.enter_context(os.fdopen(os.memfd_create("ftbuild"), "w+b"))
        return file, f"/proc/{os.getpid()}/fd/{file.fileno()}"


def _worked(work: Callable[[Any], Any], path: str) -> None:
    """Put what a function makes of the value in a slot in its place."""
    with open(path, "r+b") as file:
        _put(file, work(_take(file)))


def _put(file: IO[bytes], value: Any) -> None:
    file.seek(0)
    pickle.dump(value, file, pickle.HIGHEST_PROTOCOL)
    file.flush()


def _take(file: IO[bytes]) -> Any:
    file.seek(0)
    return pickle.load(file)
