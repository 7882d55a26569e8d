"""Hosted providers to the end: a new one is a file of conf/provider, and a rehearsal of OpenAI's needs no key."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from embedded_fixture import running
from hosted_fixture import AT_ELSEWHERE, KEY, profile
from openai import OpenAI
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.fine_tuning.job_create_params import JobCreateParams
from openapi_fixture import wrong_answer, wrong_request
from project_fixture import Project
from pydantic import TypeAdapter
from rehearsal_fixture import recorded, state, stop_server

from ftbuild.cli.chat import SCRIPTED
from ftbuild.providers.embedded import running as address_of
from ftbuild.report.words import REHEARSED as SAID_OF_IT

OPENAI = ("+experiment=tone_formal", "--smoke", "provider=openai", "model=gpt_4_1_mini", "provider.rehearsed=true")


def intents(project: Project) -> list[dict[str, Any]]:
    """Return the jobs that were asked for, as the ledger wrote them down."""
    lines = [json.loads(line) for line in project.store(smoke=True).journal()]
    return [each["request"] for each in lines if each["event"] == "intent"]


@pytest.mark.slow
def test_a_provider_that_speaks_the_protocol_is_one_file_and_no_code(
    project: Project, tmp_path: Path, cache: Path
) -> None:
    with running(tmp_path / "theirs", cache, engine="scripted") as server:
        own = profile(
            base_url=str(server.client.base_url),
            free=True,
            suffix={"characters": 6, "letters": "a-z"},
            hyperparameters={"learning_rate_multiplier": {"name": "learning_rate", "times": 0.5, "absolute": True}},
            extra_hyperparameters={"lora_r": 16},
            omits_auto=True,
            extra_body={"trainingType": "Standard"},
        )
        path = project.folder / "conf" / "provider" / "elsewhere.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(own, encoding="utf-8")
        asked = (*AT_ELSEWHERE, "method.hyperparameters.learning_rate_multiplier=2")
        ended = project.run(*asked, ELSEWHERE_KEY=server.client.api_key)
        assert ended.code == 0, ended.err
        [job] = server.client.fine_tuning.jobs.list()
        assert (job.fine_tuned_model or "").startswith("ft:tiny:ftbuild:tonefo:")
        [request] = intents(project)
        assert (request["model"], request["trainingType"]) == ("tiny", "Standard")
        learnt = request["method"]["supervised"]["hyperparameters"]
        assert learnt == {"n_epochs": 1, "learning_rate": 1.0, "lora_r": 16}
        told = project.run_json("outputs/smoke/runs/latest")
        assert (told["provider"], told["jobs"], told["cost_usd"]) == ("elsewhere", [job.id], 0)
        again = project.run(*asked, ELSEWHERE_KEY=server.client.api_key)
        assert (again.code, again.out.startswith("Nothing to do: 15 cached.")) == (0, True)
        key = server.client.api_key.encode()
        files = [each for each in project.folder.rglob("*") if each.is_file()]
        assert [each for each in files if key in each.read_bytes()] == []


@pytest.mark.slow
def test_a_rehearsal_of_openai_sends_its_requests_to_our_own_server(project: Project) -> None:
    try:
        ended = project.run(*OPENAI, OPENAI_API_KEY=KEY)
        assert ended.code == 0, ended.err
        assert re.search(r"; no money\n$", ended.out)
        [request] = intents(project)
        assert TypeAdapter(JobCreateParams).validate_python(request) == request
        assert (request["model"], request["suffix"]) == ("gpt-4.1-mini-2025-04-14", "tone-formal")
        told = project.run_json("outputs/smoke/runs/latest")
        assert (told["provider"], told["fine_tuned_model"].split(":")[:2]) == (
            "openai rehearsed",
            ["ft", "gpt-4.1-mini-2025-04-14"],
        )
        assert "\nREHEARSED: NO VERDICT, goal not judged.\n" in ended.out
        page = (project.folder / "outputs/smoke/runs/latest/report.html").read_text(encoding="utf-8")
        assert "Rehearsed: no verdict, goal not judged." in page
        assert SAID_OF_IT in page
        assert project.run("chat", told["run_id"]).err == f"{SCRIPTED}\n"
        exported = project.run("export", told["run_id"], "away")
        assert (exported.code, exported.err.splitlines()[1]) == (
            2,
            "    It is a rehearsal: its job and its answers are made up, and there are no weights.",
        )
        files = [each for each in project.folder.rglob("*") if each.is_file()]
        assert [each for each in files if KEY.encode() in each.read_bytes()] == []
    finally:
        stop_server(project)


FULL = ("+experiment=tone_formal", "provider=openai", "model=gpt_4_1_mini", "provider.rehearsed=true")
SDK = {
    "/v1/fine_tuning/jobs": TypeAdapter(JobCreateParams),
    "/v1/chat/completions": TypeAdapter(CompletionCreateParamsNonStreaming),
}


def answers_as_wanted(project: Project) -> dict[str, list[dict[str, Any]]]:
    """Let the tuned model answer every test example as its reference does; return the lines of each split."""
    assert project.run("dataset", *FULL).code == 0
    [built] = (project.folder / "datasets/built/tone_formal").iterdir()
    splits = {name: (built / f"{name}.jsonl").read_text(encoding="utf-8") for name in ("train", "validation", "test")}
    lines = {name: [json.loads(line) for line in text.splitlines()] for name, text in splits.items()}
    said = [(each["messages"][-2]["content"], each["messages"][-1]["content"]) for each in lines["test"]]
    answers = [
        {"match": {"tuned": True, "contains": asked}, "answer": answer}
        for asked, answer in sorted(said, key=lambda pair: -len(pair[0]))  # a short message may stand in a longer one
    ]
    folder = state(project, smoke=False)
    folder.mkdir(parents=True)
    (folder / "answers.jsonl").write_text("".join(json.dumps(each) + "\n" for each in answers), encoding="utf-8")
    return lines


@pytest.mark.slow
def test_the_whole_rehearsal_of_openai_comes_to_its_verdict_with_requests_as_published(project: Project) -> None:
    try:
        lines = answers_as_wanted(project)
        ended = project.run(*FULL, OPENAI_API_KEY=KEY)
        assert ended.code == 0, ended.err
        told = project.run_json()
        assert (told["verdict"], told["ending"], told["cost_usd"]) == ("better", "met", 0)
        asked = recorded(project, smoke=False)
        wrong = [each for line in asked for each in _against_the_description(line)]
        assert wrong == []
        for path, types in SDK.items():
            for line in asked:
                if line["method"] == "POST" and line["path"] == path:
                    assert types.validate_python(line["body"]).keys() == line["body"].keys()
        _sent_what_was_built(asked, project, lines)
        assert _wrong_answers(project, told["jobs"][0]) == []
    finally:
        stop_server(project, smoke=False)


def _against_the_description(line: dict[str, Any]) -> list[str]:
    return wrong_request(line["method"], line["path"].removeprefix("/v1"), dict(parse_qsl(line["query"])), line["body"])


def _sent_what_was_built(asked: list[dict[str, Any]], project: Project, lines: dict[str, list[dict[str, Any]]]) -> None:
    """Say nothing if the files are those that were built, there is one job, and each model was asked each example."""
    [built] = (project.folder / "datasets/built/tone_formal").iterdir()
    files = [each["body"] for each in asked if (each["method"], each["path"]) == ("POST", "/v1/files")]
    digests = [hashlib.sha256((built / f"{name}.jsonl").read_bytes()).hexdigest() for name in ("train", "validation")]
    assert [(each["purpose"], each["file"]["sha256"]) for each in files] == [("fine-tune", each) for each in digests]
    assert len([each for each in asked if (each["method"], each["path"]) == ("POST", "/v1/fine_tuning/jobs")]) == 1
    completions = [each["body"] for each in asked if each["path"] == "/v1/chat/completions"]
    prompts = Counter(json.dumps(each["messages"]) for each in completions)
    assert prompts == Counter({json.dumps(each["messages"][:-1]): 2 for each in lines["test"]})
    assert {each["model"].partition(":")[0] for each in completions} == {"gpt-4.1-mini-2025-04-14", "ft"}


def _wrong_answers(project: Project, job_id: str) -> list[str]:
    """Return what the description has against what our own server answers."""
    address = address_of(state(project, smoke=False))
    assert address is not None
    client = OpenAI(base_url=address.base_url, api_key=address.api_key)
    job = f"/fine_tuning/jobs/{job_id}"
    file_id = client.fine_tuning.jobs.retrieve(job_id).training_file
    paths = (job, f"{job}/events", f"{job}/checkpoints", "/fine_tuning/jobs", f"/files/{file_id}", "/models")
    found = []
    for path in (*paths, "/fine_tuning/jobs/ftjob-none"):
        answer = client._client.get(path, headers={"Authorization": f"Bearer {address.api_key}"})
        found += wrong_answer("GET", path, answer.status_code, answer.json())
    client.close()
    return found
