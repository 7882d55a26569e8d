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


def serving(head: Head, *, away: bool = True) -> AbstractContextManager[Running]:
    options = ["--ray", head.address] if away else []
    return running(head.hidden / "state", head.hidden / "cache", options=options)


@pytest.fixture(scope="module")
def server(head: Head) -> Iterator[Running]:
    with serving(head) as found:
        yield found


def asked(server: Running) -> str:
    """Ask for a job that is always the same."""
    valid = server.client.files.create(file=("valid.jsonl", lines(3)), purpose="fine-tune")
    return server.job(lines(), validation_file=valid.id, seed=3, method=supervised(LONG)).id


def endless(server: Running) -> str:
    return server.job(lines(60), method=supervised(ENDLESS)).id


def steps(server: Running, job_id: str) -> int:
    return len([each for each in State(server.state).events(job_id) if each["type"] == "metrics"])


def said(server: Running, job_id: str) -> list[str]:
    return [each["message"] for each in State(server.state).events(job_id) if each["type"] == "message"]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.slow
def test_two_jobs_train_away_and_one_stands_still_as_it_is_asked_to_and_one_dies_and_has_failed(
    server: Running,
) -> None:
    one, two = endless(server), endless(server)
    until(lambda: all(steps(server, job) for job in (one, two)))
    trainers = [server.trainer(job) for job in (one, two)]
    assert parent(trainers[0]) != parent(trainers[1])
    assert server.client.fine_tuning.jobs.pause(one).status == "paused"
    assert said(server, one)[-1] == f"The job was paused after step {steps(server, one)}"
    assert server.client.fine_tuning.jobs.cancel(one).status == "cancelled"
    os.kill(trainers[1], signal.SIGKILL)
    failed = server.ended(two)
    assert failed.error is not None
    assert failed.error.message == (
        "The training process ended without a result (exit code -9): it was killed, as the system does where "
        "memory runs out; a smaller batch_size or model needs less"
    )
    until(lambda: not any(lives(pid) for pid in trainers))


@pytest.mark.slow
def test_a_job_that_loses_its_worker_its_server_and_its_cluster_ends_as_one_that_never_was_away(
    head: Head, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = asked(server)
    until(lambda: steps(server, job_id) > 15)
    os.kill(parent(trainer := server.trainer(job_id)), signal.SIGKILL)
    until(lambda: server.trainer(job_id) != trainer)
    assert any("Who trained the job was lost (Actor" in each for each in said(server, job_id))
    n_told, trainer = steps(server, job_id), server.trainer(job_id)
    until(lambda: steps(server, job_id) > n_told + 5)
    server.process.kill()
    server.process.wait()
    until(lambda: not lives(trainer))
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")  # then who is connected gives up, and ends
    with serving(head) as after:
        n_told = steps(after, job_id)
        until(lambda: steps(after, job_id) > n_told + 5)
        head.process.kill()
        until(lambda: after.status(job_id) == "paused")
    with serving(head, away=False) as here:
        here.client.fine_tuning.jobs.resume(job_id)
        other = asked(here)
        assert [here.ended(each).status for each in (job_id, other)] == ["succeeded"] * 2
        found, never_away = (left_behind(State(here.state), each) for each in (job_id, other))
        assert found == never_away
