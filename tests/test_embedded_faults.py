"""What goes wrong in a rehearsal, as the ledger's client sees it over HTTP, and the SDK where that one never looks."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest
from config_fixture import TONE, Own
from embedded_fixture import Running, lines, running, until
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.fine_tuning.job_create_params import JobCreateParams
from pydantic import TypeAdapter
from settings_fixture import settings

from ftbuild.embedded.faults import BLOCKED, CHANGES, CLOSED, FORBIDDEN, GONE, QUOTA, REFUSALS, Strikes
from ftbuild.embedded.recording import Recorder
from ftbuild.embedded.state import State
from ftbuild.errors import ProviderError
from ftbuild.ledger.journal import Asked, Journal
from ftbuild.ledger.launch import Clock, launch_once
from ftbuild.ledger.port import JobEvent, JobRequest, JobState
from ftbuild.ledger.watch import Watched, watch
from ftbuild.providers.embedded import set_faults
from ftbuild.providers.wire import WireClient
from ftbuild.settings import Faults, Provider

PROVIDER = settings().provider.model_copy(update={"engine": "scripted"})
NUMBERS = count(1)
CLOCK = Clock(time.time, time.sleep)


def rehearsing(faults: dict[str, Any]) -> Provider:
    return PROVIDER.model_copy(update={"faults": Faults.model_validate(faults)})


@dataclass
class Rehearsal:
    """A running server and the ledger's client of one job."""

    server: Running
    client: WireClient
    folder: Path
    key: str = field(default_factory=lambda: f"{next(NUMBERS):064x}")
    statuses: list[str] = field(default_factory=list)

    def another(self) -> "Rehearsal":
        """Return the same with a job of its own."""
        return Rehearsal(self.server, self.client, self.folder)

    def set(self, **faults: Any) -> None:
        set_faults(self.server.state, rehearsing(faults), time.time())

    def launch(self, settle_seconds: float = 0) -> str:
        """Launch the job and return how it was come by."""
        journal = Journal(self.folder / "ledger", self.key)
        asked = Asked(("+experiment=x",), "x")
        return launch_once(journal, self.client, self._request, CLOCK, settle_seconds, asked).how

    def _request(self, metadata: dict[str, str]) -> JobRequest:
        path = self.folder / "train.jsonl"
        path.write_bytes(lines(16))
        method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}}}
        return JobRequest("tiny", self.client.upload(path, "train.jsonl"), None, method, 7, "x", metadata)

    def watch(self) -> Watched:
        """Launch the job where that is not done, and watch it to its end."""
        self.launch()
        [job] = self.jobs()

        def show(job: JobState, _: list[JobEvent]) -> None:
            self.statuses.append(job.status)

        return watch(self.client, job.id, CLOCK, 0.02, show)

    def jobs(self) -> list[JobState]:
        """Return what there is, faults or not."""
        found = [job for job in State(self.server.state).jobs() if job["metadata"]["ftbuild_key"] == self.key]
        return [JobState(job["id"], job["status"], 0, job["fine_tuned_model"], None) for job in found]

    def requests(self, path: str = "") -> list[dict[str, Any]]:
        """Return the recorded requests that create this job, or to a path."""
        found = [json.loads(line) for line in (self.server.state / "requests.jsonl").read_text().splitlines()]
        if path:
            return [each for each in found if each["path"] == path]
        return [each for each in found if ((each["body"] or {}).get("metadata") or {}).get("ftbuild_key") == self.key]


@contextmanager
def at(server: Running, folder: Path) -> Iterator[Rehearsal]:
    client = WireClient(str(server.client.base_url), server.client.api_key, "embedded server")
    yield Rehearsal(server, client, folder)
    client.hang_up()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("faults")
    with running(folder / "state", folder / "cache", engine="scripted") as found:
        yield found


@pytest.fixture
def rehearsal(server: Running, tmp_path: Path) -> Iterator[Rehearsal]:
    with at(server, tmp_path) as found:
        yield found
    set_faults(server.state, PROVIDER, 0)


def losses(watched: Watched) -> list[tuple[int, float]]:
    return sorted((event.data["step"], event.data["train_loss"]) for event in watched.events if event.type == "metrics")


# --- a create -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "settle_seconds", "how", "struck"),
    [
        ({"answer_lost": 1}, 0, "adopted", [["answer_lost"]]),
        ({"error_after_commit": 1}, 0, "adopted", [["error_after_commit"]]),
        ({"answer_lost": 1, "list_lag": 0.1}, 5, "adopted", [["answer_lost"]]),
        ({"error_before_commit": 1}, 0, "launched", [["error_before_commit"], []]),
    ],
)
def test_an_answer_that_does_not_come_leaves_one_job(
    rehearsal: Rehearsal, faults: dict[str, Any], settle_seconds: float, how: str, struck: list[list[str]]
) -> None:
    rehearsal.set(**faults)
    assert rehearsal.launch(settle_seconds) == how
    assert [each["faults"] for each in rehearsal.requests()] == struck
    assert (len(rehearsal.jobs()), rehearsal.watch().job.status) == (1, "succeeded")


