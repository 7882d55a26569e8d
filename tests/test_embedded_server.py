"""The routes, driven by the openai SDK against a server process with the tiny model."""

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from embedded_fixture import SYSTEM, WORDS, Running, environment, lines, running, until

from ftbuild.embedded.routes import Service, _while_it_lasts
from ftbuild.embedded.state import State
from ftbuild.embedded.wire import ApiError

FOREVER = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("embedded")
    with running(folder / "state", folder / "cache") as found:
        yield found


@pytest.mark.slow
def test_the_sdk_trains_a_model_and_uses_it(server: Running) -> None:
    client = server.client
    valid = client.files.create(file=("valid.jsonl", lines(3)), purpose="fine-tune")
    created = server.job(
        lines(24),
        validation_file=valid.id,
        suffix="back",
        seed=3,
        metadata={"key": "a"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 4, "batch_size": 6}}},
    )
    assert (created.status, created.seed, created.metadata) == ("validating_files", 3, {"key": "a"})
    job = server.ended(created.id)

    assert job.error is None
    assert job.status == "succeeded"
    assert job.fine_tuned_model == f"ft:tiny:ftbuild:back:{job.id[-8:]}"
    assert job.hyperparameters.to_dict() == {"n_epochs": 4, "batch_size": 6, "learning_rate_multiplier": 1.0}
    assert job.trained_tokens is not None
    assert job.trained_tokens % 4 == 0

    events = list(client.fine_tuning.jobs.list_events(job.id, limit=3))[::-1]  # pages of three
    metrics = [event.data for event in events if event.type == "metrics"]
    assert [one["step"] for one in metrics] == list(range(1, 17))
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"]
    assert [one["step"] for one in metrics if "full_valid_loss" in one] == [4, 8, 12, 16]
    assert events[0].message == f"Created fine-tuning job: {job.id}"
    assert events[-1].message == "The job has successfully completed"

    table = client.files.content(job.result_files[0]).text.splitlines()
    assert table[0] == "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
    assert len(table) == 17

    checkpoints = client.fine_tuning.jobs.checkpoints.list(job.id).data
    names = [one.fine_tuned_model_checkpoint for one in checkpoints]
    assert names == [f"{job.fine_tuned_model}:ckpt-step-{step}" for step in (16, 12, 8)]
    assert [one.id for one in client.models.list()] == ["tiny", *names[::-1][:2], names[0], job.fine_tuned_model]
    assert client.models.retrieve(job.fine_tuned_model).owned_by == "org-ftbuild"

    def ask(model: str) -> str | None:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "red"}]
        answer = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=8)  # type: ignore[arg-type]
        return answer.choices[0].message.content

    assert ask(job.fine_tuned_model) == ask(names[0])
    assert ask(job.fine_tuned_model) != ask("tiny")
    assert client.models.delete(job.fine_tuned_model).deleted
    with pytest.raises(openai.NotFoundError) as gone:
        client.models.retrieve(job.fine_tuned_model)
    assert gone.value.code == "model_not_found"


def test_answers_in_a_batch_are_the_answers_alone(server: Running) -> None:
    def ask(word: str, **more: object) -> tuple[str | None, str, int]:
        answer = server.client.chat.completions.create(  # type: ignore[call-overload]
            model="tiny",
            messages=[{"role": "user", "content": word * len(word)}],
            max_completion_tokens=4 + len(word),
            **({"temperature": 0} | more),
        )
        return answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage.completion_tokens

    alone = [ask(word) for word in WORDS]
    with ThreadPoolExecutor(len(WORDS)) as threads:
        assert list(threads.map(ask, WORDS)) == alone
    assert alone[0][1:] == ("length", 7)
    assert ask("warm", temperature=1, seed=5) == ask("warm", temperature=1, seed=5)
    first = alone[5][0]
    assert first
    assert ask("three", stop=first[2:4])[:2] == (first[: first.index(first[2:4])], "stop")


