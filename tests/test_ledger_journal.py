"""The journal: what its lines add up to, and what a damaged one says."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.errors import StoreError
from ftbuild.ledger.journal import NOT_LAUNCHED, Asked, Journal, JournalState, fold, journals

REQUEST = {"training_file": "file-1"}
INTENT = {"event": "intent", "at": 5.0, "request": REQUEST, "command": ["+experiment=x"], "experiment": "x"}
LOST = {"event": "lost", "at": 6.0}
REFUSED = {"event": "refused", "at": 6.0, "error": "no such model"}
LAUNCHED = {"event": "launched", "at": 6.0, "job_id": "ftjob-1", "adopted": False}
FOUND = {**LAUNCHED, "adopted": True, "others": ["ftjob-8", "ftjob-9"], "command": ["+experiment=y"], "experiment": "y"}
PAUSE, RESUME, CANCEL = ({"event": wish, "at": 7.0, "job_id": "ftjob-1"} for wish in ("pause", "resume", "cancel"))
RUNNING = {"event": "status", "at": 7.0, "job_id": "ftjob-1", "status": "running"}
PAUSED = {"event": "status", "at": 7.5, "job_id": "ftjob-1", "status": "paused", "answers": "pause"}
FAILED = {"event": "ended", "at": 8.0, "status": "failed", "error": "broke", "code": "oom"}
SUCCEEDED = {"event": "ended", "at": 8.0, "status": "succeeded", "error": None}
FETCHED = {"event": "fetched", "at": 8.5, "outputs": {"job.json": "aa"}, "note": "10 steps"}
RETRY = {"event": "retry", "at": 9.0}
SECOND = {"event": "launched", "at": 10.0, "job_id": "ftjob-2", "adopted": False}
EVENTS = [INTENT, LOST, REFUSED, LAUNCHED, FOUND, PAUSE, RESUME, CANCEL, RUNNING, PAUSED, FAILED, SUCCEEDED, FETCHED]
EVENTS += [RETRY, SECOND]
ASKED: dict[str, Any] = {"asked": Asked(("+experiment=x",), "x")}
ONE: dict[str, Any] = {"job_id": "ftjob-1", "launched_at": 6.0, **ASKED}
TWO: dict[str, Any] = {"job_id": "ftjob-2", "launched_at": 10.0, "status": "launched", "seen_at": 10.0, **ASKED}
NEW: dict[str, Any] = {"status": "launched", "seen_at": 6.0}
BROKE: dict[str, Any] = {"status": "failed", "error": "broke", "code": "oom", "seen_at": 8.0}


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], NOT_LAUNCHED),
        ([INTENT], JournalState(intent_at=5.0, request=REQUEST, **ASKED)),
        ([INTENT, LOST], JournalState(intent_at=5.0, request=REQUEST, lost_at=6.0, **ASKED)),
        ([INTENT, LOST, INTENT], JournalState(intent_at=5.0, request=REQUEST, **ASKED)),
        ([INTENT, REFUSED], JournalState(refused="no such model", seen_at=6.0, **ASKED)),
        ([INTENT, REFUSED, INTENT], JournalState(intent_at=5.0, request=REQUEST, seen_at=6.0, **ASKED)),
        ([INTENT, LOST, LAUNCHED], JournalState(**ONE, **NEW)),
        (
            [LAUNCHED | {"attempt": 3, "created_at": 2}],
            JournalState(attempt=3, job_id="ftjob-1", launched_at=2, **NEW),
        ),
        (
            [FOUND],
            JournalState(
                job_id="ftjob-1",
                launched_at=6.0,
                adopted=True,
                others=("ftjob-8", "ftjob-9"),
                asked=Asked(("+experiment=y",), "y"),
                **NEW,
            ),
        ),
        ([INTENT, LAUNCHED, RUNNING], JournalState(**ONE, status="running", seen_at=7.0)),
        ([INTENT, LAUNCHED, CANCEL], JournalState(**ONE, **NEW, wish="cancel")),
        ([INTENT, LAUNCHED, PAUSE, RUNNING], JournalState(**ONE, status="running", seen_at=7.0, wish="pause")),
        ([INTENT, LAUNCHED, PAUSE, PAUSED], JournalState(**ONE, status="paused", seen_at=7.5)),
        ([INTENT, LAUNCHED, CANCEL, FAILED], JournalState(**ONE, **BROKE)),
        ([INTENT, LAUNCHED, FAILED, CANCEL, RUNNING, SUCCEEDED], JournalState(**ONE, **BROKE)),
        (
            [INTENT, LAUNCHED, SUCCEEDED, FETCHED],
            JournalState(**ONE, status="succeeded", seen_at=8.0, fetched={"job.json": "aa"}, note="10 steps"),
        ),
        ([INTENT, LAUNCHED, SUCCEEDED, FAILED], JournalState(**ONE, **BROKE)),
        (
            [INTENT, LAUNCHED, SUCCEEDED, FETCHED, FAILED],
            JournalState(**ONE, status="succeeded", seen_at=8.0, fetched={"job.json": "aa"}, note="10 steps"),
        ),
        ([INTENT, LAUNCHED, FAILED, RETRY], JournalState(attempt=2, past=("ftjob-1",), seen_at=9.0, **ASKED)),
        ([INTENT, LAUNCHED, FAILED, RETRY, SECOND], JournalState(attempt=2, past=("ftjob-1",), **TWO)),
        ([INTENT, LAUNCHED, RETRY], JournalState(**ONE, **NEW)),
        (
            [INTENT, LAUNCHED, FAILED, RETRY, SECOND, {**FAILED, "job_id": "ftjob-1"}, CANCEL, RUNNING],
            JournalState(attempt=2, past=("ftjob-1",), **TWO),
        ),
    ],
)
def test_events_add_up(events: list[dict[str, Any]], state: JournalState) -> None:
    assert fold(events) == state


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ([], "new"),
        ([INTENT], "intent"),
        ([INTENT, LOST], "intent"),
        ([INTENT, REFUSED], "new"),
        ([INTENT, LAUNCHED], "running"),
        ([INTENT, LAUNCHED, PAUSED], "running"),
        ([INTENT, LAUNCHED, FAILED], "terminal"),
        ([INTENT, LAUNCHED, SUCCEEDED], "terminal"),
        ([INTENT, LAUNCHED, SUCCEEDED, FETCHED], "fetched"),
        ([INTENT, LAUNCHED, FAILED, RETRY], "new"),
    ],
)
def test_a_job_goes_from_new_to_fetched(events: list[dict[str, Any]], phase: str) -> None:
    assert fold(events).phase == phase


@given(st.lists(st.sampled_from(EVENTS)), st.data())
def test_a_line_written_twice_counts_once(events: list[dict[str, Any]], data: st.DataObject) -> None:
    twice = [event for event in events for _ in range(data.draw(st.integers(1, 3)))]
    assert fold(twice) == fold(events)


@given(st.lists(st.sampled_from(EVENTS)), st.integers(0, 9))
def test_reading_on_from_a_state_is_reading_all(events: list[dict[str, Any]], at: int) -> None:
    assert fold(events[at:], fold(events[:at])) == fold(events)


def test_a_journal_that_is_not_there_says_not_launched(tmp_path: Path) -> None:
    assert Journal(tmp_path / "none", "key").state() == NOT_LAUNCHED
    assert not (tmp_path / "none").exists()


def test_lines_are_on_disk_with_their_version_first(tmp_path: Path) -> None:
    Journal(tmp_path, "key").append(5.0, "launched", job_id="ftjob-1", adopted=False)
    assert (tmp_path / "key.jsonl").read_bytes() == (
        b'{"v": 1, "at": 5.0, "event": "launched", "job_id": "ftjob-1", "adopted": false}\n'
    )


@pytest.mark.parametrize("torn", [b"{", json.dumps(FAILED).encode()])
def test_a_last_line_cut_short_never_happened(torn: bytes, tmp_path: Path) -> None:
    journal = Journal(tmp_path, "key")
    journal.append(6.0, "launched", job_id="ftjob-1", adopted=False)
    with (tmp_path / "key.jsonl").open("ab") as file:
        file.write(torn)
    assert journal.state() == fold([LAUNCHED])
    journal.append(8.0, "ended", status="succeeded", error=None)
    assert journal.state() == fold([LAUNCHED, SUCCEEDED])


@pytest.mark.parametrize("damaged", [b"{", b"", b"[]", b'{"event": "launched"}', b"\xff"])
def test_a_damaged_line_is_told_with_its_place_and_what_it_risks(damaged: bytes, tmp_path: Path) -> None:
    good = json.dumps(LAUNCHED).encode()
    (tmp_path / "key.jsonl").write_bytes(good + b"\n" + damaged + b"\n" + good + b"\n")
    with pytest.raises(StoreError) as caught:
        Journal(tmp_path, "key").state()
    assert str(caught.value) == (
        f"{tmp_path}/key.jsonl:2: the journal of a paid job cannot be read: this line is damaged\n"
        "    It says whether the job was launched; without it the job might be paid twice.\n"
        "    Fix: mend the file, or delete it: the provider's list is asked before anything is launched."
    )


def knowing(folder: Path, job_id: str) -> list[str]:
    return [journal.key for journal in journals(folder) if journal.state().knows(job_id)]


def test_a_journal_is_found_by_its_job(tmp_path: Path) -> None:
    for key, job_id in [("b", "ftjob-2"), ("a", "ftjob-1")]:
        Journal(tmp_path, key).append(1.0, "launched", job_id=job_id, adopted=False)
    assert knowing(tmp_path, "ftjob-2") == ["b"]
    assert knowing(tmp_path, "ftjob-3") == []
    Journal(tmp_path, "a").append(2.0, "ended", job_id="ftjob-1", status="failed", error=None)
    Journal(tmp_path, "a").append(3.0, "retry", job_id="ftjob-1")
    Journal(tmp_path, "a").append(4.0, "launched", job_id="ftjob-4", adopted=True, others=["ftjob-5"])
    assert [knowing(tmp_path, each) for each in ("ftjob-1", "ftjob-4", "ftjob-5")] == [["a"]] * 3
    assert [journal.key for journal in journals(tmp_path)] == ["a", "b"]
    assert journals(tmp_path / "none") == []
