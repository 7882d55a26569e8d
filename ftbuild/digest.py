"""Names of bytes: canonical JSON (RFC 8785) and sha256.

The one module that hashes. A digest is 64 lower-case hex digits; `short` is for people only.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path


def canonical(value: object) -> bytes:
    """Return `value` as canonical JSON; members sorted, no spaces, UTF-8.

    Raises:
        ValueError: `value` holds something JSON cannot say (NaN, an int beyond 2**53, a lone surrogate).
    """
    import rfc8785

    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise ValueError(f"not canonical JSON: {error}") from error


def canonical_plain(value: object) -> bytes:
    """Return what `canonical` does, much quicker, for a value without fractions whose keys are ASCII.

    Raises:
        ValueError: a text holds a lone surrogate.
    """
    import orjson

    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"not canonical JSON: {error}") from error


def of_bytes(content: bytes) -> str:
    """Return the sha256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def raw(content: bytes) -> bytes:
    """Return the sha256 of `content` as 32 bytes: for comparing, no name of anything."""
    return hashlib.sha256(content).digest()


class Running:
    """The sha256 of bytes that are added a piece at a time."""

    def __init__(self) -> None:
        self._found = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        """Add some bytes."""
        self._found.update(piece)

    @property
    def digest(self) -> str:
        """Return the sha256 so far."""
        return self._found.hexdigest()


class Hashed(Running):
    """Bytes that pass by a piece at a time; `digest` is the sha256 of those that have."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.add(piece)
            yield piece


def of_value(value: object) -> str:
    """Return the sha256 of the canonical JSON of `value`."""
    return of_bytes(canonical(value))


def of_plain(value: object) -> str:
    """Return what `of_value` does, much quicker, for a value without fractions whose keys are ASCII."""
    return of_bytes(canonical_plain(value))


def of_file(path: Path) -> str:
    """Return the sha256 of the file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short(digest: str) -> str:
    """Return the twelve digits shown to people and used in folder names."""
    return digest[:12]
