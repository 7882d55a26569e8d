"""Writing that survives a crash: a reader sees the old file or the whole new one.

Every effect on the disk goes through `os`, one call each, so that a test can make the n-th one fail.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from ftbuild.digest import Hashed
from ftbuild.errors import StoreError
from ftbuild.problem import Problem
from ftbuild.store.contents import LEFTOVER
from ftbuild.stream import Content, Output, Spool, Stream, pieces

TAIL_BYTES = 1 << 16


def write(path: Path, content: Content, mode: int = 0o644) -> None:
    """Put `content` at `path`: temporary file beside it, fsync, rename, fsync of the folder.

    Raises:
        StoreError: the file cannot be written (read-only, full, not a folder).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path.parent, content, mode) as name:
            os.replace(name, path)
        sync_folder(path.parent)
    except OSError as error:
        raise refused(path, error) from error


def write_named(content: Stream, folder: Path, place: Callable[[str], Path], mode: int = 0o644) -> str:
    """Put `content` at the place of its digest as `write` does, by way of `folder`, and return the digest.

    Raises:
        StoreError: the file cannot be written.
    """
    hashed = content if isinstance(content, Output) else Hashed(content.pieces())
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _temporary(folder, hashed, mode) as name:
            path = place(hashed.digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(name, path)
        sync_folder(path.parent)
    except OSError as error:
        raise refused(path, error) from error
    return hashed.digest


@contextmanager
def _temporary(folder: Path, content: Content | Hashed, mode: int) -> Iterator[str]:
    """Yield the name of a new file that holds `content` on the disk; it must be moved, else it is taken away."""
    name = _named(folder, content) if isinstance(content, Spool) else None
    try:
        if name is None:
            handle, name = tempfile.mkstemp(dir=folder, prefix=LEFTOVER)
            try:
                for piece in content if isinstance(content, Hashed) else pieces(content):
                    _write_all(handle, piece)
                os.fsync(handle)
            finally:
                os.close(handle)
        os.chmod(name, mode)
        yield name
    except BaseException:
        if name is not None:
            with suppress(OSError):
                os.unlink(name)
        raise


def _named(folder: Path, spool: Spool) -> str | None:
    """Give the file of a spool a name in a folder and return it; None where its bytes have to be copied there."""
    handle = spool.handle()
    if handle is None:
        return None
    name = str(folder / f"{LEFTOVER}{uuid4().hex}")
    try:
        os.fsync(handle)
        os.link(f"/proc/self/fd/{handle}", name, src_dir_fd=handle)  # any src_dir_fd has the link followed
    except (OSError, NotImplementedError):
        return None
    return name


def append_line(path: Path, line: bytes) -> None:
    """Add one line to `path` and wait until it is on the disk.

    A last line without its line end never took effect: it is taken off first, so that the new
    line is not glued to it. The lines before are never touched.

    Raises:
        StoreError: the line cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if not new and (torn := _torn(handle)):
                os.ftruncate(handle, os.fstat(handle).st_size - torn)
            _write_all(handle, line + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            sync_folder(path.parent)
    except OSError as error:
        raise refused(path, error) from error


def claim(path: Path) -> bool:
    """Make the folder `path` and say True; say False when it is there already.

    Raises:
        StoreError: the folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            path.mkdir()
            return True
    except OSError as error:
        raise refused(path, error) from error
    return False


def link(target: str, path: Path) -> None:
    """Make `path` a symbolic link to `target`, replacing the link that is there.

    Raises:
        StoreError: the link cannot be made.
    """
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        os.symlink(target, temporary)
        try:
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise refused(path, error) from error


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _torn(handle: int) -> int:
    """Return how many bytes follow the last line end; no more of the file is read than it takes to find it."""
    size = at = os.fstat(handle).st_size
    while at:
        start = max(0, at - TAIL_BYTES)
        if (end := os.pread(handle, at - start, start).rfind(b"\n")) >= 0:
            return size - (start + end + 1)
        at = start
    return size


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refused(path: Path, error: OSError) -> StoreError:
    """Return the error that says why `path` cannot be written."""
    said = (error.strerror or str(error)).lower()
    return StoreError(Problem(f"cannot be written: {said}", str(path), fix="free space or rights there, then again."))