def test_a_list_that_lags_beyond_the_settle_time_makes_a_lost_answer_cost_a_second_job(rehearsal: Rehearsal) -> None:
    rehearsal.set(answer_lost=1, list_lag=60)
    assert (rehearsal.launch(settle_seconds=0), len(rehearsal.jobs())) == ("launched", 2)


def test_a_lost_answer_whose_job_cannot_be_looked_for_is_found_by_the_next_build(rehearsal: Rehearsal) -> None:
    rehearsal.set(answer_lost=1, rate_limited={"request": "list", "after": 1, "times": 3, "seconds": 0})
    with pytest.raises(ProviderError, match="Rate limit reached for requests"):
        rehearsal.launch()
    assert (rehearsal.launch(), len(rehearsal.jobs()), len(rehearsal.requests())) == ("adopted", 1, 1)


@pytest.mark.parametrize(
    ("fault", "status", "code", "said"),
    [
        ("training_closed", 403, "training_not_available", CLOSED),
        ("quota_exceeded", 429, "insufficient_quota", QUOTA),
        ("training_file_gone", 400, "invalid_file", GONE),
        ("permission_denied", 403, "missing_scope", FORBIDDEN),
    ],
)
def test_a_refused_create_leaves_no_job_and_the_next_one_ends_well(
    rehearsal: Rehearsal, fault: str, status: int, code: str, said: str
) -> None:
    rehearsal.set(**{fault: 1})
    with pytest.raises(ProviderError) as refused:
        rehearsal.launch()
    assert (str(refused.value), refused.value.status, refused.value.code) == (f"embedded server: {said}", status, code)
    assert rehearsal.jobs() == []
    assert (rehearsal.launch(), len(rehearsal.jobs())) == ("launched", 1)


@pytest.mark.slow
def test_faults_strike_on_after_the_server_was_killed(server: Running, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state, server.cache, engine="scripted") as one, at(one, tmp_path) as first:
        first.set(answer_lost={"every": 2})
        assert first.launch() == "launched"
    with running(state, server.cache, engine="scripted") as two, at(two, tmp_path) as second:
        assert [second.another().launch() for _ in range(3)] == ["adopted", "launched", "adopted"]


# --- requests -----------------------------------------------------------------------------------


def test_reads_that_come_too_soon_are_repeated_and_a_create_is_not(rehearsal: Rehearsal) -> None:
    rehearsal.set(rate_limited={"request": "read", "every": 2, "seconds": 0})
    assert rehearsal.watch().job.status == "succeeded"
    other = rehearsal.another()
    other.set(rate_limited={"request": "create", "times": 1})
    with pytest.raises(ProviderError, match="Rate limit reached for requests") as refused:
        other.launch()
    assert (refused.value.status, refused.value.code, other.jobs()) == (429, "rate_limit_exceeded", [])
    assert [each["status"] for each in other.requests()] == [429]
    assert (other.launch(), len(other.jobs())) == ("launched", 1)


@pytest.mark.parametrize("fault", ["answer_lost", "error_before_commit"])
def test_a_job_is_watched_on_although_every_other_read_fails(rehearsal: Rehearsal, fault: str) -> None:
    rehearsal.set(**{fault: {"request": "read", "every": 2}})
    assert rehearsal.watch().job.status == "succeeded"


@pytest.mark.parametrize("as_date", [False, True])
def test_when_to_come_again_is_said_in_seconds_or_as_a_date(rehearsal: Rehearsal, *, as_date: bool) -> None:
    rehearsal.set(rate_limited={"request": "any", "seconds": 9, "as_date": as_date})
    with pytest.raises(openai.RateLimitError) as refused:
        rehearsal.server.client.models.list()
    said = refused.value.response.headers["retry-after"]
    left = parsedate_to_datetime(said).timestamp() - time.time() if as_date else int(said)
    assert 6 < left <= 9


def test_an_answer_in_drops_takes_its_time_and_is_whole(rehearsal: Rehearsal) -> None:
    rehearsal.set(slow_body={"request": "list", "seconds": 0.3})
    started = time.monotonic()
    assert rehearsal.client.find_jobs({"ftbuild_key": rehearsal.key}) == []
    assert time.monotonic() - started >= 0.3


