"""Bytes that need not fit into memory: an output written as it is made, an input read as it is needed.

A stream can be gone over any number of times. What it holds on disk has no name there, so that nothing is
left behind however a process ends.
"""

import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from ftbuild.digest import Running
from ftbuild.errors import StoreError
from ftbuild.problem import Problem

if TYPE_CHECKING:
    import numpy.typing as npt

PIECE_BYTES = 1 << 20  # fits a cache while it is worked on
HELD_BYTES = 16 << 20
SHORT_BYTES = 1 << 16  # what is no longer is gathered before it is written to a file
FEW = 1024  # lines that are gathered at once: the memory of more is given back to the system and got anew each time


class Stream(Protocol):
    """Bytes in order, a piece at a time."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes from their beginning."""
        ...


Content = bytes | Stream


def pieces(content: Content) -> Iterator[bytes]:
    """Yield the bytes of a content, a piece at a time."""
    return iter((content,)) if isinstance(content, bytes) else content.pieces()


def whole(content: Content) -> bytes:
    """Return all the bytes of a content."""
    return content if isinstance(content, bytes) else b"".join(content.pieces())


def lines(content: Content) -> Iterator[bytes]:
    """Yield the bytes again in pieces that end where a line does; the last ends where they end."""
    rest = b""
    for piece in pieces(content):
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
    if rest:
        yield rest


def parts(content: Content) -> "Iterator[bytes | Part]":
    """Yield what `lines` does, cut elsewhere; of a file only where the bytes lie, for whoever reads them."""
    if not isinstance(content, File):
        yield from lines(content)
        return
    with content.path.open("rb") as file:
        end, size = 0, os.fstat(file.fileno()).st_size
        while end < size:
            at = end
            file.seek(min(at + PIECE_BYTES, size) - 1)
            file.readline()
            end = file.tell()
            yield Part(content.path, at, end - at)


@dataclass(frozen=True)
class Part:
    """Some bytes of a file, from `at` on."""

    path: Path
    at: int
    n_bytes: int

    def __len__(self) -> int:
        return self.n_bytes

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes at once."""
        with self.path.open("rb") as file:
            file.seek(self.at)
            yield file.read(self.n_bytes)


class File:
    """The bytes of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes from their beginning."""
        with self.path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece


class Spool:
    """Bytes that are added one after the other: held in memory while they are few, else in a file without a name.

    The file lies in `folder`.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self._held = bytearray()
        self._file: BinaryIO | None = None
        self.n_bytes = 0

    def add(self, content: bytes) -> None:
        """Add some bytes.

        Raises:
            StoreError: the disk is full.
        """
        self.n_bytes += len(content)
        if self._file is not None and len(content) > SHORT_BYTES:
            self._put_down(content)
        else:
            self._held += content
            if len(self._held) > HELD_BYTES:
                self._put_down()

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes from their beginning."""
        for at in range(0, self.n_bytes, PIECE_BYTES):
            yield self.read([(at, PIECE_BYTES)])

    def read(self, places: Iterable[tuple[int, int]]) -> bytes:
        """Return the bytes at some places, each an offset and a length, one after the other."""
        return b"".join(self.each(places))

    def each(self, places: Iterable[tuple[int, int]]) -> list[bytes]:
        """Return the bytes at each of some places."""
        if self._file is None:
            return [bytes(self._held[at : at + length]) for at, length in places]
        self._put_down()
        handle = self._file.fileno()
        return [os.pread(handle, length, at) for at, length in places]

    def content(self) -> Content:
        """Return what was added: as bytes while it is held in memory."""
        return bytes(self._held) if self._file is None else self

    def handle(self) -> int | None:
        """Return the handle of a file without a name that holds all that was added, None while it is in memory."""
        if self._file is None:
            return None
        self._put_down()
        return self._file.fileno()

    @property
    def is_held(self) -> bool:
        """Return whether it is in memory."""
        return self._file is None

    def _put_down(self, more: bytes = b"") -> None:
        """Write what is held to the file, and some bytes after it."""
        try:
            if self._file is None:
                self._file = _nameless(self._folder or tempfile.gettempdir())
                weakref.finalize(self, self._file.close)
            for each in (self._held, more):
                rest = memoryview(each)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            said = (error.strerror or str(error)).lower()
            fix = "free space or rights there, then again."
            raise StoreError(Problem(f"cannot be written: {said}", where, fix=fix)) from error
        self._held = bytearray()


class Output(Spool):
    """A spool whose bytes are hashed as they pass."""

    def __init__(self, folder: str | None = None) -> None:
        super().__init__(folder)
        self._hashed = Running()

    def add(self, content: bytes) -> None:
        """Add some bytes.

        Raises:
            StoreError: the disk is full.
        """
        self._hashed.add(content)
        super().add(content)

    @property
    def digest(self) -> str:
        """Return the sha256 of what was added."""
        return self._hashed.digest


class Kept:
    """The bytes of a stream, read from it once: they are kept as they pass, and read again from there."""

    def __init__(self, stream: Stream, folder: str | None = None) -> None:
        self._left = stream.pieces()
        self._output = Output(folder)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes from their beginning."""
        at = 0
        while piece := self._output.read([(at, PIECE_BYTES)]) if at < self._output.n_bytes else self._next():
            yield piece
            at += len(piece)

    def output(self) -> Output:
        """Return what was kept, once all has passed."""
        while self._next():
            pass
        return self._output

    def _next(self) -> bytes:
        piece = next(self._left, b"")
        self._output.add(piece)
        return piece


def _nameless(folder: str) -> BinaryIO:
    """Return a new file without a name, one that can be given one where the system has such files."""
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):
            return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), "w+b", buffering=0)
    return tempfile.TemporaryFile(dir=folder, buffering=0)


class Gathered:
    """Parts of a spool in an order of their own: `offsets` and `lengths`, whole numbers, say where each lies."""

    def __init__(self, spool: Spool, offsets: "npt.NDArray[Any]", lengths: "npt.NDArray[Any]") -> None:
        self._spool, self._offsets, self._lengths = spool, offsets, lengths

    def pieces(self) -> Iterator[bytes]:
        """Yield the parts, some at a time."""
        for at in range(0, len(self._offsets), FEW):
            offsets, lengths = self._offsets[at : at + FEW].tolist(), self._lengths[at : at + FEW].tolist()
            yield self._spool.read(zip(offsets, lengths, strict=True))

    def content(self) -> Content:
        """Return the parts: as bytes where their spool is held in memory."""
        return whole(self) if self._spool.is_held else self
