"""Writing that survives a crash: a reader sees the old file or the whole new one.

Every effect on the disk goes through `os`, one call each, so that a test can make the n-th one fail.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from ftbuild.errors import StoreError
from ftbuild.problem import Problem


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put `content` at `path`: temporary file beside it, fsync, rename, fsync of the folder.

    Raises:
        StoreError: the file cannot be written (read-only, full, not a folder).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
        try:
            try:
                _write_all(handle, content)
                os.fsync(handle)
            finally:
                os.close(handle)
            os.chmod(name, mode)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise refused(path, error) from error


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
            if not new and (torn := _torn(path)):
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


def _torn(path: Path) -> int:
    """Return how many bytes follow the last line end."""
    content = path.read_bytes()
    return len(content) - (content.rfind(b"\n") + 1)


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
