"""Writing that survives a crash: a reader sees the old file or the whole new one."""

import os
import tempfile
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
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from error


def append_line(path: Path, line: bytes) -> None:
    """Add one line to `path` and wait until it is on the disk.

    Raises:
        StoreError: the line cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            _sync_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from error


def link(target: str, path: Path) -> None:
    """Make `path` a symbolic link to `target`, replacing the link that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        os.replace(temporary, path)
    except OSError as error:
        raise _refused(path, error) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(path: Path, error: OSError) -> StoreError:
    said = (error.strerror or str(error)).lower()
    return StoreError(Problem(f"cannot be written: {said}", str(path), fix="free space or rights there, then again."))
