"""A job on a machine that does not see its server's disk: the trainer of always, in a folder of the user's cache.

Owns what lies there: files by their digests, kept for the next job, and a folder for each job that is trained, which
goes with it. Asked through Ray, but knows nothing of it.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from ftbuild.cache import cache_folder
from ftbuild.digest import of_file
from ftbuild.embedded.duty import ask_to_pause, sent
from ftbuild.embedded.parcels import ChangedError, Changes, News, Parcel, unpacked
from ftbuild.embedded.state import new_id

KEPT_SECONDS = 14 * 24 * 3600.0  # what no job has needed for so long goes


class Guest:
    """A job that is trained here with so many threads."""

    def __init__(self, n_threads: int) -> None:
        """Make room for it, in place of those who left none behind but their folders."""
        cache = cache_folder(os.environ) / "guests"
        self._kept, self._n_threads = cache / "files", n_threads
        self._kept.mkdir(parents=True, exist_ok=True)
        _clear(cache)
        self._folder = cache / new_id("guest-")
        self._lock = FileLock(self._folder.with_suffix(".lock"))
        self._lock.acquire()
        self._folder.mkdir()

    def lacks(self, digests: Iterable[str]) -> list[str]:
        """Return the digests of the files that are not here."""
        found = []
        for digest in dict.fromkeys(digests):
            if (path := self._kept / digest).exists():
                path.touch()
            else:
                found.append(digest)
        return found

    def take(self, digest: str, piece: bytes, last: bool) -> None:
        """Keep a file that comes in pieces.

        Raises:
            ChangedError: it is not that of the digest.
        """
        coming = self._folder / digest
        with coming.open("ab") as file:
            file.write(piece)
        if last:
            if of_file(coming) != digest:
                coming.unlink()
                raise ChangedError("bytes changed on their way to the machine that trains")
            coming.replace(self._kept / digest)

    def begin(self, parcel: Parcel) -> None:
        """Begin to train, or go on where the parcel says; all of its files are here."""
        state, job_id = unpacked(parcel, self._kept, self._folder / "state"), parcel.job["id"]
        self._changes = Changes(state, job_id)
        self._log = self._folder / "trainer.log"
        self._trainer = sent(state, job_id, self._n_threads, self._log, (), {})

    def pause(self) -> None:
        """Ask the trainer to stand still; the news will say when it does."""
        ask_to_pause(self._trainer)

    def news(self, seconds: float) -> News:
        """Return what has changed since the last time, once the trainer has ended or so many seconds are over."""
        try:
            code = self._trainer.wait(seconds)
        except subprocess.TimeoutExpired:
            return self._changes.since()
        said = self._log.read_text(encoding="utf-8", errors="replace")
        return replace(self._changes.since(), code=code, said=said)

    def leave(self) -> None:
        """Leave nothing behind but the files that other jobs may need."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()


def _clear(cache: Path) -> None:
    """Remove the folders of those who are dead, and files that nobody has needed for long."""
    for path in cache.glob("guest-*.lock"):
        try:
            with FileLock(path, timeout=0):
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
        except Timeout:
            continue  # it lives
        path.unlink(missing_ok=True)
    for path in (cache / "files").iterdir():
        if path.stat().st_mtime < time.time() - KEPT_SECONDS:
            path.unlink(missing_ok=True)
