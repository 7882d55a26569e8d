"""Jobs trained on a cluster of Ray that is started here, whose workers cannot open the folder of the server."""

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from cluster_fixture import Head, own_environment, started
from embedded_fixture import Running, lines, running, until

pytest.importorskip("torch")

from test_embedded_jobs import left_behind, supervised
from test_workers import lives

from ftbuild.embedded.state import State


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with own_environment():
        yield


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with started(tmp_path_factory.mktemp("c")) as found:
        yield found


LONG = {"n_epochs": 24, "batch_size": 1}
ENDLESS = {"n_epochs": 50, "batch_size": 1}


def serving(head: Head, name: str, *, away: bool = True) -> AbstractContextManager[Running]:
    options = ["--ray", head.address] if away else []
    return running(head.hidden / name, head.hidden / "cache", options=options)


def asked(server: Running) -> str:
    """Ask for a job that is always the same."""
    valid = server.client.files.create(file=("valid.jsonl", lines(3)), purpose="fine-tune")
    return server.job(lines(), validation_file=valid.id, seed=3, method=supervised(LONG)).id


def endless(server: Running) -> str:
    return server.job(lines(60), method=supervised(ENDLESS)).id


def left(server: Running, job_id: str) -> dict[str, object]:
    return left_behind(State(server.state), job_id)


def steps(server: Running, job_id: str) -> int:
    return len([each for each in State(server.state).events(job_id) if each["type"] == "metrics"])


@pytest.fixture(scope="module")
def here(head: Head) -> dict[str, object]:
    """Return what the job leaves where the server trains by itself."""
    with serving(head, "here", away=False) as server:
        job_id = asked(server)
        assert server.ended(job_id).status == "succeeded"
        return left(server, job_id)


@pytest.mark.slow
def test_jobs_trained_away_leave_what_one_trained_here_leaves(head: Head, here: dict[str, object]) -> None:
    with serving(head, "several") as server:
        jobs = [asked(server) for _ in range(2)]
        assert [server.ended(job).status for job in jobs] == ["succeeded"] * 2
        assert [left(server, job) for job in jobs] == [here, here]


@pytest.mark.slow
def test_a_job_paused_lost_and_left_by_its_server_ends_as_if_nothing_had_happened(
    head: Head, here: dict[str, object]
) -> None:
    with serving(head, "lost") as server:
        job_id = asked(server)
        until(lambda: steps(server, job_id) > 15)
        assert server.client.fine_tuning.jobs.pause(job_id).status == "paused"
        n_told = steps(server, job_id)
        server.client.fine_tuning.jobs.resume(job_id)
        until(lambda: steps(server, job_id) > n_told + 5)
        os.kill(parent(trainer := server.trainer(job_id)), signal.SIGKILL)
        until(lambda: server.trainer(job_id) != trainer)
        assert "Who trained the job was lost (ActorDiedError: " in said(server, job_id)
        n_told = steps(server, job_id)
        until(lambda: steps(server, job_id) > n_told + 5)
        trainer = server.trainer(job_id)
        server.process.kill()
        server.process.wait()
    until(lambda: not lives(trainer))
    with serving(head, "lost") as server:
        assert server.ended(job_id).status == "succeeded"
        assert left(server, job_id) == here


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def said(server: Running, job_id: str) -> str:
    return "\n".join(each["message"] for each in State(server.state).events(job_id))


@pytest.mark.slow
def test_a_job_cancelled_away_ends_its_trainer_and_one_whose_trainer_dies_has_failed(head: Head) -> None:
    with serving(head, "ended") as server:
        one, two = endless(server), endless(server)
        until(lambda: all(steps(server, job) for job in (one, two)))
        trainers = [server.trainer(job) for job in (one, two)]
        assert server.client.fine_tuning.jobs.cancel(one).status == "cancelled"
        os.kill(trainers[1], signal.SIGKILL)
        failed = server.ended(two)
        until(lambda: not any(lives(pid) for pid in trainers))
        assert failed.error is not None
        assert failed.error.message == (
            "The training process ended without a result (exit code -9): it was killed, as the system does where "
            "memory runs out; a smaller batch_size or model needs less"
        )


@pytest.mark.slow
def test_a_cluster_that_is_lost_is_a_pause_and_the_job_goes_on_here(
    head: Head, here: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")  # then who is connected gives up, and ends
    with serving(head, "nowhere") as server:
        job_id = asked(server)
        until(lambda: steps(server, job_id) > 15)
        head.process.kill()
        until(lambda: server.status(job_id) == "paused")
    with serving(head, "nowhere", away=False) as server:
        server.client.fine_tuning.jobs.resume(job_id)
        assert server.ended(job_id).status == "succeeded"
        assert left(server, job_id) == here