# --- jobs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        ({"stuck_validating": 4}, "validating_files"),
        ({"paused": 4}, "paused"),
        ({"slow_epochs": 4}, "running"),
        ({"unknown_status": 4}, "preparing"),
        ({"stuck_validating": 4, "azure_statuses": True}, "pending"),
        ({"empty_error": True}, "succeeded"),
        ({"bare_job": True}, "succeeded"),
        ({"events_repeated": True, "events_disordered": True}, "succeeded"),
    ],
)
def test_a_job_on_a_bad_day_ends_as_on_a_good_one(rehearsal: Rehearsal, faults: dict[str, Any], status: str) -> None:
    good = rehearsal.watch()
    bad_day = rehearsal.another()
    bad_day.set(**faults)
    while (bad := bad_day.watch()).job.parked:  # it is watched anew when it has been resumed
        pass
    assert (bad.job.status, bad.job.error, bad_day.statuses[-1]) == ("succeeded", None, "succeeded")
    assert bad_day.statuses.count(status) >= 4 or status == "succeeded"
    assert losses(bad) == losses(good)
    assert len({event.id for event in bad.events}) == len(bad.events) == len(good.events)


def test_a_paused_job_can_be_cancelled_and_azure_spells_it_its_own_way(rehearsal: Rehearsal) -> None:
    rehearsal.set(paused=1000, azure_statuses=True)
    rehearsal.launch()
    [job] = rehearsal.jobs()
    until(lambda: rehearsal.client.retrieve_job(job.id).status == "paused")
    rehearsal.client.cancel_job(job.id)
    assert rehearsal.watch().job.status == "canceled"


def test_a_job_that_is_held_goes_on_when_the_faults_are_taken_away(rehearsal: Rehearsal) -> None:
    rehearsal.set(paused=1000, server_dies=True)
    rehearsal.launch()
    [job] = rehearsal.jobs()
    until(lambda: rehearsal.client.retrieve_job(job.id).status == "paused")
    rehearsal.set()
    until(lambda: rehearsal.client.retrieve_job(job.id).status != "paused")
    assert rehearsal.watch().job.status == "succeeded"


def test_a_model_that_does_not_pass_the_safety_checks_fails_its_job_for_good(rehearsal: Rehearsal) -> None:
    rehearsal.set(moderation_failed=1)
    ended = rehearsal.watch()
    assert (ended.job.status, ended.job.error, ended.job.error_code) == ("failed", BLOCKED, "moderation_failed")
    assert (ended.job.fine_tuned_model, ended.events[-1].message, len(losses(ended))) == (None, BLOCKED, 8)
    rehearsal.set()
    assert rehearsal.client.retrieve_job(ended.job.id).status == "failed"


