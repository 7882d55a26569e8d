"""What is made of a job, an event, a checkpoint in a shape that no reference has: never an exception, never the key."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stub_server import job as published

from ftbuild.ledger.results import rows_of_events
from ftbuild.providers import shapes
from ftbuild.report.progress import JobProgress

KEY = "sk-elsewhere-0123456789abcdef"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(KEY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just(KEY), inner, max_size=3),
    max_leaves=6,
)


def job(**said: Any) -> Any:
    return shapes.job(published(**said), {"DONE": "succeeded"}, KEY)


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (None, None, None),
        ({}, None, None),
        ({"code": None, "message": None, "param": None}, None, None),  # of a healthy job
        ({"code": "no_room", "message": "full"}, "full", "no_room"),
        ({"code": "no_room"}, "error no_room", "no_room"),
        ("full", "full", None),
        ([{"message": "full"}], '[{"message": "full"}]', None),
        (f"no such key {KEY}", "no such key [key]", None),
    ],
)
def test_an_error_is_words_and_a_code(error: object, message: str | None, code: str | None) -> None:
    told = job(error=error)
    assert (told.error, told.error_code) == (message, code)


@pytest.mark.parametrize(
    ("said", "at"),
    [(1721764800, 1721764800), ("2024-07-23T20:00:00Z", 1721764800), ("1721764800.5", 1721764800), (None, 0), ("x", 0)],
)
def test_a_time_is_seconds_since_1970(said: object, at: int) -> None:
    assert job(created_at=said).created_at == at


@pytest.mark.parametrize(
    ("said", "status"), [(None, "unknown"), ("", "unknown"), ("DONE", "succeeded"), ("Failed", "failed"), (3, "3")]
)
def test_a_status_is_a_text(said: object, status: str) -> None:
    assert job(status=said).status == status


def test_what_is_no_map_is_not_known() -> None:
    raw = job(metadata="x", method=[1]).raw
    assert (raw["metadata"], raw["method"]) == (None, None)


def test_of_metrics_only_finite_numbers_count() -> None:
    data = {"step": "3", "total_steps": 9.0, "train_loss": float("nan"), "valid_loss": "0.5", "note": "x", "on": True}
    told = shapes.event({"id": "e", "type": "metrics", "data": data}, KEY)
    assert told.data == {"step": 3, "total_steps": 9, "train_loss": None, "valid_loss": 0.5, "note": None, "on": None}


def test_a_checkpoint_without_a_step_is_none() -> None:
    assert shapes.checkpoint({"id": "c"}) is None
    told = shapes.checkpoint({"id": "c", "step_number": "3", "metrics": {"valid_loss": "0.5"}})
    assert told == {"id": "c", "step_number": 3, "metrics": {"valid_loss": 0.5}}


@given(st.dictionaries(st.sampled_from([*published(), "data", "type", "message", "step_number", "metrics"]), JSON))
def test_nothing_that_a_server_says_breaks_anything_or_tells_the_key(said: dict[str, Any]) -> None:
    said = {**said, "id": "x"}
    state, event = shapes.job(said, {}, KEY), shapes.event(said, KEY)
    shapes.checkpoint(said)
    progress = JobProgress()
    progress.add(state, [event], 5.0)
    rows_of_events([event])
    assert KEY not in repr([state, event]) + progress.line
