"""The store: bytes by digest, records by key.

    artifacts/ab/abcdef...     the bytes, read-only
    records/<key>.json         what an action produced, with the pre-image of its key: the truth

A record counts only while all the bytes it names are there.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftbuild.digest import of_bytes
from ftbuild.errors import StoreError
from ftbuild.problem import Problem
from ftbuild.store import durable


@dataclass(frozen=True)
class Record:
    """What one action produced. `outputs` maps names to digests; `note` is its line for people."""

    key: str
    kind: str
    label: str
    preimage: Mapping[str, Any]
    outputs: Mapping[str, str]
    note: str
    started_at: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, with its type and version first."""
        return {"type": "ftbuild.record.v1", **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Record":
        """Return the record that `to_json` wrote."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})


class Store:
    """Artifacts and records under one folder, which is made on the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes) -> str:
        """Keep `content` and return its digest.

        Raises:
            StoreError: the store cannot be written.
        """
        digest = of_bytes(content)
        path = self.path(digest)
        if not path.exists():
            durable.write(path, content, mode=0o444)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes of `digest`.

        Raises:
            StoreError: the bytes are gone or damaged.
        """
        path = self.path(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            what = f"artifact {digest[:12]} is gone"
            raise StoreError(Problem(what, str(path), fix="run the build again.")) from error
        if of_bytes(content) != digest:
            raise StoreError(
                Problem(f"artifact {digest[:12]} is damaged", str(path), fix="delete the file and run the build again.")
            )
        return content

    def path(self, digest: str) -> Path:
        """Return where the bytes of `digest` are kept."""
        return self.folder / "artifacts" / digest[:2] / digest

    def record(self, record: Record) -> None:
        """Keep a record; its bytes must be in the store."""
        content = json.dumps(record.to_json(), ensure_ascii=False, indent=1).encode()
        durable.write(self._record_path(record.key), content)

    def find(self, key: str) -> Record | None:
        """Return the record of `key` if it is there and none of its bytes is missing.

        Raises:
            StoreError: the record cannot be read.
        """
        try:
            record = self._read(self._record_path(key))
        except FileNotFoundError:
            return None
        return record if all(self.path(digest).exists() for digest in record.outputs.values()) else None

    def records(self) -> list[Record]:
        """Return every readable record, by key; also those whose bytes are gone."""
        found = []
        for path in sorted((self.folder / "records").glob("*.json")):
            with suppress(StoreError):
                found.append(self._read(path))
        return found

    def _read(self, path: Path) -> Record:
        try:
            return Record.from_json(json.loads(path.read_bytes()))
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                Problem("the record cannot be read", str(path), fix="delete it; its action runs again.")
            ) from error

    def _record_path(self, key: str) -> Path:
        return self.folder / "records" / f"{key}.json"
