"""The server where others do not keep up: they send nothing more, wait no longer, or are a full disk."""

import asyncio
import errno
import json
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import until

from ftbuild.embedded.chat import Answer, Choice, chat_request
from ftbuild.embedded.jobs import Jobs
from ftbuild.embedded.routes import Service, application
from ftbuild.embedded.seats import Seat
from ftbuild.embedded.server import Door
from ftbuild.embedded.state import State
from ftbuild.embedded.streaming import streamed
from ftbuild.embedded.template import Lesson
from ftbuild.embedded.training import read_files
from ftbuild.embedded.weights import Base
from ftbuild.embedded.wire import job_record, job_request

N_TOLD = 1000
LESSON = Lesson((1, 2), (False, True))
DONE = "data: [DONE]\n\n"


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


class FullOnce(State):
    """A folder on a disk that is full when the end of a job is written for the first time."""

    is_full = True

    def write_job(self, job: Mapping[str, Any], *, durable: bool = True) -> None:
        if self.is_full and job["status"] == "failed":
            self.is_full = False
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write_job(job, durable=durable)


def test_an_end_that_could_not_be_written_is_written_later_and_the_next_job_has_its_turn(tmp_path: Path) -> None:
    state = FullOnce(tmp_path)
    jobs = Jobs(state, 1, lambda: [Seat()], lambda: None)
    jobs.again_seconds = 0.01
    records = [job_record(job_request({"model": "m", "training_file": "file-abcdefgh"}), 0) for _ in range(2)]
    for record in records:
        (state.job_folder(record["id"]) / "trainer.log").mkdir(parents=True)  # no trainer can be started
        jobs.add(record)
    until(lambda: not jobs.live, 60)
    jobs.stop()
    for record in records:
        ended = state.job(record["id"])
        assert ended is not None
        assert ended["error"]["message"].startswith("No training process could be started: ")
        assert [event["level"] for event in state.events(record["id"])] == ["info", "info", "error"]


class Chatty(Never):
    """An answerer that tells a thousand times how its answer grows."""

    def __init__(self) -> None:
        super().__init__()
        self.grown: list[weakref.ref[Choice]] = []

    def ask(self, *asked: Any) -> "Future[Any]":
        *_, tell = asked
        for n in range(1, N_TOLD + 1):
            choice = Choice("x" * n, "")
            self.grown.append(weakref.ref(choice))
            tell(0, choice)
        return super().ask()


def test_what_a_slow_reader_has_not_heard_is_kept_once(tmp_path: Path) -> None:
    base, answerer = Base("m", tmp_path, "0"), Chatty()
    asked = chat_request({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True})

    async def read() -> tuple[int, list[str]]:
        response: Any = await streamed(answerer, base, None, asked)
        n_kept = sum(each() is not None for each in answerer.grown)
        answerer.asked[0].set_result(Answer((Choice("x" * N_TOLD, "stop"),), 1, N_TOLD))
        return n_kept, [json.loads(event[6:]) async for event in response.body_iterator if event != DONE]

    n_kept, events = asyncio.run(read())
    assert n_kept <= 1
    said = [event["choices"][0]["delta"].get("content", "") for event in events]
    assert "".join(said) == "x" * N_TOLD


def test_a_request_that_cannot_be_noted_is_answered(tmp_path: Path) -> None:
    said: list[Any] = []

    async def page(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: Any) -> None:
        said.append(message["status"])

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    log_that_is_a_folder = tmp_path
    asyncio.run(Door(None, page, "token", log_that_is_a_folder)(scope, None, send))
    assert said == [200]


class FullAfter(State):
    """A folder on a disk that takes so many events."""

    room = 0

    def add_event(self, *said: Any, **more: Any) -> None:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= 1
        super().add_event(*said, **more)


@pytest.mark.parametrize("room", [0, 1])
def test_a_job_that_does_not_fit_on_the_disk_leaves_nothing(tmp_path: Path, room: int) -> None:
    state = FullAfter(tmp_path)
    state.room = room
    with pytest.raises(OSError, match="No space left on device"):
        state.add_job(job_record(job_request({"model": "m", "training_file": "file-abcdefgh"}), 0))
    assert list((tmp_path / "jobs").iterdir()) == []


def test_the_empty_folder_of_a_job_that_nobody_was_told_of_goes(tmp_path: Path) -> None:
    state = State(tmp_path)
    (tmp_path / "jobs" / "ftjob-abcdefgh").mkdir()
    assert state.take_up() == []
    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_job_that_was_paused_before_it_started_tells_of_its_files_once(tmp_path: Path) -> None:
    state = State(tmp_path)
    file = state.add_file("train.jsonl", "fine-tune", b"x")
    added = job_record(job_request({"model": "m", "training_file": file["id"]}), 0)
    state.add_job(added)
    state.park_job(added["id"], "The job was paused before it started")
    state.queue_job(added["id"])
    for _ in range(2):  # the second time it was killed and taken up
        job = state.job(added["id"])
        assert job is not None
        assert read_files(state, job, lambda *_: ([LESSON], 1)) == {"training": [LESSON], "validation": []}
    assert [(event["level"], event["message"]) for event in state.events(added["id"])[4:]] == [
        ("warn", "1 examples of the training file are longer than the model's context and were cut"),
        ("info", "Files validated, moving job to queued state"),
    ]
