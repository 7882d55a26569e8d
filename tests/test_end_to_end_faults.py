"""Whole builds on bad days: what people see, what it costs, and that the next build ends well."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.fine_tuning.job_create_params import JobCreateParams
from project_fixture import Ended, Project, project_in
from pydantic import TypeAdapter
from rehearsal_fixture import REHEARSED, recorded, state, stop_server

from ftbuild.embedded.faults import BLOCKED, CLOSED

pytestmark = pytest.mark.slow

LATEST = "outputs/smoke/runs/latest"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("bad-days"), cache) as found:
        yield found
        stop_server(found)


def build(project: Project, seed: int, faults: str = "{}", *more: str) -> Ended:
    """Build with a job of its own for every seed."""
    ended = project.run(*REHEARSED, f"seed={seed}", f"provider.faults={faults}", *more)
    assert "Traceback" not in ended.err
    return ended


def posted(project: Project, path: str) -> list[dict[str, Any]]:
    return [each for each in recorded(project) if (each["method"], each["path"]) == ("POST", path)]


def creates(project: Project, seed: int) -> list[int | None]:
    """Return the statuses of the creates that were sent for a seed."""
    return [each["status"] for each in posted(project, "/v1/fine_tuning/jobs") if each["body"]["seed"] == seed]


def jobs(project: Project, seed: int) -> list[str]:
    """Return the jobs that there are for a seed, oldest first, and check that every key and attempt has one."""
    found = [json.loads(path.read_bytes()) for path in state(project).glob("jobs/*/job.json")]
    mine = sorted((job for job in found if job["seed"] == seed), key=lambda job: job["_at"])
    keys = Counter((job["metadata"]["ftbuild_key"], job["metadata"]["ftbuild_attempt"]) for job in mine)
    assert set(keys.values()) <= {1}
    return [job["id"] for job in mine]


def test_a_lost_answer_and_a_late_list_end_well_and_cost_one_job(project: Project) -> None:
    faults = "{answer_lost: 1, list_lag: 0.5}"
    ended = build(project, 1, faults, "provider.settle_seconds=5")
    assert ended.code == 0, ended.err
    [job] = jobs(project, 1)
    assert f"{job} was launched before: adopted, not paid again\n" in ended.err
    assert creates(project, 1) == [200]
    assert build(project, 1, faults).out.startswith("Nothing to do: 15 cached.")


def test_an_error_before_the_commit_is_no_reason_to_stop(project: Project) -> None:
    ended = build(project, 2, "{error_before_commit: 1}")
    assert ended.code == 0, ended.err
    assert (creates(project, 2), len(jobs(project, 2))) == ([500, 200], 1)


def test_a_refused_create_is_told_in_the_providers_words_and_the_next_build_ends_well(project: Project) -> None:
    faults = "{training_closed: 1}"
    refused = build(project, 3, faults)
    assert (refused.code, jobs(project, 3)) == (4, [])
    assert f"embedded server: {CLOSED}\n" in refused.err
    again = build(project, 3, faults)
    assert again.code == 0, again.err
    assert (creates(project, 3), len(jobs(project, 3))) == ([403, 200], 1)


def test_a_failed_job_is_repeated_only_when_that_is_asked_for(project: Project) -> None:
    failed = build(project, 4, "{moderation_failed: 1}")
    [job] = jobs(project, 4)
    assert failed.code == 5
    assert failed.err.endswith(
        f"\n{job} failed: {BLOCKED}\n"
        "    The provider's safety check objects to the data, or to the model made of it. It is not launched again "
        "by itself: a job costs money and hours.\n"
        "    Fix: take out what it may object to (ftbuild show), then build again.\n"
    )
    retried = project.run("retry", job)
    assert retried.code == 0, retried.err
    assert (creates(project, 4), len(jobs(project, 4))) == ([200, 200], 2)


def test_a_job_whose_server_dies_is_taken_up_by_the_next_one(project: Project) -> None:
    ended = build(project, 5, "{server_dies: 1}")
    assert ended.code == 0, ended.err
    assert (creates(project, 5), len(jobs(project, 5))) == ([200], 1)


def test_a_paused_job_ends_the_build_and_is_come_back_to(project: Project) -> None:
    faults = "{paused: 2}"
    parked = build(project, 7, faults)
    [job] = jobs(project, 7)
    assert parked.code == 5
    assert f"{job} is paused at the provider\n" in parked.err
    assert f"Fix: ftbuild resume {job}, then the same command again.\n" in parked.err
    while (again := build(project, 7, faults)).code == 5:
        pass
    assert again.code == 0, again.err
    assert creates(project, 7) == [200]


def test_a_bad_day_gives_what_a_good_one_gives_with_requests_that_the_sdk_may_send(
    project: Project, tmp_path: Path, cache: Path
) -> None:
    faults = (
        "{stuck_validating: 3, unknown_status: 3, azure_statuses: true, empty_error: true, bare_job: true, "
        "events_repeated: true, events_disordered: true, slow_body: {request: any, seconds: 0.05}, "
        "rate_limited: {every: 3, seconds: 0}}"
    )
    bad = build(project, 6, faults)
    assert bad.code == 0, bad.err
    with project_in(tmp_path / "good", cache) as other:
        try:
            assert build(other, 6).code == 0
        finally:
            stop_server(other)
        assert other.run_json(LATEST)["metrics"] == project.run_json(LATEST)["metrics"]
    for each in posted(project, "/v1/fine_tuning/jobs"):
        TypeAdapter(JobCreateParams).validate_python(each["body"])
        assert each["body"].keys() <= JobCreateParams.__annotations__.keys()
    for each in posted(project, "/v1/chat/completions"):
        TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(each["body"])
