"""A job that outlives its client, and a client that outlives its server: killed, interrupted, cancelled, repeated."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_fixture import until
from project_fixture import TINY, Project, project_in

pytestmark = pytest.mark.slow

# Long enough that the middle of the training is there to be hit: by a signal, or by commands of a second or two each.
DATA = (*TINY, "dataset.limit=60")
STEPS_AN_EPOCH = 6
BRIEF = (*DATA, "method.hyperparameters.n_epochs=10")
LONG = (*DATA, "method.hyperparameters.n_epochs=20")
LAST_SEEN = r"validating files|running|just launched"  # what the client knows lags behind what the server has written
COMMAND = "ftbuild " + " ".join(LONG)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Give a folder in which the data is built, and nothing was trained or asked."""
    with project_in(tmp_path_factory.mktemp("built"), cache) as found:
        ended = found.run("dataset", *DATA)
        assert ended.code == 0, ended.err
        return found.folder


@pytest.fixture
def project(tmp_path: Path, built: Path, cache: Path) -> Iterator[Project]:
    shutil.copytree(built, tmp_path / "project", ignore=shutil.ignore_patterns("runs"))
    with project_in(tmp_path / "project", cache) as found:
        yield found


def listed(project: Project) -> list[tuple[str, str, str]]:
    """Return the jobs as `jobs --format json` lists them: id, status, and who told."""
    told = json.loads(project.run("jobs", "--format", "json").out)
    return [(each["job_id"], each["status"], each["told_by"]) for each in told["jobs"]]


def test_killed_client_comes_back_to_the_same_job(project: Project) -> None:
    client, store = project.start(*BRIEF), project.store()
    job = store.training(client)
    client.kill()
    ended = project.run(*BRIEF)
    assert ended.code == 3, ended.err
    assert f"{job} was launched before: attached, not paid again\n" in ended.err
    assert store.creates() == ["POST /v1/fine_tuning/jobs 200"]
    assert project.run_json()["jobs"] == store.job_ids() == [job]


def test_interrupted_client_leaves_the_job_running_until_it_is_cancelled_and_retried(project: Project) -> None:
    client, store = project.start(*LONG), project.store()
    job = store.training(client)
    until(lambda: "\n" in client.err and f"{job} was launched\n" in client.err)
    client.interrupt()
    ended = client.ended()
    assert ended.code == 130
    said = "\n".join(ended.err.splitlines()[-3:])
    assert re.fullmatch(
        rf"{job} goes on without you "
        rf"\((step \d+ of {20 * STEPS_AN_EPOCH}, about (a minute|\d+ minutes) left|{LAST_SEEN})\)\. "
        rf"Nothing is lost\.\n    Come back: {re.escape(COMMAND)}\n    Stop it:   ftbuild cancel {job}",
        said,
    ), said
    assert store.job(job)["status"] == "running"
    assert listed(project) == [(job, "running", "provider")]
    follower = project.start("watch", job)
    until(lambda: "Step " in follower.out)
    assert store.requests().count("POST /v1/files 200") == 2

    assert project.run("cancel", job).out == f"{job} cancelled\n"
    assert project.run("cancel", job).out == f"{job} has ended already: cancelled\n"
    assert store.job(job)["status"] == "cancelled"
    followed = follower.ended()
    assert (followed.code, followed.err.splitlines()[0]) == (5, f"{job} was cancelled")
    told = [line.partition(" ")[2] for line in followed.out.splitlines()]
    assert told == [each["message"] for each in store.events(job)]
    refused = project.run("pause", job)
    assert (refused.code, refused.err) == (
        2,
        f"command line: {job} has ended already: cancelled\n    Fix: ftbuild retry {job}\n",
    )
    again = project.run(*LONG)
    assert again.code == 5
    assert again.err.endswith(
        f"{job} was cancelled\n"
        "    It is not launched again by itself: a job costs money and hours.\n"
        f"    Fix: ftbuild retry {job}\n"
    )
    planned = [line.split()[:2] for line in project.run("plan", *LONG).out.splitlines() if " job " in line]
    assert planned == [["failed", "job"]]
    assert store.creates() == ["POST /v1/fine_tuning/jobs 200"]

    retried = project.run("retry", job)
    assert retried.code == 3, retried.err
    [second] = [each for each in store.job_ids() if each != job]
    assert store.job(second)["metadata"]["ftbuild_attempt"] == "2"
    assert store.creates() == ["POST /v1/fine_tuning/jobs 200"] * 2
    assert project.run_json()["jobs"] == [second]
    assert project.run_json()["command"] == COMMAND
    assert store.requests().count("POST /v1/files 200") == 2
    assert listed(project) == [(second, "succeeded", "journal")]
    watched = project.run("watch", second)
    assert (watched.code, watched.out) == (0, f"{second} succeeded\n")
    assert project.run("cancel", job).out == f"{job} has ended already: failed or cancelled before it was retried\n"
    assert project.run("retry", job).code == 3  # repeated, it goes on with the job that it launched
    assert store.creates() == ["POST /v1/fine_tuning/jobs 200"] * 2
    refused = project.run("retry", second)
    said = f"command line: {second} is succeeded, not failed or cancelled\n    Fix: nothing to retry.\n"
    assert (refused.code, refused.err) == (2, said)


