"""`ftbuild chat RUN`: each line asked as the run asked, of both models, for people, for programs and at a terminal."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI
from project_fixture import Ended, Project, project_in

BASE = "tiny-random"
SYSTEM = "Rewrite the message in formal business English. Keep every fact, name and number."

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[tuple[Project, str, str]]:
    """A project with a run, the run's id, and its model."""
    with project_in(tmp_path_factory.mktemp("chat") / "project", cache) as project:
        done = project.run("+experiment=tone_formal", "--smoke")
        assert done.code == 0, done.err
        told = project.run_json("outputs/smoke/runs/latest")
        yield project, told["run_id"], told["fine_tuned_model"]


def piped(project: Project, text: str, *arguments: str) -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "ftbuild", "chat", *arguments],
        cwd=project.folder,
        env={**project.environment, "COLUMNS": "80"},
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def asked(project: Project, model: str, text: str) -> str | None:
    address = project.store(smoke=True).server()
    assert address is not None
    with OpenAI(base_url=address.base_url, api_key=address.api_key) as client:
        answer = client.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
            temperature=0,
            max_completion_tokens=120,
        )
    return answer.choices[0].message.content


def test_each_line_is_answered_by_both_models_as_the_run_asked_them(built: tuple[Project, str, str]) -> None:
    project, run_id, tuned = built
    done = piped(project, "see you tmrw\n\nthx\n", run_id, "--format", "json")
    assert (done.code, done.err) == (0, "")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["input"] for line in lines] == ["see you tmrw", "thx"]
    for line, written_out in zip(lines, ("see you tomorrow", "thank you"), strict=True):
        assert [each["model"] for each in line["answers"]] == [BASE, tuned]
        for each in line["answers"]:
            assert (each["content"], each["error"]) == (asked(project, each["model"], written_out), None)
    shown = piped(project, "see you tmrw\n", run_id)
    assert [line.partition(" ")[0] for line in shown.out.splitlines() if line[0] != " "] == [">", BASE, tuned]
    assert not any(letter < " " and letter != "\n" for letter in shown.out)


def test_a_server_that_stopped_is_started_again(built: tuple[Project, str, str]) -> None:
    project, run_id, _ = built
    project.store(smoke=True).kill_server()
    assert piped(project, "thx\n", run_id, "--format", "json").code == 0


def test_who_answers_can_be_named_and_who_cannot_says_so(built: tuple[Project, str, str]) -> None:
    project, run_id, tuned = built
    done = piped(project, "thx\n", run_id, "--model", f"{tuned}:ckpt-step-2,nobody")
    assert done.code == 4
    said = " ".join(done.out.split())
    assert said.endswith(" nobody no answer: embedded server: The model `nobody` does not exist")


def test_a_run_without_a_model_and_no_run_are_told(built: tuple[Project, str, str], tmp_path: Path) -> None:
    project, run_id, _ = built
    told = project.run_json(f"outputs/smoke/runs/{run_id}")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "run.json").write_text(json.dumps({**told, "fine_tuned_model": None}))
    for word, said in (
        (
            str(tmp_path / "bare"),
            "command line: bare has no fine-tuned model\n"
            f"    Fix: ftbuild runs lists others; the base model alone: --model {BASE}\n",
        ),
        ("latest", "command line: no run 'latest'\n    Fix: make one: ftbuild +experiment=NAME\n"),
    ):
        done = piped(project, "thx\n", word)
        assert (done.code, done.out, done.err) == (2, "", said)
    assert piped(project, "").err == "command line: chat takes a run\n    Fix: ftbuild chat latest\n"


def test_at_a_terminal_the_answers_grow_side_by_side(built: tuple[Project, str, str]) -> None:
    project, run_id, tuned = built
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ftbuild", "chat", run_id]
    environment = {**project.environment, "COLUMNS": "120", "TERM": "xterm"}
    process = subprocess.Popen(
        command, cwd=project.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    said = b""

    def until_said(text: bytes) -> bytes:
        nonlocal said
        last = time.monotonic() + 120
        while text not in said:
            assert time.monotonic() < last, said
            if select.select([ours], [], [], 0.2)[0]:
                said += os.read(ours, 4096)
        heard, said = said, b""
        return heard

    try:
        banner = until_said(b"> ")
        os.write(ours, b"thx\n")
        answered = until_said(b"\x1b[?25h> ").decode()  # rich shows the cursor again
        os.write(ours, b"\x04")
        assert process.wait(60) == 0
    finally:
        process.kill()
        os.close(ours)
    assert b"Each line is a conversation of its own; Ctrl-D ends." in banner
    last = answered[answered.rindex(BASE + " ") :]
    assert last.index(tuned) < last.index("\n")  # one line holds both names
    assert answered.count(tuned) > 1  # it was drawn while it grew