@pytest.mark.slow
def test_a_job_goes_on_with_the_server_after_one_that_died_in_its_midst_which_does_not_die_again(
    server: Running, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with running(state, server.cache, engine="scripted") as one, at(one, tmp_path) as first:
        first.set(server_dies=1)
        assert first.launch() == "launched"
        [job] = first.jobs()
        until(lambda: "metrics" in (state / "jobs" / job.id / "events.jsonl").read_text())
        with pytest.raises(ProviderError, match="embedded server: no answer"):
            first.client.retrieve_job(job.id)
        assert one.process.wait() == -9
    with running(state, server.cache, engine="scripted") as two, at(two, tmp_path) as second:
        second.key = first.key
        ended = second.watch()
        assert (ended.job.id, ended.job.status, ended.job.error_code) == (job.id, "succeeded", None)
        assert len(losses(ended)) == len({event.data["step"] for event in ended.events if event.type == "metrics"})
        assert second.another().watch().job.status == "succeeded"


def test_result_files_come_in_half_or_in_base64(rehearsal: Rehearsal) -> None:
    [name] = rehearsal.watch().job.raw["result_files"]
    files = rehearsal.server.client.files
    whole = files.content(name).content
    rehearsal.set(result_truncated=1)
    assert files.content(name).content == whole[: len(whole) // 2]
    rehearsal.set(result_base64=1)
    assert base64.b64decode(files.content(name).content) == whole


# --- when a fault strikes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "struck"),
    [
        (2, [1, 2]),
        (True, list(range(1, 13))),
        ({"every": 3}, [3, 6, 9, 12]),
        ({"after": 10}, [11, 12]),
        ({"after": 4, "every": 2, "times": 2}, [6, 8]),
    ],
)
def test_a_fault_strikes_when_its_parameters_say(tmp_path: Path, fault: object, struck: list[int]) -> None:
    set_faults(tmp_path, rehearsing({"server_dies": fault}), 1)
    found = []
    for number in range(1, 13):  # by a new server each time
        set_faults(tmp_path, rehearsing({"server_dies": fault}), number)
        found += [number] if Strikes(tmp_path).strikes("server_dies") is not None else []
    assert found == struck


def test_other_faults_or_none_in_between_count_anew(tmp_path: Path) -> None:
    def strikes(now: float, **faults: Any) -> bool:
        set_faults(tmp_path, rehearsing(faults), now)
        return Strikes(tmp_path).strikes("answer_lost") is not None

    one, two = {"answer_lost": 1}, {"answer_lost": 1, "paused": 1}
    asked = [one, one, two, two, {}, two]
    assert [strikes(now, **faults) for now, faults in enumerate(asked)] == [True, False, True, False, False, True]


def test_every_fault_that_can_be_set_is_known_to_the_server() -> None:
    of_jobs = {"stuck_validating", "paused", "unknown_status", "slow_epochs", "moderation_failed", "server_dies"}
    assert {*REFUSALS, *CHANGES, *of_jobs, "answer_lost", "slow_body"} == set(Faults.model_fields)


def test_faults_that_no_rehearsal_has_are_told_with_their_place_and_the_nearest_name(tmp_path: Path) -> None:
    own = Own(tmp_path)
    own.experiment(
        "mine",
        """
        # Mine.   ftbuild +experiment=mine
        defaults: [tone_formal, override /provider: rehearsal]
        provider:
          faults: {answr_lost: 1, rate_limited: {request: loo, evry: 2}, paused: long}
        """,
    )
    has = "answer_lost, error_after_commit, error_before_commit, permission_denied, training_closed"
    assert own.refused("plan", "experiment=mine") == (
        "conf/experiment/mine.yaml:5: no key 'provider.faults.answr_lost'\n"
        f"    provider.faults has {has}, quota_exceeded, training_file_gone, rate_limited and 15 more.\n"
        "    Fix: the nearest key is provider.faults.answer_lost.\n"
        "conf/experiment/mine.yaml:5: no key 'provider.faults.rate_limited.evry'\n"
        "    provider.faults.rate_limited has times, after, every, request, seconds, as_date.\n"
        "    Fix: the nearest key is provider.faults.rate_limited.every.\n"
        "conf/experiment/mine.yaml:5: provider.faults.paused: 'long' should be a map of keys\n"
        "conf/experiment/mine.yaml:5: provider.faults.rate_limited.request: 'loo' should be 'create', 'upload', 'list',"
        " 'look', 'events', 'complete', 'read' or 'any'\n"
        "    Fix: the nearest is 'look'.\n"
    )
    said = own.refused("plan", TONE, "provider.faults={answer_lost: 1}")
    assert said.endswith("provider: faults are for rehearsals: provider=rehearsal, or provider.rehearsed=true\n")


# --- the record ---------------------------------------------------------------------------------


def test_what_is_recorded_is_what_the_sdk_may_send(rehearsal: Rehearsal) -> None:
    watched = rehearsal.watch()
    client = rehearsal.server.client
    messages: Any = [{"role": "user", "content": "hello"}]
    client.chat.completions.create(model=str(watched.job.fine_tuned_model), messages=messages, temperature=0)
    [create] = rehearsal.requests()
    TypeAdapter(JobCreateParams).validate_python(create["body"])
    assert create["body"].keys() <= JobCreateParams.__annotations__.keys()
    assert create["headers"]["x-stainless-retry-count"] == "0"
    asked = rehearsal.requests("/v1/chat/completions")[-1]
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(asked["body"])
    sent = rehearsal.requests("/v1/files")[-1]["body"]
    assert (sent["purpose"], sent["file"].keys()) == ("fine-tune", {"filename", "bytes", "sha256"})
    assert (sent["file"]["filename"], sent["file"]["bytes"]) == ("train.jsonl", len(lines(16)))
    listed = [each for each in rehearsal.requests("/v1/fine_tuning/jobs") if each["method"] == "GET"][-1]
    assert (listed["method"], f"={rehearsal.key}" in listed["query"]) == ("GET", True)


def test_no_record_holds_the_token_or_what_a_file_says(rehearsal: Rehearsal) -> None:
    rehearsal.launch()
    recorded = (rehearsal.server.state / "requests.jsonl").read_text()
    assert rehearsal.server.client.api_key not in recorded
    assert "authorization" not in recorded
    assert "Say it backwards." not in recorded


def test_the_record_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    async def routes(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 300_000}

    async def send(_: Any) -> None: ...

    recorder = Recorder(routes, tmp_path, full=1000)
    for number in range(30):
        scope = {"method": "POST", "path": f"/v1/{number}", "query_string": b"", "headers": []}
        asyncio.run(recorder(scope, receive, send))
    kept = [(tmp_path / name).read_text().splitlines() for name in ("requests.1.jsonl", "requests.jsonl")]
    found = [json.loads(line) for line in (*kept[0], *kept[1])]
    assert [each["path"] for each in found] == [f"/v1/{number}" for number in range(30 - len(found), 30)]
    assert found[0]["body"] == {"bytes": 300_000}
    assert 1000 < sum(path.stat().st_size for path in tmp_path.iterdir()) < 2500
