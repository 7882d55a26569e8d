"""Files that a user names, opened for reading: compressed or not, and in our words where that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ftbuild import packed
from ftbuild.errors import ConfigError, DataError
from ftbuild.problem import Problem, nearest


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file; what fails while it is read is told too.

    Raises:
        ConfigError: there is no such file.
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            form = packed.form(file.peek(packed.MARK_BYTES))
            if form is None:
                yield file
                return
            with packed.opened(file, form) as unpacked:
                yield unpacked
    except FileNotFoundError:
        there = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, there)
        fix = f"the nearest is {path.parent / close}." if close else "check the path."
        raise ConfigError(Problem("no such file", str(path), fix=fix)) from None
    except (OSError, packed.TornError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else "it is not whole"
        fix = packed.AGAIN if isinstance(error, packed.TornError) else ""
        raise DataError(Problem(f"cannot be read: {said.lower()}", str(path), fix=fix)) from error
