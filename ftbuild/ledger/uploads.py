"""Files sent once: what was sent to an account is remembered by its digest.

    ledger/files/<account>/<digest>.json   {"v":1,"at":...,"file_id":...}
    ledger/files/<account>/<digest>.lock   held by whoever sends it

A file of ours that the provider no longer has (deleted, expired) is sent again.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ftbuild.ledger.lock import hold
from ftbuild.ledger.port import JobProvider
from ftbuild.store import durable


@dataclass(frozen=True)
class Uploads:
    """What was sent to one account; `ledger` is the ledger's folder."""

    ledger: Path
    account: str

    def file_id(self, provider: JobProvider, path: Path, digest: str, name: str, now: float) -> str:
        """Return the id of the file with this digest at the provider, sending it where it is not there.

        Raises:
            ProviderError: it cannot be asked for, or is refused.
            StoreError: its id cannot be remembered.
        """
        place = self.ledger / "files" / self.account / f"{digest}.json"
        with hold(place.with_suffix(".lock")):
            known = _remembered(place)
            if known is not None and provider.has_file(known):
                return known
            sent = provider.upload(path, name)
            durable.write(place, json.dumps({"v": 1, "at": now, "file_id": sent}).encode() + b"\n")
            return sent


def _remembered(place: Path) -> str | None:
    """Return the id that was remembered; what cannot be read is not remembered: sending again costs nothing."""
    try:
        return str(json.loads(place.read_bytes())["file_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
