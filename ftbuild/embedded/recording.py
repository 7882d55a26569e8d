"""What a rehearsal asked for: every request as one JSON line in requests.jsonl, to be looked at and checked.

Owns the form of a line and its bounds. Holds no token, and no bytes of uploaded files, only their size and digest.

    {"at", "method", "path", "query", "headers", "body", "status", "faults": those that struck it}

`status` is null where no answer was begun. A file that is full becomes requests.1.jsonl, in place of the one before.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftbuild import digest
from ftbuild.embedded.faults import STRUCK
from ftbuild.embedded.forms import read_form
from ftbuild.embedded.state import append_line

REQUESTS = "requests.jsonl"
FULL = 16 * 1024 * 1024  # bytes of the file
BODY_AT_MOST = 256 * 1024
SECRET = ("authorization", "api-key", "cookie")


class Recorder:
    """An ASGI application that writes down what another one is asked."""

    def __init__(self, app: Any, folder: Path, full: int = FULL) -> None:
        self._app, self._path, self._full = app, folder / REQUESTS, full

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on and write it down when it is answered."""
        body: list[bytes] = []
        status = None

        async def heard(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        async def read() -> Any:
            message = await receive()
            body.append(message.get("body", b""))
            return message

        at = datetime.now(UTC)
        try:
            await self._app(scope, read, heard)
        finally:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            line = {
                "at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
                "method": scope["method"],
                "path": scope["path"],
                "query": scope["query_string"].decode("latin-1"),
                "headers": {name: value for name, value in headers.items() if name not in SECRET},
                "body": _shown(headers, b"".join(body)),
                "status": status,
                "faults": scope.get(STRUCK, []),
            }
            if self._path.exists() and self._path.stat().st_size > self._full:
                self._path.replace(self._path.with_name("requests.1.jsonl"))
            append_line(self._path, line)


def _shown(headers: Mapping[str, str], body: bytes) -> Any:
    """Return a body as a line holds it: JSON as it is, a form by its fields, of all else, or too much, the size."""
    kind = headers.get("content-type", "")
    if (form := read_form(kind, body)) is not None:
        return {
            name: {"filename": field.filename, "bytes": len(field.content), "sha256": digest.of_bytes(field.content)}
            if field.filename
            else field.content.decode("utf-8", "replace")
            for name, field in form.items()
        }
    if not body:
        return None
    try:
        return json.loads(body) if len(body) <= BODY_AT_MOST else {"bytes": len(body)}
    except (ValueError, RecursionError):
        return {"bytes": len(body)}
