"""Jobs that are stopped in every way and at every moment, and end as if they had been let alone."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest
from embedded_fixture import TINY, Running, lines, running, until

torch = pytest.importorskip("torch")

from ftbuild.embedded import mirror  # noqa: E402
from ftbuild.embedded.learner import SupervisedLearner  # noqa: E402
from ftbuild.embedded.lessons import read_lessons  # noqa: E402
from ftbuild.embedded.state import State  # noqa: E402
from ftbuild.embedded.template import Lesson, Template  # noqa: E402
from ftbuild.embedded.training import Training  # noqa: E402
from ftbuild.embedded.weights import Base, prepare  # noqa: E402
from ftbuild.embedded.wire import job_record, job_request  # noqa: E402

LONG = {"n_epochs": 12, "batch_size": 1}
SHORT = {"n_epochs": 4, "batch_size": 4}


def supervised(hyperparameters: dict[str, int]) -> dict[str, object]:
    return {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}}


# --- in this process: to the last bit -----------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(TINY, tmp_path_factory.mktemp("cache"), print).folder


class KilledError(Exception):
    """The process is gone."""


class Mortal(SupervisedLearner):
    """Does something before one of its steps."""

    def __init__(self, base: Path, at_step: int, then: Callable[[], None]) -> None:
        super().__init__(Base("tiny", base, ""), 1, torch.float32)
        self._left, self._then = at_step, then

    def learn(self, batch: Sequence[Lesson], rate: float) -> tuple[float, float]:
        self._left -= 1
        if self._left == 0:
            self._then()
        return super().learn(batch, rate)


def die() -> None:
    raise KilledError


def a_job(state: State) -> dict[str, Any]:
    asked = {"model": "tiny", "training_file": "file-x", "method": supervised(SHORT)}
    job = job_record(job_request(asked), seed=1)
    state.add_job(job)
    return job


def train(state: State, job_id: str, base: Path, at_step: int = 0, how: str = "killed") -> None:
    """Train a job, or go on with it, until its end or until it is stopped at a step of this process."""
    job = state.job(job_id)
    assert job is not None
    lessons = read_lessons(lines(), Template(base))[0]
    pausing = threading.Event()
    training = Training(state, job, lessons, lessons[:3], pausing)
    learner = Mortal(base, at_step, die if how == "killed" else pausing.set)
    if at_step and how == "killed":
        with pytest.raises(KilledError):
            training.run(learner)
    else:
        training.run(learner)


def left_behind(state: State, job_id: str) -> dict[str, object]:
    """Return all that tells of how a job was trained."""
    job = state.job(job_id)
    assert job is not None
    folder = state.job_folder(job_id)
    told = [each["data"] for each in state.events(job_id) if each["type"] == "metrics"]
    return {
        "status": job["status"],
        "tokens": job["trained_tokens"],
        "checkpoints": [each["metrics"] for each in job["_checkpoints"]],
        "weights": {path.parent.name: path.read_bytes() for path in folder.glob("adapters/*/*.safetensors")},
        "table": state.content(job["result_files"][0]) if job["result_files"] else None,
        "told": told,
        "training": sorted(path.name for path in folder.glob("training/*")),
        "half": sorted(str(path) for path in folder.rglob(".*")),
    }


@pytest.fixture(scope="module")
def undisturbed(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    state = State(tmp_path_factory.mktemp("undisturbed"))
    job = a_job(state)
    train(state, job["id"], base)
    return left_behind(state, job["id"])


def test_an_undisturbed_job_leaves_three_models_a_table_and_nothing_to_go_on_from(
    undisturbed: dict[str, Any],
) -> None:
    assert (undisturbed["status"], undisturbed["training"], undisturbed["half"]) == ("succeeded", [], [])
    assert sorted(undisturbed["weights"]) == ["step-12", "step-6", "step-9"]
    assert [row["step"] for row in undisturbed["told"]] == list(range(1, 13))
    assert undisturbed["table"].count(b"\n") == 13


@pytest.mark.parametrize("how", ["killed", "paused"])
@pytest.mark.parametrize("steps", [[1], [2], [3], [4], [11], [5, 1, 1, 4], [8, 3]])
def test_a_job_that_was_stopped_ends_as_one_that_was_not_to_the_last_bit(
    base: Path, tmp_path: Path, undisturbed: dict[str, object], steps: list[int], how: str
) -> None:
    state = State(tmp_path)
    job = a_job(state)
    for at_step in steps:
        train(state, job["id"], base, at_step, how)
        stopped = left_behind(state, job["id"])
        assert stopped["status"] == ("running" if how == "killed" else "paused")
    train(state, job["id"], base)
    assert left_behind(state, job["id"]) == undisturbed


@pytest.mark.parametrize("call", range(1, 35))
def test_a_job_killed_between_any_two_writes_ends_as_one_that_was_not(
    base: Path, tmp_path: Path, undisturbed: dict[str, object], call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rename makes something whole or gone: die just before the n-th of them."""
    state = State(tmp_path)
    job = a_job(state)
    n_calls = 0
    rename, replace = Path.rename, Path.replace

    def counted(move: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def moved(path: Path, target: Path) -> Path:
            nonlocal n_calls
            n_calls += 1
            if n_calls == call:
                raise KilledError
            return move(path, target)

        return moved

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", counted(rename))
        patched.setattr(Path, "replace", counted(replace))
        with suppress(KilledError):
            train(state, job["id"], base)
    ended = state.job(job["id"])
    assert ended is not None
    if ended["status"] != "succeeded":
        train(state, job["id"], base)
    state.take_up()
    found = left_behind(state, job["id"])
    for name in ("status", "tokens", "weights", "table", "told", "training"):
        assert found[name] == undisturbed[name]
    assert len(list((tmp_path / "files").iterdir())) == 1


@pytest.mark.parametrize("how", ["killed", "paused"])
def test_what_follows_a_job_tells_every_step_once_however_often_it_was_stopped(
    base: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(mirror, "LOOK_SECONDS", 0)
    state = State(tmp_path)
    job = a_job(state)
    gone = threading.Event()
    told: list[int] = []
    for at_step in (5, 4, 0):
        train(state, job["id"], base, at_step, how)
        gone.set()
        told += [row["step"] for row in mirror.rows(state, job["id"], len(told), gone)]
    assert told == list(range(1, 13))


def test_who_followed_a_trainer_that_is_gone_leaves_what_comes_then_to_others(base: Path, tmp_path: Path) -> None:
    state = State(tmp_path)
    job = a_job(state)
    train(state, job["id"], base, 5)
    gone = threading.Event()
    gone.set()
    following = mirror.rows(state, job["id"], 0, gone)
    told = [next(following)["step"] for _ in range(4)]
    train(state, job["id"], base)  # by another process, for which another one follows
    assert (told, list(following)) == ([1, 2, 3, 4], [])


# --- by the routes ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("embedded")
    with running(folder / "state", folder / "cache") as found:
        yield found


def steps_told(server: Running, job_id: str) -> list[int]:
    events = State(server.state).events(job_id)
    return [each["data"]["step"] for each in events if each["type"] == "metrics"]


def weights(server: Running, job_id: str) -> dict[str, bytes]:
    folder = server.state / "jobs" / job_id / "adapters"
    return {path.parent.name: path.read_bytes() for path in folder.glob("*/*.safetensors")}


@pytest.mark.slow
def test_a_job_is_paused_and_resumed_while_another_one_has_its_turn(server: Running) -> None:
    jobs = server.client.fine_tuning.jobs
    first, second, third = (server.job(lines(), seed=3, method=supervised(LONG)) for _ in range(3))
    until(lambda: len(steps_told(server, first.id)) > 15)
    assert jobs.pause(third.id).status == "paused"
    paused = jobs.pause(first.id)
    assert (paused.status, paused.estimated_finish) == ("paused", None)
    assert jobs.pause(first.id).status == "paused"
    n_told = len(steps_told(server, first.id))
    assert server.ended(second.id).status == "succeeded"
    assert len(steps_told(server, first.id)) == n_told
    assert jobs.resume(first.id).status in ("queued", "running")
    assert server.ended(first.id).status == "succeeded"
    assert weights(server, first.id) == weights(server, second.id)
    assert steps_told(server, first.id) == list(range(1, 145))
    assert jobs.cancel(third.id).status == "cancelled"
    messages = [each.message for each in jobs.list_events(third.id, limit=2)]
    assert messages[:2] == ["The job was cancelled while it was paused", "The job was paused before it started"]
    for steer in (jobs.pause, jobs.resume, jobs.cancel):
        with pytest.raises(openai.BadRequestError, match=f"Job has already completed: {first.id}"):
            steer(first.id)
    with pytest.raises(openai.NotFoundError):
        jobs.pause("ftjob-abcdefgh")


@pytest.mark.slow
def test_a_job_under_way_can_be_paused_and_then_cancelled(server: Running) -> None:
    jobs = server.client.fine_tuning.jobs
    job = server.job(lines(), method=supervised(LONG))
    until((server.state / "jobs" / job.id / "training").is_dir)
    assert jobs.pause(job.id).status == "paused"
    assert jobs.cancel(job.id).status == "cancelled"
    assert not (server.state / "jobs" / job.id / "training").exists()
    assert server.client.fine_tuning.jobs.checkpoints.list(job.id).data  # its models stay


@pytest.mark.slow
def test_a_trainer_that_dies_by_itself_fails_its_job_and_the_next_one_runs(server: Running) -> None:
    one, two = (server.job(lines(), method=supervised(LONG)) for _ in range(2))
    until(lambda: server.status(one.id) == "running")
    os.kill(server.trainer(one.id), signal.SIGKILL)
    job = server.ended(one.id)
    assert job.error is not None
    assert (job.status, job.error.code) == ("failed", "trainer_died")
    assert job.error.message == (
        "The training process ended without a result (exit code -9): it was killed, as the system does where memory "
        "runs out; a smaller batch_size or model needs less"
    )
    until(lambda: server.status(two.id) == "running")
    server.client.fine_tuning.jobs.cancel(two.id)


# --- a server that is killed --------------------------------------------------------------------


PHASES: dict[str, Callable[[Path], bool]] = {
    "waiting": lambda folder: (folder / "job.json").exists(),
    "validating_files": lambda folder: (folder / "trainer.log").exists(),
    "running before a checkpoint": lambda folder: b"metrics" in (folder / "events.jsonl").read_bytes(),
    "running after a checkpoint": lambda folder: len(list(folder.glob("training/step-*"))) > 0,
    "paused": lambda folder: json.loads((folder / "job.json").read_bytes())["status"] == "paused",
}


@pytest.mark.slow
def test_a_server_killed_in_any_phase_loses_no_file_and_no_model_and_its_jobs_go_on(
    server: Running, tmp_path: Path
) -> None:
    reference = server.ended(server.job(lines(), seed=3, method=supervised(LONG)).id)
    content = lines()
    state = tmp_path / "state"
    told = []
    with running(state, server.cache) as mine:
        file = mine.client.files.create(file=("kept.jsonl", content), purpose="fine-tune")
        job = mine.job(content, seed=3, method=supervised(LONG))
        after = mine.job(content, seed=3, method=supervised({"n_epochs": 1}))
    for phase, is_in in PHASES.items():
        with running(state, server.cache) as mine:
            if phase == "paused":
                assert mine.client.fine_tuning.jobs.pause(job.id).status == "paused"
            until(lambda is_in=is_in: is_in(state / "jobs" / job.id))  # type: ignore[misc]
            told.append(mine.status(job.id))
            assert mine.client.files.content(file.id).read() == content
            mine.process.kill()
            mine.process.wait()
    assert told[-1] == "paused"
    assert told[2:4] == ["running"] * 2
    with running(state, server.cache) as mine:
        assert mine.ended(after.id).status == "succeeded"  # the other one stood still
        assert mine.status(job.id) == "paused"
        mine.client.fine_tuning.jobs.resume(job.id)
        ended = mine.ended(job.id)
        assert (ended.status, ended.error) == ("succeeded", None)
        assert weights(mine, job.id) == weights(server, reference.id)
        assert steps_told(mine, job.id) == list(range(1, 145))
        assert {each.filename for each in mine.client.files.list()} == {"kept.jsonl", "train.jsonl", "step_metrics.csv"}
        pid = mine.trainer(job.id)
        mine.process.send_signal(signal.SIGTERM)
        assert mine.process.wait(20) == 0
        assert not (state / "server.json").exists()
    until(lambda: not Path(f"/proc/{pid}").exists())


def all_is_whole(server: Running) -> None:
    """Every file and every model that is told of is there, and nothing half made lies beside them."""
    files = list(server.client.files.list())
    assert {each.id for each in files} == {path.name for path in (server.state / "files").iterdir()}
    for each in files:
        assert len(server.client.files.content(each.id).read()) == each.bytes
    for model in server.client.models.list():
        answer = server.client.chat.completions.create(
            model=model.id, messages=[{"role": "user", "content": "red"}], max_tokens=2
        )
        assert answer.choices[0].finish_reason in ("length", "stop")


WRITING: dict[str, Callable[[Path], bool]] = {
    "a checkpoint": lambda folder: len(list(folder.glob("adapters/.step-*"))) > 0,
    "what to go on from": lambda folder: len(list(folder.glob("training/.step-*"))) > 0,
    "the last model": lambda folder: (folder / "adapters" / "step-24").exists(),
    "the table": lambda folder: (folder.parents[1] / "files" / f"file-{folder.name.removeprefix('ftjob-')}").exists(),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRITING)
def test_a_server_killed_while_its_job_writes_leaves_nothing_half_and_the_job_succeeds(
    server: Running, tmp_path: Path, what: str
) -> None:
    method = supervised({"n_epochs": 2, "batch_size": 1})
    state = tmp_path / "state"
    with running(state, server.cache) as mine:
        job, cancelled = (mine.job(lines(), seed=3, method=method) for _ in range(2))
        assert mine.client.fine_tuning.jobs.cancel(cancelled.id).status == "cancelled"
        deadline = time.monotonic() + 60
        while not WRITING[what](state / "jobs" / job.id):  # without a pause: it is there for milliseconds
            assert time.monotonic() < deadline
        mine.process.kill()
        mine.process.wait()
    with running(state, server.cache) as mine:
        assert mine.ended(job.id).status == "succeeded"
        assert mine.status(cancelled.id) == "cancelled"
        assert steps_told(mine, job.id) == list(range(1, 25))
        all_is_whole(mine)
        assert list((state / "jobs" / job.id).glob("adapters/.*")) == []


@pytest.mark.slow
def test_a_server_killed_while_it_cancels_leaves_the_job_cancelled_or_under_way(
    server: Running, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    jobs = []
    for seconds in (0.002, 0.02):
        with running(state, server.cache) as mine:
            jobs.append(mine.job(lines(), method=supervised(LONG)).id)
            until(lambda: steps_told(mine, jobs[-1]) != [])
            cancelling = threading.Thread(target=lambda: cancel_quietly(mine, jobs[-1]))
            cancelling.start()
            time.sleep(seconds)
            mine.process.kill()
            mine.process.wait()
            cancelling.join()
        with running(state, server.cache) as mine:
            if mine.status(jobs[-1]) != "cancelled":
                assert mine.status(jobs[-1]) in ("queued", "running", "validating_files")
                assert mine.client.fine_tuning.jobs.cancel(jobs[-1]).status == "cancelled"
            all_is_whole(mine)


def cancel_quietly(server: Running, job_id: str) -> None:
    with suppress(openai.APIError):
        server.client.fine_tuning.jobs.cancel(job_id)


@pytest.mark.slow
def test_a_server_killed_while_files_come_has_each_whole_or_not_at_all(server: Running, tmp_path: Path) -> None:
    state = tmp_path / "state"
    content = lines(100) * 2000
    told: set[str] = set()
    for seconds in (0.03, 0.1, 0.2):

        def send(mine: Running) -> None:
            with suppress(openai.APIError):
                for _ in range(50):
                    told.add(mine.client.files.create(file=("big.jsonl", content), purpose="fine-tune").id)

        with running(state, server.cache) as mine:
            sending = threading.Thread(target=send, args=(mine,))
            sending.start()
            time.sleep(seconds)
            mine.process.kill()
            mine.process.wait()
            sending.join()
    with running(state, server.cache) as mine:
        all_is_whole(mine)
        assert told <= {each.id for each in mine.client.files.list()}


@pytest.mark.slow
def test_a_server_that_is_stopped_leaves_its_job_to_the_next_one(server: Running, tmp_path: Path) -> None:
    with running(tmp_path / "state", server.cache) as mine:
        job = mine.job(lines(), method=supervised(LONG))
        until(lambda: len(steps_told(mine, job.id)) > 20)
        mine.process.send_signal(signal.SIGTERM)
        assert mine.process.wait(20) == 0
    with running(tmp_path / "state", server.cache) as mine:
        assert mine.ended(job.id).status == "succeeded"
        assert steps_told(mine, job.id) == list(range(1, 145))
