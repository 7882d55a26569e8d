"""Compressed files: which they are, told by their first bytes, and what is in them. Knows gzip and Zstandard.

Source: RFC 1952 (1996), RFC 8878 (2021). Python has Zstandard of its own from 3.14 on; before that, its backport.
"""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, BinaryIO, Literal, cast

Form = Literal["gzip", "zstd"]
MARKS: tuple[tuple[bytes, Form], ...] = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
MARK_BYTES = max(len(mark) for mark, _ in MARKS)
ENDINGS = (".gz", ".zst")
AGAIN = "copy the file again, whole."


class TornError(ValueError):
    """Compressed bytes that cannot be unpacked, since they are not whole; `form` is what they begin as."""

    def __init__(self, form: Form) -> None:
        super().__init__("it is not whole")
        self.form = form


def form(first: bytes) -> Form | None:
    """Return how a file is compressed, judged by its first bytes; None for one that is not."""
    return next((name for mark, name in MARKS if first.startswith(mark)), None)


def unpacked(content: bytes) -> bytes:
    """Return what is in a file; one that is not compressed as it is.

    Raises:
        TornError: it cannot be unpacked.
    """
    found = form(content)
    if found is None:
        return content
    with _told(found):
        return cast("bytes", _module(found).decompress(content))


@contextmanager
def opened(file: BinaryIO, found: Form) -> Iterator[BinaryIO]:
    """Open a compressed file for reading what is in it.

    Raises:
        TornError: it cannot be unpacked, as soon as that is read.
    """
    with _told(found), closing(_module(found).open(file)) as inner:
        yield cast("BinaryIO", inner)


def plain_name(name: str) -> str:
    """Return the name of a file without the ending that says how it is compressed."""
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


@contextmanager
def _told(found: Form) -> Iterator[None]:
    torn = (EOFError, zlib.error, gzip.BadGzipFile) if found == "gzip" else (EOFError, _module(found).ZstdError)
    try:
        yield
    except torn:
        raise TornError(found) from None


def _module(found: Form) -> Any:
    if found == "gzip":
        return gzip
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
