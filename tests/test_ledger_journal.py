"""The journal: what its lines add up to, and what a damaged one says."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.errors import StoreError
from ftbuild.ledger.journal import NOT_LAUNCHED, Journal, JournalState, find_journal, fold, journals

INTENT = {"event": "intent", "at": 5.0, "command": ["+experiment=x"], "experiment": "x"}
LOST = {"event": "lost", "at": 6.0}
REFUSED = {"event": "refused", "at": 6.0}
LAUNCHED = {"event": "launched", "at": 6.0, "job_id": "ftjob-1", "adopted": False}
CANCEL = {"event": "cancel", "at": 7.0}
FAILED = {"event": "ended", "at": 8.0, "status": "failed", "error": "broke"}
SUCCEEDED = {"event": "ended", "at": 8.0, "status": "succeeded", "error": None}
RETRY = {"event": "retry", "at": 9.0}
SECOND = {"event": "launched", "at": 10.0, "job_id": "ftjob-2", "adopted": False}
ASKED: dict[str, Any] = {"command": ("+experiment=x",), "experiment": "x"}


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], NOT_LAUNCHED),
        ([INTENT], JournalState(intent_at=5.0, **ASKED)),
        ([INTENT, LOST], JournalState(intent_at=5.0, lost_at=6.0, **ASKED)),
        ([INTENT, LOST, INTENT], JournalState(intent_at=5.0, **ASKED)),
        ([INTENT, REFUSED], JournalState(**ASKED)),
        ([INTENT, LOST, LAUNCHED], JournalState(job_id="ftjob-1", status="launched", **ASKED)),
        ([INTENT, LAUNCHED, CANCEL], JournalState(job_id="ftjob-1", status="launched", **ASKED)),
        ([INTENT, LAUNCHED, FAILED], JournalState(job_id="ftjob-1", status="failed", error="broke", **ASKED)),
        ([INTENT, LAUNCHED, FAILED, RETRY], JournalState(attempt=2, **ASKED)),
        (
            [INTENT, LAUNCHED, FAILED, RETRY, SECOND],
            JournalState(attempt=2, job_id="ftjob-2", status="launched", **ASKED),
        ),
        ([INTENT, LAUNCHED, RETRY], JournalState(job_id="ftjob-1", status="launched", **ASKED)),
        (
            [LAUNCHED, FAILED, RETRY, SECOND, {**FAILED, "job_id": "ftjob-1"}],
            JournalState(attempt=2, job_id="ftjob-2", status="launched"),
        ),
    ],
)
def test_events_add_up(events: list[dict[str, Any]], state: JournalState) -> None:
    assert fold(events) == state


@given(
    st.lists(st.sampled_from([INTENT, LOST, REFUSED, LAUNCHED, CANCEL, FAILED, SUCCEEDED, RETRY, SECOND])),
    st.data(),
)
def test_a_line_written_twice_counts_once(events: list[dict[str, Any]], data: st.DataObject) -> None:
    twice = [event for event in events for _ in range(data.draw(st.integers(1, 3)))]
    assert fold(twice) == fold(events)


@given(st.lists(st.sampled_from([INTENT, LOST, REFUSED, LAUNCHED, FAILED, RETRY, SECOND])), st.integers(0, 9))
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


def test_a_journal_is_found_by_its_job(tmp_path: Path) -> None:
    for key, job_id in [("b", "ftjob-2"), ("a", "ftjob-1")]:
        Journal(tmp_path, key).append(1.0, "launched", job_id=job_id, adopted=False)
    found = find_journal(tmp_path, "ftjob-2")
    assert found is not None
    assert found.key == "b"
    assert find_journal(tmp_path, "ftjob-3") is None
    assert [journal.key for journal in journals(tmp_path)] == ["a", "b"]
    assert journals(tmp_path / "none") == []
