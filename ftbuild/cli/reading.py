"""Files that a user names, opened for reading: compressed or not, and in our words where that fails."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ftbuild.errors import ConfigError, DataError
from ftbuild.problem import Problem, nearest
from ftbuild.rows import GZIP


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file; what fails while it is read is told too.

    Raises:
        ConfigError: there is no such file.
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if not file.peek(len(GZIP)).startswith(GZIP):
                yield file
                return
            with closing(gzip.open(file)) as unpacked:
                yield cast("BinaryIO", unpacked)
    except FileNotFoundError:
        there = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, there)
        fix = f"the nearest is {path.parent / close}." if close else "check the path."
        raise ConfigError(Problem("no such file", str(path), fix=fix)) from None
    except (OSError, EOFError, zlib.error) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else "it is not whole"
        raise DataError(Problem(f"cannot be read: {said.lower()}", str(path))) from error
