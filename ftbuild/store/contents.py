"""What lies in the folders of a store, as `verify` and `gc` see it: names, sizes and times, no bytes.

A name is 64 hex digits: the digest of an artifact, or a key.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"[0-9a-f]{64}")
ANYWHERE = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
LEFTOVER = ".tmp-"


@dataclass(frozen=True)
class Entry:
    """One file. `touched_at` is its time of the last change, in seconds since 1970."""

    path: Path
    n_bytes: int
    touched_at: float

    @property
    def is_leftover(self) -> bool:
        """Return whether a write that was cut short left it behind."""
        return self.path.name.startswith(LEFTOVER)


def files(folder: Path) -> list[Entry]:
    """Return the files right in a folder, by name; none where there is no folder."""
    found = []
    with suppress(OSError):
        for each in os.scandir(folder):
            with suppress(FileNotFoundError):
                if each.is_file(follow_symlinks=False):
                    stat = each.stat(follow_symlinks=False)
                    found.append(Entry(Path(each.path), stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda entry: entry.path.name)


def files_below(folder: Path) -> Iterator[Entry]:
    """Yield the files in the folders right in a folder: artifacts/ab/..., ledger/<key>/..."""
    with suppress(OSError):
        for each in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if each.is_dir(follow_symlinks=False):
                yield from files(Path(each.path))


def leftovers(folder: Path) -> list[Entry]:
    """Return what writes that were cut short left in a store."""
    ledger = folder / "ledger"
    everywhere = (*files(folder / "records"), *files_below(folder / "artifacts"), *files(ledger), *files_below(ledger))
    return [entry for entry in everywhere if entry.is_leftover]


def paid_keys(folder: Path) -> frozenset[str]:
    """Return the keys that a store's ledger knows: those with a journal, or with a second copy."""
    with suppress(OSError):
        found = {name.partition(".")[0] for name in os.listdir(folder / "ledger")}
        return frozenset(name for name in found if is_name(name))
    return frozenset()


def is_name(text: str) -> bool:
    """Return whether `text` may be a digest or a key."""
    return NAME.fullmatch(text) is not None


def names_in(path: Path) -> frozenset[str]:
    """Return everything in a file that may be a digest or a key; nothing of a file that cannot be read."""
    try:
        return names(path.read_bytes())
    except OSError:
        return frozenset()


def names(content: bytes) -> frozenset[str]:
    """Return everything in `content` that may be a digest or a key."""
    return frozenset(found.decode() for found in ANYWHERE.findall(content))