def test_job_whose_server_died_goes_on_with_the_next_one(project: Project) -> None:
    client, store = project.start(*BRIEF), project.store()
    job = store.training(client)
    store.kill_server()
    ended = client.ended()
    assert ended.code == 3, ended.err
    assert store.job(job)["status"] == "succeeded"
    assert store.creates() == ["POST /v1/fine_tuning/jobs 200"]
    assert store.steps(job) == list(range(1, 10 * STEPS_AN_EPOCH + 1))
    assert [name for each in store.journal() if (name := json.loads(each)["event"]) != "status"] == [
        *("intent", "launched", "ended", "fetched"),
    ]


def test_job_is_paused_and_resumed_and_its_build_comes_back_to_it(project: Project) -> None:
    client, store = project.start(*LONG), project.store()
    job = store.training(client)
    paused = project.run("pause", job)
    assert (paused.code, paused.out) == (0, f"{job} paused. Let it go on: ftbuild resume {job}\n")
    ended = client.ended()
    assert ended.code == 5
    assert ended.err.endswith(
        f"{job} is paused at the provider\n"
        "    It goes on when it is resumed, and not before; nothing is lost.\n"
        f"    Fix: ftbuild resume {job}, then the same command again.\n"
    )
    assert listed(project) == [(job, "paused", "provider")]
    resumed = project.run("resume", job)
    assert resumed.code == 0, resumed.err
    assert re.fullmatch(rf"{job} (queued|running)\. Come back to it: {re.escape(COMMAND)}\n", resumed.out)
    again = project.run(*LONG)
    assert again.code == 3, again.err
    assert store.creates() == ["POST /v1/fine_tuning/jobs 200"]
    assert store.steps(job) == list(range(1, 20 * STEPS_AN_EPOCH + 1))


def test_two_clients_at_once_create_one_job(project: Project) -> None:
    smoke = ("+experiment=tone_formal", "--smoke")
    clients = [project.start(*smoke), project.start(*smoke)]
    ended = [client.ended() for client in clients]
    assert [each.code for each in ended] == [0, 0], [each.err for each in ended]
    store = project.store(smoke=True)
    assert store.creates() == ["POST /v1/fine_tuning/jobs 200"]
    [job] = store.job_ids()
    assert {
        each["jobs"][0]
        for each in map(project.run_json, (f"outputs/smoke/runs/{name}" for name in project.runs("outputs/smoke/runs")))
    } == {job}
    assert project.run(*smoke).out.startswith("Nothing to do: 15 cached.")


def test_interrupted_while_the_model_is_made_ready_or_answers_says_so_and_nothing_else(project: Project) -> None:
    whole, store = ("+experiment=tone_formal", "model=tiny"), project.store()
    client = project.start(*whole)
    until(lambda: "\n" in client.err)  # the data is ready: the base model comes next
    client.interrupt()
    early = client.ended()
    assert (early.code, early.err.splitlines()[-1]) == (130, "interrupted; the same command goes on from here")
    assert "Traceback" not in early.err

    client = project.start(*whole)
    until(lambda: (store.state / "requests.log").exists() and bool(store.requests()), 60)
    client.interrupt()
    late = client.ended()
    assert (late.code, late.err.splitlines()[-1]) == (130, "interrupted; the same command goes on from here")
    assert "Traceback" not in late.err
    assert store.creates() == []
    assert not (project.folder / "outputs/runs").exists()
