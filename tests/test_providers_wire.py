"""The wire client against a loopback server: one create is one request, and errors are ours."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_provider import request
from stub_server import LOSE, Stub, completion, job, listed, refusal, stub

from ftbuild.chat import Message
from ftbuild.errors import ProviderError
from ftbuild.ledger.port import JobEvent, JobState
from ftbuild.providers.wire import WireClient

JOBS = "/fine_tuning/jobs"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Stub, WireClient]]:
    with stub() as served:
        made = WireClient(served.url, "token", "acme")
        yield served, made
        asyncio.run(made.close())


@pytest.fixture
def server(running: tuple[Stub, WireClient]) -> Stub:
    running[0].answers.clear()
    running[0].asked.clear()
    return running[0]


@pytest.fixture
def client(running: tuple[Stub, WireClient]) -> WireClient:
    return running[1]


def state(raw: dict[str, object]) -> JobState:
    return JobState(str(raw["id"]), str(raw["status"]), 1721764800, None, None, raw=raw)


def test_a_create_sends_the_whole_request_once(server: Stub, client: WireClient) -> None:
    server.answers[f"POST {JOBS}"] = [(200, job())]
    assert client.create_job(request({"ftbuild_key": "k"})) == state(job())
    (asked,) = server.asked
    assert asked.token == "token"
    assert asked.body == {
        "model": "tiny",
        "training_file": "file-1",
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}},
        "seed": 7,
        "suffix": "test",
        "metadata": {"ftbuild_key": "k"},
    }


@pytest.mark.parametrize("answer", [refusal(500, "oops"), refusal(503, "busy"), refusal(429, "slow down"), LOSE])
def test_a_create_is_sent_once_whatever_comes_back(answer: object, server: Stub, client: WireClient) -> None:
    server.answers[f"POST {JOBS}"] = [answer]
    with pytest.raises(ProviderError):
        client.create_job(request({}))
    assert len(server.asked) == 1


def test_a_client_with_the_retries_of_the_sdk_is_caught(server: Stub) -> None:
    mutant = WireClient(server.url, "token", "acme")
    mutant._once = mutant._client
    with pytest.raises(AssertionError):
        test_a_create_is_sent_once_whatever_comes_back(refusal(500, "oops"), server, mutant)
    assert len(server.asked) == 3
    asyncio.run(mutant.close())


def test_a_read_is_repeated_twice(server: Stub, client: WireClient) -> None:
    server.answers[f"GET {JOBS}/ftjob-1"] = [refusal(500, "oops"), refusal(503, "busy"), (200, job(status="running"))]
    assert client.retrieve_job("ftjob-1").status == "running"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "text", "status", "code"),
    [
        (refusal(400, "unknown model 'x'", "model_not_found"), "acme: unknown model 'x'", 400, "model_not_found"),
        (refusal(401, "wrong key", "invalid_api_key"), "acme: wrong key", 401, "invalid_api_key"),
        (refusal(404, "no such job"), "acme: no such job", 404, None),
        (refusal(500, "oops"), "acme: oops", 500, None),
        ((502, b"<html>bad gateway</html>"), "acme: Error code: 502", 502, None),
        ((200, b"<html>sign in</html>"), "acme: an answer that is no job", None, None),
        ((200, {"object": "list"}), "acme: an answer that is no job", None, None),
    ],
    ids=lambda each: str(each)[:40],
)
def test_errors_are_ours_with_status_and_code(
    answer: object, text: str, status: int | None, code: str | None, server: Stub, client: WireClient
) -> None:
    server.answers[f"POST {JOBS}"] = [answer]
    with pytest.raises(ProviderError) as caught:
        client.create_job(request({}))
    assert (str(caught.value), caught.value.status, caught.value.code) == (text, status, code)


def test_no_answer_is_an_error_without_status(server: Stub, client: WireClient) -> None:
    server.answers[f"POST {JOBS}"] = [LOSE]
    with pytest.raises(ProviderError) as caught:
        client.create_job(request({}))
    assert (str(caught.value), caught.value.status) == (
        "acme: no answer (Server disconnected without sending a response.)",
        None,
    )


def test_nobody_there_is_an_error_without_status() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    client = WireClient(f"http://127.0.0.1:{port}/v1", "token", "acme")
    with pytest.raises(ProviderError) as caught:
        client.create_job(request({}))
    assert (str(caught.value), caught.value.status) == ("acme: no answer ([Errno 111] Connection refused)", None)
    asyncio.run(client.close())


def test_jobs_are_found_by_metadata_or_for_want_of_any_oldest_first_over_all_pages(
    server: Stub, client: WireClient
) -> None:
    wanted = {"ftbuild_key": "k", "ftbuild_attempt": "1"}
    newer = job("ftjob-2", created_at=20, metadata=wanted)
    older = job("ftjob-9", created_at=10, metadata=wanted | {"x": "y"})
    others = [
        job("ftjob-3", metadata={"ftbuild_key": "k"}),
        job("ftjob-4", metadata=None, created_at=11),
        job("ftjob-5", metadata={}, created_at=12),
    ]
    server.answers[f"GET {JOBS}"] = [listed(newer, *others, more=True), listed(older)]
    assert [found.id for found in client.find_jobs(wanted)] == ["ftjob-9", "ftjob-4", "ftjob-5", "ftjob-2"]
    first, second = server.asked
    assert first.query == {"limit": "100", "metadata[ftbuild_key]": "k", "metadata[ftbuild_attempt]": "1"}
    assert second.query == first.query | {"after": "ftjob-5"}


def test_a_failed_job_tells_its_error(server: Stub, client: WireClient) -> None:
    failed = job(status="failed", error={"code": "invalid_file", "message": "line 3", "param": "training_file"})
    server.answers[f"GET {JOBS}/ftjob-1"] = [(200, failed)]
    told = client.retrieve_job("ftjob-1")
    assert (told.status, told.error, told.error_code, told.ended) == ("failed", "line 3", "invalid_file", True)


def test_a_cancel_is_a_post_and_tells_the_state(server: Stub, client: WireClient) -> None:
    server.answers[f"POST {JOBS}/ftjob-1/cancel"] = [(200, job(status="cancelled"))]
    assert client.cancel_job("ftjob-1").status == "cancelled"


def test_events_come_oldest_first(server: Stub, client: WireClient) -> None:
    def event(number: int, **more: object) -> dict[str, object]:
        said = {"object": "fine_tuning.job.event", "id": f"e{number}", "created_at": number, "level": "info"}
        return said | {"message": f"event {number}"} | more

    metrics = {"type": "metrics", "data": {"step": 3, "train_loss": 0.5}}
    server.answers[f"GET {JOBS}/ftjob-1/events"] = [listed(event(3, **metrics), event(2), more=True), listed(event(1))]
    assert client.job_events("ftjob-1") == [
        JobEvent("e1", 1, "message", "event 1", {}),
        JobEvent("e2", 2, "message", "event 2", {}),
        JobEvent("e3", 3, "metrics", "event 3", {"step": 3, "train_loss": 0.5}),
    ]


def event_page(*numbers: int, more: bool = False) -> tuple[int, dict[str, object]]:
    said = {"object": "fine_tuning.job.event", "level": "info", "message": "m"}
    return listed(*({"id": f"e{number}", "created_at": number, **said} for number in numbers), more=more)


def test_no_page_is_read_behind_one_with_nothing_new(server: Stub, client: WireClient) -> None:
    pages = [event_page(9, 8, more=True), event_page(7, 5, more=True), event_page(4, 3, more=True), event_page(2)]
    server.answers[f"GET {JOBS}/ftjob-1/events"] = pages
    known = {f"e{number}" for number in (2, 3, 4, 5)}
    assert [each.id for each in client.job_events("ftjob-1", known)] == ["e7", "e8", "e9"]
    assert [each.query for each in server.asked] == [
        {"limit": "20"},
        {"limit": "20", "after": "e8"},
        {"limit": "20", "after": "e5"},
    ]


def test_an_event_that_stands_on_two_pages_comes_once(server: Stub, client: WireClient) -> None:
    server.answers[f"GET {JOBS}/ftjob-1/events"] = [event_page(3, 2, more=True), event_page(2, 1)]
    assert [each.id for each in client.job_events("ftjob-1")] == ["e1", "e2", "e3"]


def test_a_list_that_does_not_move_on_is_an_error(server: Stub, client: WireClient) -> None:
    server.answers[f"GET {JOBS}/ftjob-1/events"] = [event_page(3, 2, more=True)]
    with pytest.raises(ProviderError, match="a list that does not move on"):
        client.job_events("ftjob-1")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_job_is_paused_and_resumed_by_a_post(verb: str, server: Stub, client: WireClient) -> None:
    server.answers[f"POST {JOBS}/ftjob-1/{verb}"] = [(200, job(status=f"{verb}d"))]
    assert {"pause": client.pause_job, "resume": client.resume_job}[verb]("ftjob-1").status == f"{verb}d"


def test_a_glance_asks_once(server: Stub, client: WireClient) -> None:
    server.answers[f"GET {JOBS}/ftjob-1"] = [refusal(500, "oops"), (200, job())]
    with pytest.raises(ProviderError):
        client.glance_at_job("ftjob-1")
    assert len(server.asked) == 1
    assert client.glance_at_job("ftjob-1").status == "queued"


def test_checkpoints_come_by_step(server: Stub, client: WireClient) -> None:
    def checkpoint(step: int) -> dict[str, object]:
        return {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftckpt-{step}",
            "created_at": step,
            "metrics": {},
            "fine_tuned_model_checkpoint": f"ft:{step}",
            "fine_tuning_job_id": "ftjob-1",
            "step_number": step,
        }

    server.answers[f"GET {JOBS}/ftjob-1/checkpoints"] = [listed(checkpoint(20), checkpoint(10))]
    assert client.job_checkpoints("ftjob-1") == [checkpoint(10), checkpoint(20)]


def file(status: str, **more: object) -> tuple[int, dict[str, object]]:
    said = {"object": "file", "id": "file-1", "bytes": 3, "created_at": 1, "filename": "train.jsonl"}
    return 200, said | {"purpose": "fine-tune", "status": status} | more


def test_an_upload_sends_the_bytes_and_waits_until_they_are_processed(
    server: Stub, client: WireClient, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b'{"messages": []}\n')
    server.answers |= {"POST /files": [file("uploaded")], "GET /files/file-1": [file("uploaded"), file("processed")]}
    assert client.upload(tmp_path / "x", "train.jsonl") == "file-1"
    assert [f"{each.method} {each.path}" for each in server.asked] == [
        "POST /files",
        "GET /files/file-1",
        "GET /files/file-1",
    ]
    sent = server.asked[0].body
    assert b'filename="train.jsonl"' in sent
    assert b'\r\n\r\n{"messages": []}\n\r\n' in sent
    assert b'name="purpose"\r\n\r\nfine-tune\r\n' in sent


@pytest.mark.parametrize(("status", "looks"), [("uploaded", 2), ("pending", 2), (None, 0)])
def test_a_file_that_is_not_processed_in_time_is_there_all_the_same(
    status: Any, looks: int, server: Stub, tmp_path: Path
) -> None:
    """It would be sent anew with every build otherwise, and a server that tells no status would never get a job."""
    (tmp_path / "x").write_bytes(b"{}")
    server.answers |= {"POST /files": [file(status)], "GET /files/file-1": [file(status)]}
    client = WireClient(server.url, "token", "acme", file_wait_seconds=0.5)
    assert client.upload(tmp_path / "x", "train.jsonl") == "file-1"
    assert len(server.said("GET /files/file-1")) == looks
    client.hang_up()


def test_a_file_that_is_refused_is_told(server: Stub, client: WireClient, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"{}")
    server.answers |= {
        "POST /files": [file("uploaded")],
        "GET /files/file-1": [file("error", status_details="line 1: no messages")],
    }
    with pytest.raises(ProviderError) as caught:
        client.upload(tmp_path / "x", "train.jsonl")
    assert (str(caught.value), caught.value.status) == ("acme: file file-1 is refused: line 1: no messages", 400)


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (file("processed"), True),
        (file("uploaded"), True),
        (file("error"), False),
        (refusal(404, "no such file"), False),
    ],
)
def test_a_file_is_there_unless_it_is_broken_or_gone(
    answer: object, there: bool, server: Stub, client: WireClient
) -> None:
    server.answers["GET /files/file-1"] = [answer]
    assert client.has_file("file-1") is there


def test_the_bytes_of_a_file_are_given_as_they_are(server: Stub, client: WireClient) -> None:
    server.answers["GET /files/file-1/content"] = [(200, b"step,train_loss\n")]
    assert client.file_content("file-1") == b"step,train_loss\n"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("90", 90.0), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), (None, None)],
)
def test_when_to_come_again_is_told(said: str | None, seconds: float | None, server: Stub, client: WireClient) -> None:
    server.answers[f"POST {JOBS}"] = [refusal(429, "slow down")]
    server.headers = {} if said is None else {"retry-after": said}
    try:
        with pytest.raises(ProviderError) as caught:
            client.create_job(request({}))
    finally:
        server.headers = {}
    assert caught.value.retry_after == (seconds if seconds is None else pytest.approx(seconds))


def test_what_one_provider_takes_besides_the_protocol_travels_at_the_top(server: Stub, client: WireClient) -> None:
    server.answers[f"POST {JOBS}"] = [(200, job())]
    asked = replace(request({}), extra_body={"trainingType": "Standard"})
    client.create_job(asked)
    [sent] = server.asked
    assert sent.body == asked.to_json() == {**request({}).to_json(), "trainingType": "Standard"}


def test_a_status_in_their_words_is_told_in_openai_s(server: Stub) -> None:
    server.answers[f"GET {JOBS}/ftjob-1"] = [(200, job(status="canceled")), (200, job(status="resting"))]
    client = WireClient(server.url, "token", "acme", {"canceled": "cancelled"})
    assert [client.retrieve_job("ftjob-1").status for _ in range(2)] == ["cancelled", "resting"]
    client.hang_up()


def test_checkpoints_of_a_provider_without_such_a_list_are_none(server: Stub, client: WireClient) -> None:
    server.answers[f"GET {JOBS}/ftjob-1/checkpoints"] = [refusal(404, "no such route")]
    assert client.job_checkpoints("ftjob-1") == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, {"id": "m", "object": "model", "created": 1, "owned_by": "o"}), None),
        ((200, {"id": "m", "object": "model", "shutdown_date": "2027-01-14"}), "2027-01-14"),
        ((200, {"id": "m", "object": "model", "shutdown_date": "2027-01-14T00:00:00Z"}), "2027-01-14"),
        (refusal(404, "no such model"), None),
        (refusal(403, "Missing scopes: api.model.read"), None),
    ],
)
def test_the_end_of_a_model_is_what_the_provider_s_list_says(
    answer: object, told: str | None, server: Stub, client: WireClient
) -> None:
    server.answers["GET /models/m"] = [answer]
    assert client.shutdown_date("m") == told
    assert len(server.asked) == 1


def test_a_look_at_the_models_is_not_repeated(server: Stub, client: WireClient) -> None:
    server.answers["GET /models"] = [listed({"id": "m", "object": "model"}), refusal(503, "busy")]
    assert client.count_models() == 1
    with pytest.raises(ProviderError, match="busy"):
        client.count_models()
    assert len(server.asked) == 2


@pytest.mark.parametrize("is_openai", [False, True])
def test_what_the_environment_says_of_an_account_at_openai_goes_to_openai_alone(
    is_openai: bool, server: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv(
        "OPENAI_CUSTOM_HEADERS", "X-Own: secret" if is_openai else "X-Own: secret\nAuthorization: secret"
    )
    server.answers[f"GET {JOBS}/ftjob-1"] = server.answers[f"POST {JOBS}"] = [(200, job())]
    server.answers["GET /models"] = [listed()]
    server.answers["GET /chat/completions"] = [listed()]
    server.answers["POST /chat/completions"] = [(200, completion("hey"))]
    client = WireClient(server.url, "token", "acme", is_openai=is_openai)
    client.retrieve_job("ftjob-1")
    client.create_job(request({}))
    client.count_models()
    assert list(client.stored_completions({})) == []

    async def ask() -> None:
        await client.complete("tiny", [Message("user", "hey")], {})
        await client.close()

    asyncio.run(ask())
    assert [each.token for each in server.asked] == ["token"] * 5
    for asked in server.asked:
        assert ("secret" in str(asked.headers)) == is_openai
        assert asked.headers.get("openai-organization") == ("org-secret" if is_openai else None)


PAGE = b"<html>Sign in</html>"


@pytest.mark.parametrize("answer", [PAGE, {}, {"object": "list", "data": None}])
def test_an_answer_that_is_no_list_is_not_an_empty_one(answer: object, server: Stub, client: WireClient) -> None:
    """A job that is not in the list is launched again, and paid again."""
    server.answers[f"GET {JOBS}"] = server.answers["GET /models"] = [(200, answer)]
    server.answers[f"GET {JOBS}/ftjob-1/checkpoints"] = [(200, answer)]
    asks: list[Callable[[], object]] = [
        lambda: client.find_jobs({"ftbuild_key": "k"}),
        lambda: client.job_checkpoints("ftjob-1"),
        client.count_models,
    ]
    for ask in asks:
        with pytest.raises(ProviderError, match=r"^acme: an answer that is no list$"):
            ask()


@pytest.mark.parametrize("answer", [PAGE, {}])
def test_an_answer_that_is_no_file_is_an_error(
    answer: object, server: Stub, client: WireClient, tmp_path: Path
) -> None:
    server.answers["GET /files/file-1"] = server.answers["POST /files"] = [(200, answer)]
    (tmp_path / "train.jsonl").write_text("{}\n")
    asks: list[Callable[[], object]] = [
        lambda: client.has_file("file-1"),
        lambda: client.upload(tmp_path / "train.jsonl", "train.jsonl"),
    ]
    for ask in asks:
        with pytest.raises(ProviderError, match=r"^acme: an answer that is no file$"):
            ask()