def test_files_come_back_as_they_were_sent(server: Running) -> None:
    client = server.client
    content = b"\r\n--x\r\n\x00\xff" + lines(2)
    file = client.files.create(file=("../t\u00e4st.jsonl", content), purpose="fine-tune")
    assert client.files.retrieve(file.id) == file
    assert (file.filename, file.bytes, file.status) == ("../t\u00e4st.jsonl", len(content), "processed")
    assert client.files.content(file.id).read() == content
    assert file.id in [one.id for one in client.files.list(limit=1)]
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No such File object: {file.id}"):
        client.files.retrieve(file.id)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve("..%2F..%2Fserver.json")


def test_a_cancelled_job_ends_at_once_and_the_next_one_runs(server: Running) -> None:
    jobs = server.client.fine_tuning.jobs
    first, second = (server.job(lines(60), metadata={"n": n}, method=FOREVER) for n in "12")
    until(lambda: server.status(first.id) == "running")
    pid = server.trainer(first.id)
    assert [job.id for job in jobs.list(metadata={"n": "2"})] == [second.id]
    assert [job.id for job in jobs.list(limit=2).data] == [second.id, first.id]
    assert jobs.cancel(second.id).status == "cancelled"
    cancelled = jobs.cancel(first.id)
    assert (cancelled.status, cancelled.error, cancelled.fine_tuned_model) == ("cancelled", None, None)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(openai.BadRequestError, match=f"Job has already completed: {first.id}"):
        jobs.cancel(first.id)


def test_a_file_that_cannot_be_learnt_from_fails_the_job(server: Running) -> None:
    job = server.ended(server.job(lines(9) + b'{"messages": [}\n' + lines(2)).id)
    assert job.status == "failed"
    assert job.error is not None
    assert (job.error.code, job.error.param) == ("invalid_training_file", "training_file")
    assert job.error.message.startswith(
        "The job failed due to an invalid training file. Invalid file format. Example 10 cannot be parsed. Error: "
    )


def test_a_second_server_leaves_at_once_and_only_the_token_opens(server: Running) -> None:
    command = [sys.executable, "-m", "ftbuild.embedded", "serve", "--state", str(server.state)]
    assert subprocess.run(command, env=environment(server.cache), check=False, timeout=20).returncode == 0
    address = server.state / "server.json"
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert json.loads(address.read_text())["pid"] == server.process.pid
    with pytest.raises(openai.AuthenticationError, match=r"Incorrect API key provided\."):
        server.client.with_options(api_key="guess").models.list()
    until(lambda: " GET /v1/models 401\n" in (server.state / "requests.log").read_text())  # written after the answer


