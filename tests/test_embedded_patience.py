"""The routes with those who send nothing more, or wait no longer."""

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from ftbuild.embedded.routes import Service, application
from ftbuild.embedded.state import State
from ftbuild.embedded.weights import Base


async def told(service: Service, path: str, *pieces: Sequence[Any]) -> tuple[int, Any]:
    """Return status and body of the answer to a POST whose pieces come as they are; after them nothing does."""
    coming = iter(pieces)
    said: list[Any] = []

    async def receive() -> Any:
        for piece in coming:
            return piece
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    await asyncio.wait_for(application(service)(scope, receive, send), 60)
    return said[0]["status"], json.loads(b"".join(message.get("body", b"") for message in said))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/fine_tuning/jobs", "/v1/files"])
def test_a_body_that_stops_coming_is_told_so(tmp_path: Path, path: str) -> None:
    service = Service(State(tmp_path), None, None, patience_seconds=0.01)  # type: ignore[arg-type]
    begun = {"type": "http.request", "body": b'{"model', "more_body": True}
    status, body = asyncio.run(told(service, path, begun))
    assert status == 408
    assert body["error"]["message"] == "Request timed out: nothing came of the body for 0.01 seconds."


class Never:
    """An answerer whose answers never come."""

    def __init__(self) -> None:
        self.asked: list[Future[Any]] = []

    def ask(self, *_: object) -> "Future[Any]":
        self.asked.append(Future())
        return self.asked[-1]

    embed = ask

    def stop(self) -> None:
        """Answer no more."""


@pytest.mark.parametrize(
    ("path", "more"),
    [("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}), ("/v1/embeddings", {"input": "x"})],
)
def test_who_does_not_wait_for_the_whole_answer_stops_the_writing(
    tmp_path: Path, path: str, more: dict[str, object]
) -> None:
    state, answerer = State(tmp_path / "state"), Never()
    (tmp_path / "base").mkdir()
    state.register(Base("m", tmp_path / "base", "0"))
    service = Service(state, None, answerer)  # type: ignore[arg-type]
    whole = {"type": "http.request", "body": json.dumps({"model": "m", **more}).encode(), "more_body": False}
    asyncio.run(told(service, path, whole, {"type": "http.disconnect"}))
    assert [future.cancelled() for future in answerer.asked] == [True]
