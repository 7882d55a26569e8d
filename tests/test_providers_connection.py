"""A connection outlives the server it talks to: reads go on at the next server, a create is never repeated."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from fake_provider import request
from filelock import FileLock
from settings_fixture import settings
from stub_server import LOSE, Stub, job, listed, refusal, stub

from ftbuild.chat import Message
from ftbuild.errors import ProviderError, StoreError
from ftbuild.providers import embedded
from ftbuild.providers.connection import Connection
from ftbuild.world import World

JOB = "/fine_tuning/jobs/ftjob-1"
PROVIDER = settings().provider


class Served:
    """A project whose embedded server is a stub: the address and the lock are what the real one leaves."""

    def __init__(self, root: Path, *servers: Stub) -> None:
        self.world = World.at(root)
        self.state = embedded.state_folder(PROVIDER, self.world)
        self.state.mkdir(parents=True)
        self.connection = Connection(PROVIDER, None, self.world)
        self.move_to(servers[0], "token-0")

    def move_to(self, server: Stub, token: str) -> None:
        (self.state / "server.json").write_text(json.dumps({"port": server.port, "token": token}))


@contextmanager
def project(root: Path, n_servers: int) -> Iterator[tuple[Served, list[Stub]]]:
    with ExitStack() as stack:
        servers = [stack.enter_context(stub()) for _ in range(n_servers)]
        served = Served(root, *servers)
        stack.enter_context(FileLock(served.state / "server.lock"))
        yield served, servers
        asyncio.run(served.connection.close())


def test_nothing_is_asked_before_the_first_use(tmp_path: Path) -> None:
    with project(tmp_path, 1) as (served, (server,)):
        assert (served.connection is not None, server.asked) == (True, [])


def test_a_read_goes_on_at_the_server_that_came_after(tmp_path: Path) -> None:
    with project(tmp_path, 2) as (served, (old, new)):
        old.answers[f"GET {JOB}"] = [(200, job(status="queued")), refusal(401, "Incorrect API key provided.")]
        new.answers[f"GET {JOB}"] = [(200, job(status="running"))]
        assert served.connection.retrieve_job("ftjob-1").status == "queued"
        served.move_to(new, "token-1")
        assert served.connection.retrieve_job("ftjob-1").status == "running"
        assert [each.token for each in old.asked + new.asked] == ["token-0", "token-0", "token-1"]


def test_a_read_without_an_answer_is_repeated_once_with_a_new_connection(tmp_path: Path) -> None:
    with project(tmp_path, 1) as (served, (server,)):
        server.answers["GET /fine_tuning/jobs"] = [LOSE, LOSE, LOSE, listed(job())]  # the SDK itself asks three times
        assert [found.id for found in served.connection.find_jobs({"ftbuild_key": "k"})] == ["ftjob-1"]
        assert len(server.asked) == 4


@pytest.mark.parametrize("answer", [LOSE, refusal(500, "oops"), refusal(401, "Incorrect API key provided.")])
def test_a_create_is_never_repeated(answer: object, tmp_path: Path) -> None:
    with project(tmp_path, 1) as (served, (server,)):
        server.answers["POST /fine_tuning/jobs"] = [answer]
        with pytest.raises(ProviderError):
            served.connection.create_job(request({}))
        assert len(server.asked) == 1


def test_a_refused_read_is_not_repeated(tmp_path: Path) -> None:
    with project(tmp_path, 1) as (served, (server,)):
        server.answers[f"GET {JOB}"] = [refusal(404, "no such job")]
        with pytest.raises(ProviderError, match=r"^embedded server: no such job$"):
            served.connection.retrieve_job("ftjob-1")
        assert len(server.asked) == 1


def test_answers_can_be_asked_in_one_event_loop_after_another(tmp_path: Path) -> None:
    answer = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}],
    }

    async def ask(connection: Connection) -> str:
        said = await connection.complete("m", (Message("user", "?"),), {})
        await connection.close()
        return said.content

    with project(tmp_path, 1) as (served, (server,)):
        server.answers["POST /chat/completions"] = [(200, answer)]
        assert [asyncio.run(ask(served.connection)) for _ in range(2)] == ["Yes.", "Yes."]


def test_a_server_that_died_is_not_running(tmp_path: Path) -> None:
    with project(tmp_path, 1) as (served, (server,)):
        address = embedded.running(served.state)
        assert address == embedded.Address(server.url, "token-0")
    assert embedded.running(served.state) is None


def test_a_server_that_trains_here_is_none_for_a_build_on_a_cluster(tmp_path: Path) -> None:
    with project(tmp_path, 1) as (served, (server,)):
        (served.state / "server.json").write_text(json.dumps({"port": server.port, "token": "token-0", "pid": 17}))
        with pytest.raises(ProviderError) as refused:
            embedded.start(PROVIDER, served.world, "auto")
        assert str(refused.value) == (
            "the server of this store trains on this machine alone: it was started without --ray\n"
            "    Fix: kill 17, which loses nothing: what it trains goes on with the next server. Or no --ray."
        )
        with pytest.raises(ProviderError, match="it was started without --ray"):
            Connection(PROVIDER, None, served.world, ray="auto").branch().has_file("file-1")
        away = {"port": server.port, "token": "token-0", "pid": 17, "ray": "10.0.0.1:6379"}
        (served.state / "server.json").write_text(json.dumps(away))
        for ray in ("auto", None):
            assert embedded.start(PROVIDER, served.world, ray) == embedded.Address(server.url, "token-0")


def test_a_server_that_makes_everything_up_needs_no_cluster(tmp_path: Path) -> None:
    provider, world = PROVIDER.model_copy(update={"engine": "scripted"}), World.at(tmp_path)
    state = embedded.state_folder(provider, world)
    state.mkdir(parents=True)
    (state / "server.json").write_text(json.dumps({"port": 9, "token": "token-0", "ray": None}))
    with FileLock(state / "server.lock"):
        assert embedded.start(provider, world, "auto").api_key == "token-0"


@pytest.mark.parametrize("content", [None, "", "{", "{}"])
def test_a_server_without_an_address_is_not_running(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "server.json").write_text(content)
    with FileLock(tmp_path / "server.lock"):
        assert embedded.running(tmp_path) is None


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_bytes(b"")
    with pytest.raises(StoreError, match=r"outputs/\.ftbuild/embedded: cannot be written: not a directory"):
        embedded.start(PROVIDER, World.at(tmp_path))


def test_the_client_of_the_provider_loads_nothing_heavy() -> None:
    code = (
        "import sys, ftbuild.providers.connection\n"
        "print([name for name in ('openai', 'torch', 'hydra', 'scipy', 'sacrebleu') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said == "[]\n"
