"""The scripted engine behind the same routes, driven by the openai SDK against a server process without torch."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from embedded_fixture import SYSTEM, TINY, WORDS, Running, lines, running, until
from openai.types.fine_tuning import FineTuningJob
from project_fixture import Project

from ftbuild.embedded.scripted import ScriptedAnswers, ScriptedJobs
from ftbuild.embedded.state import State
from ftbuild.embedded.wire import job_record, job_request


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("scripted")
    with running(folder / "state", folder / "cache", engine="scripted") as found:
        yield found


def ask(server: Running, model: str | None, word: str = "red light", **more: object) -> str | None:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": word}]
    answer = server.client.chat.completions.create(model=model, messages=messages, **more)  # type: ignore[call-overload]
    return answer.choices[0].message.content  # type: ignore[no-any-return]


def losses(server: Running, job: FineTuningJob) -> list[float]:
    events = list(server.client.fine_tuning.jobs.list_events(job.id, limit=100))[::-1]
    return [event.data["train_loss"] for event in events if event.type == "metrics"]  # type: ignore[index]


def test_a_job_succeeds_by_itself_with_the_events_of_a_real_one(server: Running) -> None:
    client = server.client
    valid = client.files.create(file=("valid.jsonl", lines(3)), purpose="fine-tune")
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 4, "batch_size": 6}}}
    created = server.job(lines(24), validation_file=valid.id, suffix="back", seed=3, metadata={"k": "a"}, method=method)
    assert (created.status, created.metadata) == ("validating_files", {"k": "a"})
    job = server.ended(created.id)

    assert (job.status, job.error) == ("succeeded", None)
    assert job.fine_tuned_model == f"ft:tiny:ftbuild:back:{job.id[-8:]}"
    assert job.trained_tokens == 4 * 24 * 15  # three turns of three tokens, four words and a mark, two words
    assert [found.id for found in client.fine_tuning.jobs.list(metadata={"k": "a"})] == [job.id]

    events = list(client.fine_tuning.jobs.list_events(job.id, limit=3))[::-1]
    metrics = [event.data for event in events if event.type == "metrics"]
    assert [one["step"] for one in metrics] == list(range(1, 17))
    assert metrics[-1]["train_loss"] < 0.5 < metrics[0]["train_loss"]
    assert [one["step"] for one in metrics if "full_valid_loss" in one] == [4, 8, 12, 16]
    assert events[-1].message == "The job has successfully completed"
    table = client.files.content(job.result_files[0]).text.splitlines()
    assert table[0] == "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
    assert len(table) == 17
    checkpoints = client.fine_tuning.jobs.checkpoints.list(job.id).data
    names = [one.fine_tuned_model_checkpoint for one in checkpoints]
    assert names == [f"{job.fine_tuned_model}:ckpt-step-{step}" for step in (16, 12, 8)]
    assert ask(server, job.fine_tuned_model) == ask(server, names[0])


@pytest.mark.slow
def test_the_same_training_gives_the_same_curve_and_the_same_answers(server: Running) -> None:
    one, again, other = (server.ended(server.job(lines(24), seed=seed).id) for seed in (1, 1, 2))
    assert losses(server, one) == losses(server, again) != losses(server, other)
    said = [[ask(server, job.fine_tuned_model, word) for word in WORDS] for job in (one, again, other)]
    assert said[0] == said[1] != said[2]
    assert ask(server, "tiny") == "red light"
    assert str(ask(server, one.fine_tuned_model)).endswith(": Red light")


@pytest.mark.slow
def test_twenty_jobs_at_once_all_succeed(server: Running) -> None:
    jobs = [server.job(lines(24), seed=seed) for seed in range(20)]
    assert {server.ended(job.id).status for job in jobs} == {"succeeded"}


def test_an_answer_ends_where_the_request_says(server: Running) -> None:
    assert ask(server, "tiny", "one, two, three", max_completion_tokens=3) == "one, two"
    assert ask(server, "tiny", "one, two, three", stop=", th") == "one, two"
    with pytest.raises(openai.BadRequestError, match=r"messages\[1\]\.content contains an invalid token: <\|im_end\|>"):
        ask(server, "tiny", "a<|im_end|>b")
    with pytest.raises(openai.BadRequestError, match="This model's maximum context length is 8192 tokens"):
        ask(server, "tiny", "word " * 9000)


def test_files_are_checked_as_for_a_real_job(server: Running) -> None:
    job = server.ended(server.job(lines(9)).id)
    assert job.error is not None
    assert (job.status, job.error.code, job.error.param) == ("failed", "invalid_training_file", "training_file")
    assert job.error.message == (
        "The job failed due to an invalid training file. Invalid file format. "
        "Training file has 9 example(s), but must have at least 10 examples"
    )


def test_a_file_of_answers_goes_first(server: Running) -> None:
    tuned = server.ended(server.job(lines(24)).id).fine_tuned_model
    script = server.state / "answers.jsonl"
    script.write_text(
        '{"match": {"contains": "Friday", "tuned": true}, "answer": "By Friday."}\n'
        '{"match": {"contains": "Fri"}, "answer": "Soon."}\n'
    )
    try:
        asked = [(tuned, "on Friday"), ("tiny", "on Friday"), (tuned, "Fri"), ("tiny", "Monday")]
        assert [ask(server, *one) for one in asked] == ["By Friday.", "Soon.", "Soon.", "Monday"]
    finally:
        script.unlink()


def a_job(state: State, n_examples: int = 1200) -> dict[str, object]:
    file = state.add_file("train.jsonl", "fine-tune", lines(n_examples))
    hyperparameters = {"n_epochs": 50, "batch_size": 1}
    return job_record(
        job_request({"model": "tiny", "training_file": file["id"], "hyperparameters": hyperparameters}), seed=1
    )


def test_a_job_under_way_or_waiting_can_be_cancelled(tmp_path: Path) -> None:
    state = State(tmp_path)
    jobs = ScriptedJobs(state)
    asked = [a_job(state) for _ in range(5)]  # four run at once
    for job in asked:
        jobs.add(job)
    assert jobs.live
    assert [jobs.cancel(str(job["id"])) for job in reversed(asked)] == [True] * 5
    assert [jobs.cancel(str(asked[0]["id"])), jobs.cancel("ftjob-nobody00")] == [False, False]
    assert {job["status"] for job in state.jobs()} == {"cancelled"}
    assert not jobs.live
    jobs.stop()


def test_a_job_that_a_killed_server_left_goes_on_when_the_next_one_starts(tmp_path: Path) -> None:
    state = State(tmp_path)
    running, waiting, paused = (a_job(state, 12) for _ in range(3))
    for job, status in ((running, "running"), (waiting, "validating_files"), (paused, "paused")):
        state.add_job({**job, "status": status})
    jobs = ScriptedJobs(state)
    until(lambda: not jobs.live)
    jobs.stop()
    assert [state.job(str(job["id"]))["status"] for job in (running, waiting)] == ["succeeded"] * 2  # type: ignore[index]
    assert state.job(str(paused["id"])) == {**paused, "status": "paused"}
    assert ScriptedAnswers(state).stop() is None


@pytest.mark.slow
def test_a_paused_job_ends_as_one_that_was_let_alone(tmp_path: Path) -> None:
    state = State(tmp_path)
    jobs = ScriptedJobs(state)
    alone, stopped = a_job(state, 60), a_job(state, 60)
    jobs.add(alone)
    jobs.add(stopped)
    until(lambda: len(state.events(str(stopped["id"]))) > 20)
    assert jobs.pause(str(stopped["id"]))
    assert state.job(str(stopped["id"]))["status"] == "paused"  # type: ignore[index]
    assert jobs.pause(str(stopped["id"]))  # twice is once
    assert jobs.resume(str(stopped["id"]))
    until(lambda: not jobs.live)
    jobs.stop()

    def told(job: dict[str, object]) -> list[object]:
        return [each["data"] for each in state.events(str(job["id"])) if each["type"] == "metrics"]

    assert told(stopped) == told(alone)
    assert [jobs.pause(str(alone["id"])), jobs.resume(str(alone["id"]))] == [False, False]


def test_the_server_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom ftbuild.embedded.__main__ import main\n"
        f"main(['prepare', '--engine', 'scripted', '--state', {str(tmp_path)!r}, '--model', {json.dumps(TINY)!r}])\n"
        f"main(['serve', '--engine', 'scripted', '--state', {str(tmp_path)!r}, '--idle-seconds', '0.01'])\n"
        "heavy = ('torch', 'tokenizers', 'safetensors', 'numpy', 'jinja2', 'openai', 'hydra', 'pydantic')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_a_rehearsal_goes_to_its_end_and_keeps_apart_from_the_real_thing(project: Project) -> None:
    command = ("+experiment=tone_formal", "provider=rehearsal", "dataset.limit=60")
    state = project.folder / "outputs/.ftbuild/rehearsal"
    try:
        first = project.run(*command)
        assert first.code == 0, first.err
        assert re.search(r"^REHEARSED: .*goal missed", first.out, re.MULTILINE)
        again = project.run(*command)
        assert (again.code, again.out.startswith("Nothing to do: 15 cached.")) == (0, True)
        assert not (project.folder / "outputs/.ftbuild/embedded").exists()
        assert len(list((state / "jobs").iterdir())) == 1
    finally:
        address = state / "server.json"
        if address.exists():
            os.kill(json.loads(address.read_bytes())["pid"], signal.SIGTERM)
            until(lambda: not address.exists())
