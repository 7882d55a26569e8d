"""Hosted providers to the end: a new one is a file of conf/provider, and a rehearsal of OpenAI's needs no key."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import running
from hosted_fixture import AT_ELSEWHERE, KEY, profile
from openai.types.fine_tuning.job_create_params import JobCreateParams
from project_fixture import Project
from pydantic import TypeAdapter
from rehearsal_fixture import stop_server

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
        files = [each for each in project.folder.rglob("*") if each.is_file()]
        assert [each for each in files if KEY.encode() in each.read_bytes()] == []
    finally:
        stop_server(project)