def test_an_idle_server_stops_and_takes_its_address_away(server: Running, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ftbuild.embedded", "serve", "--state", str(tmp_path), "--idle-seconds", "0.2"]
    assert subprocess.run(command, env=environment(server.cache), check=False, timeout=20).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bases", "files", "jobs", "server.lock"]


@pytest.mark.parametrize(
    ("asked", "param", "message"),
    [
        ({"model": "gpt-5"}, "model", "Model gpt-5 is not available for fine-tuning or does not exist."),
        ({"training_file": "file-abcdefgh"}, "training_file", "invalid training_file: file-abcdefgh does not exist"),
        ({"training_file": "../server.json"}, "training_file", "invalid training_file: ../server.json does not exist"),
        (
            {"suffix": "x" * 65},
            "suffix",
            "'suffix' must be 1 to 64 characters: letters, digits, '-', '_', '.' and space.",
        ),
        ({"seed": -1}, "seed", "'seed' must be between 0 and 2147483647."),
        (
            {"metadata": {str(n): "" for n in range(17)}},
            "metadata",
            "'metadata' has 17 pairs, but at most 16 are allowed.",
        ),
        (
            {"hyperparameters": {"n_epochs": 51}},
            "hyperparameters.n_epochs",
            "Invalid 'hyperparameters.n_epochs': 51 is not 'auto' or an integer from 1 to 50.",
        ),
        (
            {"method": {"type": "reinforcement"}},
            "method.type",
            "This server cannot train with method 'reinforcement': it can do 'supervised' and 'dpo'.",
        ),
        (
            {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2.5}}}},
            "method.dpo.hyperparameters.beta",
            "Invalid 'method.dpo.hyperparameters.beta': 2.5 is not 'auto' or a number from 1e-06 to 2.",
        ),
        (
            {"hyperparameters": {"beta": 1}},
            "hyperparameters.beta",
            "Unknown parameter: 'hyperparameters.beta'.",
        ),
        ({"extra_body": {"lr": 1}}, "lr", "Unknown parameter: 'lr'."),
    ],
)
def test_a_bad_job_is_refused_in_openai_shape(
    server: Running, asked: dict[str, object], param: str, message: str
) -> None:
    good = {"model": "tiny", "training_file": "file-abcdefgh"}
    with pytest.raises(openai.BadRequestError) as refused:
        server.client.fine_tuning.jobs.create(**(good | asked))  # type: ignore[arg-type]
    body = refused.value.body
    assert isinstance(body, dict)
    assert (body["message"], body["param"], body["type"]) == (message, param, "invalid_request_error")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"parallel_tool_calls": False},
            "Invalid value for 'parallel_tool_calls': it is only allowed when 'tools' are specified.",
        ),
        ({"tool_choice": "auto"}, "Invalid value for 'tool_choice': it is only allowed when 'tools' are specified."),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "Invalid 'tools[0].function.name': 'a b' is no name of a tool.",
        ),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "c", "content": "1"}]},
            "Invalid 'messages[1].tool_call_id': 'c' answers a call that nobody made.",
        ),
        ({"temperature": 3}, "'temperature' must be between 0 and 2."),
        ({"messages": []}, "'messages' must be a list with at least one message."),
        (
            {"messages": [{"role": "user", "content": "a<|im_end|>b"}]},
            "messages[0].content contains an invalid token: <|im_end|>.",
        ),
        (
            {"max_tokens": 9000},
            "This model's maximum context length is 8192 tokens. However, you requested "
            "24 tokens in the messages and 9000 in the completion.",
        ),
    ],
)
def test_a_bad_completion_is_refused_in_openai_shape(server: Running, asked: dict[str, object], message: str) -> None:
    good = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
    with pytest.raises(openai.BadRequestError) as refused:
        server.client.chat.completions.create(**(good | asked))  # type: ignore[call-overload]
    body = refused.value.body
    assert isinstance(body, dict)
    assert body["message"] == message


def test_a_file_that_is_to_expire_is_refused_since_none_does(server: Running) -> None:
    with pytest.raises(openai.BadRequestError, match=r"Unknown parameter: 'expires_after\[anchor\]'"):
        server.client.files.create(
            file=("a.jsonl", b"{}"), purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3600}
        )


def test_a_model_that_goes_while_a_question_waits_for_it_is_a_404(tmp_path: Path) -> None:
    service = Service(State(tmp_path), None, None)  # type: ignore[arg-type]
    with pytest.raises(ApiError, match="The model `tiny` does not exist"), _while_it_lasts(service, "tiny"):
        (tmp_path / "adapters").read_bytes()


@pytest.mark.parametrize("name", ["a" * 4000, "a" * 250, "a/" * 100])
def test_no_model_has_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    assert State(tmp_path).base(name) is None


def test_a_file_that_does_not_fit_on_the_disk_leaves_nothing(tmp_path: Path) -> None:
    state = State(tmp_path)
    kept = state.add_file("a", "fine-tune", b"x")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            state.add_file("b", "fine-tune", b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in (tmp_path / "files").iterdir()] == [kept["id"]]


def test_a_folder_that_cannot_be_written_ends_the_server_before_it_serves(tmp_path: Path) -> None:
    (tmp_path / "files").touch()
    command = [sys.executable, "-m", "ftbuild.embedded", "serve", "--state", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    fix = "    Fix: free space or rights there, then again."
    assert (ended.returncode, ended.stderr) == (5, f"{tmp_path}: cannot be written: file exists\n{fix}\n")


def test_what_is_not_there_is_a_404(server: Running) -> None:
    with pytest.raises(openai.NotFoundError, match="Could not find fine tune: ftjob-abcdefgh"):
        server.client.fine_tuning.jobs.retrieve("ftjob-abcdefgh")
    with pytest.raises(openai.NotFoundError, match="The model `nobody` does not exist"):
        server.client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(GET /v1/vector_stores\)"):
        server.client.vector_stores.list()
