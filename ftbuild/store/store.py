"""The store: bytes by digest, records by key.

    artifacts/ab/abcdef...     the bytes, read-only
    records/<key>.json         the manifest of one action: what it produced, from what, when, by what: the truth
    index.db                   what the manifests say, for speed
    damaged/                   what was found damaged and set aside

A record counts only while all the bytes it names are there and, as far as their stat tells, unchanged.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftbuild.digest import of_bytes, of_file
from ftbuild.errors import StoreError
from ftbuild.problem import Problem
from ftbuild.store import durable
from ftbuild.store.index import Index, Row, stat_of
from ftbuild.stream import File, Stream

TYPE = "ftbuild.record.v2"
READABLE = ("ftbuild.record.v1", TYPE)


@dataclass(frozen=True)
class Record:
    """What one action produced. `outputs` maps names to digests; `note` is its line for people."""

    key: str
    kind: str
    label: str
    outputs: Mapping[str, str]
    note: str
    started_at: float
    seconds: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Record":
        """Return the record in a manifest."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})


class DamagedError(StoreError):
    """Bytes of the store are gone or damaged; `digest` names them. Made anew by the action that made them."""

    def __init__(self, problem: Problem, digest: str) -> None:
        super().__init__(problem)
        self.digest = digest


class Store:
    """Artifacts and records under one folder, which is made on the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = Index(folder / "index.db")
        self._artifacts, self._records = str(folder / "artifacts"), str(folder / "records")
        self._rows: dict[str, Row] = {}
        self._digests: dict[str, tuple[str, str, int]] = {}
        self._spoilt: dict[str, str] = {}
        self._good: dict[str, str] = {}  # the stat of artifacts when they were found or made good, by digest

    def put(self, content: bytes) -> str:
        """Keep `content` and return its digest.

        Raises:
            StoreError: the store cannot be written.
        """
        digest = of_bytes(content)
        path = self.path(digest)
        if self.fault(digest, {}) is None:
            with suppress(OSError):
                os.utime(path)  # gc spares what was touched lately
        else:
            durable.write(path, content, mode=0o444)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes of `digest`.

        Raises:
            DamagedError: the bytes are gone or damaged.
        """
        path = self.path(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _damaged(digest, "is gone", path) from error
        if of_bytes(content) != digest:
            raise _damaged(digest, "is damaged", path)
        return content

    def put_stream(self, stream: Stream) -> str:
        """Keep what a stream holds and return its digest.

        Raises:
            StoreError: the store cannot be written.
        """
        return durable.write_named(stream, self.folder / "artifacts" / "00", self.path, mode=0o444)

    def stream(self, digest: str) -> Stream:
        """Return the bytes of `digest` as a stream; they are read first unless they are known to be good.

        Raises:
            DamagedError: the bytes are gone or damaged.
        """
        said = self.fault(digest, self._good)
        if said is not None:
            raise _damaged(digest, said, self.path(digest))
        return File(self.path(digest))

    def good(self, digests: Iterable[str]) -> dict[str, str]:
        """Return the stat of those artifacts that are known to be good, for whoever reads them elsewhere."""
        return {digest: self._good[digest] for digest in digests if digest in self._good}

    def trust(self, good: Mapping[str, str]) -> None:
        """Take what another process knows to be good."""
        self._good |= good

    def n_bytes(self, digest: str) -> int:
        """Return how many bytes `digest` has, 0 where they are gone."""
        with suppress(OSError):
            return self.path(digest).stat().st_size
        return 0

    def path(self, digest: str) -> Path:
        """Return where the bytes of `digest` are kept."""
        return self.folder / "artifacts" / digest[:2] / digest

    def record(self, record: Record, manifest: Mapping[str, Any]) -> None:
        """Keep a record; its bytes must be in the store. `manifest` is what else is worth knowing, preimage first.

        Raises:
            StoreError: the store cannot be written.
        """
        value = {"type": TYPE, **asdict(record), **manifest}
        durable.write(self.manifest_path(record.key), json.dumps(value, ensure_ascii=False, indent=1).encode())
        self._remember(record)

    def find(self, key: str) -> Record | None:
        """Return the record of `key` if it is there and its bytes are.

        Bytes whose stat the index does not know are read and compared with their digest.

        Raises:
            StoreError: the record cannot be read.
        """
        stat = stat_of(f"{self._records}/{key}.json")
        if stat is None:
            return None
        row = self.index.record(key)
        known = row.outputs if row is not None else {}
        if row is not None and row.stat == stat:
            record = Record.from_json(row.value)
            if all(stat_of(self._place(digest)) == known.get(digest) for digest in record.outputs.values()):
                self.trust(known)
                return record
        try:
            record = Record.from_json(self.manifest(key))
        except StoreError:
            if self.has(key):
                raise
            return None  # gc was quicker
        for name, digest in record.outputs.items():
            if said := self.fault(digest, known):
                self._spoilt[key] = f"{name} {said}"
                return None
        self._remember(record)
        return record

    def spoilt(self, key: str) -> str | None:
        """Return what `find` found wrong with the bytes of a record: "train.jsonl is gone", "... is damaged"."""
        return self._spoilt.get(key)

    def manifest(self, key: str) -> dict[str, Any]:
        """Return the manifest of a key.

        Raises:
            StoreError: it is not there or cannot be read.
        """
        path = self.manifest_path(key)
        try:
            value = json.loads(path.read_bytes())
            if value["type"] not in READABLE:
                raise ValueError(f"of type {value['type']!r}")
            Record.from_json(value)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                Problem("the record cannot be read", str(path), fix="delete it; its action runs again.")
            ) from error
        return value  # type: ignore[no-any-return]

    def manifests(self) -> Iterator[dict[str, Any]]:
        """Yield every readable manifest, by key; also those whose bytes are gone."""
        for key in self.keys():
            with suppress(StoreError):
                yield self.manifest(key)

    def has(self, key: str) -> bool:
        """Return whether there is a manifest of `key`."""
        return self.manifest_path(key).exists()

    def keys(self) -> list[str]:
        """Return the key of every manifest, in order."""
        with suppress(OSError):
            return sorted(name[:-5] for name in os.listdir(self._records) if name.endswith(".json"))
        return []

    def manifest_path(self, key: str) -> Path:
        """Return the file of a manifest."""
        return self.folder / "records" / f"{key}.json"

    def digest_of(self, path: Path) -> str:
        """Return the sha256 of a file outside the store, read again only if its stat has changed.

        Raises:
            OSError: the file cannot be read.
        """
        path = path.absolute()
        if (known := self.index.digest(path)) is not None:
            return known
        before, at = stat_of(path), time.time_ns()
        digest = of_file(path)
        if before is not None and stat_of(path) == before:
            self._digests[str(path)] = (before, digest, at)
        return digest

    def set_aside(self, digest: str) -> None:
        """Move damaged bytes out of the way, so that their record counts no more."""
        with suppress(OSError):
            (self.folder / "damaged").mkdir(exist_ok=True)
            os.replace(self.path(digest), self.folder / "damaged" / digest)

    def touch(self, record: Record) -> None:
        """Mark a record and its bytes as in use, for gc."""
        with suppress(OSError):
            os.utime(self.manifest_path(record.key))
            for digest in record.outputs.values():
                os.utime(self.path(digest))
        self._remember(record)

    def flush(self) -> None:
        """Write what was learnt to the index."""
        if self._rows or self._digests:
            self.index.write(self._rows, self._digests)
            self._rows, self._digests = {}, {}

    def _remember(self, record: Record) -> None:
        stat = stat_of(self.manifest_path(record.key))
        outputs = {digest: stat_of(self._place(digest)) for digest in record.outputs.values()}
        if stat is not None and None not in outputs.values():
            self._rows[record.key] = Row(asdict(record), stat, outputs)  # type: ignore[arg-type]
            self.trust(self._rows[record.key].outputs)

    def fault(self, digest: str, known: Mapping[str, str]) -> str | None:
        """Return what is wrong with an artifact ("is gone", "is damaged"), None when nothing is.

        `known` holds the stat of artifacts that were good, by digest; all others are read.
        """
        place = self._place(digest)
        stat = stat_of(place)
        if stat is None:
            return "is gone"
        try:
            whole = stat == known.get(digest) or of_file(Path(place)) == digest
        except OSError:
            return "cannot be read"
        return None if whole else "is damaged"

    def _place(self, digest: str) -> str:
        return f"{self._artifacts}/{digest[:2]}/{digest}"


def _damaged(digest: str, said: str, path: Path) -> DamagedError:
    return DamagedError(Problem(f"artifact {digest[:12]} {said}", str(path), fix="run the build again."), digest)
