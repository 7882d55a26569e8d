"""The files of a source: one, all that a pattern finds, or those of a saved dataset; and the digest that names them.

A single file is named by the digest of its bytes. Several are named by a digest of their names and digests, in the
order of their names: a file more, one less or one renamed is another source. Knows nothing of what is in them.
"""

import errno
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from ftbuild.digest import of_bytes, of_value
from ftbuild.stream import HELD_BYTES, Content, File, Kept

WILD = frozenset("*?[")
SCRATCH = ("cache-", "tmp")  # what the package `datasets` writes beside a saved dataset
Contents = Sequence[tuple[str, bytes | Kept]]


@dataclass(frozen=True)
class Place:
    """Where a source lies: its `path` seen from `base`; a `folder` stands for the files in it."""

    base: Path
    path: str
    folder: bool = False

    @property
    def is_one(self) -> bool:
        """Return whether it is a single file, there or not; a file may have * in its name."""
        return not self.folder and (not WILD.intersection(self.path) or (self.base / self.path).is_file())

    def files(self) -> list[tuple[str, Path]]:
        """Return the files in the order of their names; a name is as `path` would say it, with /.

        Raises:
            OSError: there are none, or the folder cannot be read; for a single file, never.
        """
        if self.is_one:
            return [(self.path, self.base / self.path)]
        if self.folder:
            inside = sorted(each.name for each in (self.base / self.path).iterdir() if _counts(each))
            names = [f"{self.path.rstrip('/')}/{name}" for name in inside]
        else:
            found = glob(self.path, root_dir=self.base, recursive=True)
            names = sorted({Path(name).as_posix() for name in found if (self.base / name).is_file()})
        if not names:
            raise FileNotFoundError(errno.ENOENT, "no files in it" if self.folder else "no file is called so")
        return [(name, self.base / name) for name in names]

    def digest(self, of_file: Callable[[Path], str]) -> str:
        """Return the digest that stands for the files.

        Raises:
            OSError: one of them cannot be read or is no regular file, or there are none.
        """
        files = self.files()
        for _, path in files:
            _check_regular(path)
        return of_file(files[0][1]) if self.is_one else _of_many([(name, of_file(path)) for name, path in files])

    def given(self) -> dict[str, Any]:
        """Return where the files lie, for those who read them."""
        path = str(self.base / self.path)
        if self.is_one:
            return {"path": path}
        try:
            return {"path": path, "files": [[name, str(file)] for name, file in self.files()]}
        except OSError:  # gone since they were planned with, which whoever reads them will find
            return {"path": path, "files": []}

    def to_json(self) -> list[Any]:
        """Return the JSON form."""
        return [str(self.base), self.path, self.folder]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> "Place":
        """Return the place that `to_json` wrote."""
        return cls(Path(value[0]), value[1], value[2])


def contents(given: Mapping[str, Any], path: str) -> Contents:
    """Return the files that `Place.given` told of, each with its name; `path` is the name of a single one.

    Raises:
        OSError: one of them cannot be read.
    """
    files = given.get("files", [[path, given["path"]]])
    return [(name, _content(Path(file), given.get("scratch"))) for name, file in files]


def _content(path: Path, scratch: str | None) -> bytes | Kept:
    return Kept(File(path), scratch) if path.stat().st_size > HELD_BYTES else path.read_bytes()


def digest(files: Contents, given: Mapping[str, Any]) -> str:
    """Return the digest that stands for what was read."""
    digests = [(name, of_bytes(each) if isinstance(each, bytes) else each.output().digest) for name, each in files]
    return _of_many(digests) if "files" in given else digests[0][1]


def kept(files: Contents, given: Mapping[str, Any]) -> dict[str, Content]:
    """Return the files as outputs of an action: `source`, or `source/NAME` for each of several."""
    outputs = {name: each if isinstance(each, bytes) else each.output().content() for name, each in files}
    return {f"source/{name}" if "files" in given else "source": content for name, content in outputs.items()}


def kept_names(outputs: Mapping[str, str], path: str) -> dict[str, str]:
    """Return the digests of the files among the outputs of an action, by name; `path` is the name of a single one."""
    names = {"source": path, **{name: name.removeprefix("source/") for name in outputs if name.startswith("source/")}}
    return {names[output]: digest for output, digest in outputs.items() if output in names}


def _of_many(files: Sequence[tuple[str, str]]) -> str:
    return of_value(["files.v1", [[name, digest] for name, digest in files]])


def _check_regular(path: Path) -> None:
    """Refuse what would never come to an end, or wait for one: a pipe, a device."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "is a pipe or a device, no regular file")


def _counts(path: Path) -> bool:
    return path.is_file() and not path.name.startswith((".", *SCRATCH))
