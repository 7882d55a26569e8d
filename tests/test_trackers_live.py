"""A run of W&B that grows while its job trains: what is passed on and when, and that nobody waits for it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import until
from hypothesis import given
from hypothesis import strategies as st
from wandb_recorder import Recorder, recording

from ftbuild.trackers.wandb_account import Account, installed
from ftbuild.trackers.wandb_live import Live, Steps, live
from ftbuild.trackers.wandb_run import WandbRun
from ftbuild.trackers.wandb_send import send

KEY = "c4na7y" * 7
TIMEOUT_SECONDS = 2.0
needs_wandb = pytest.mark.skipif(not installed(), reason="the package wandb is not there")


def row(step: int, **more: Any) -> dict[str, Any]:
    return {"step": step, "train_loss": 1 / step, "valid_loss": None, **more}


# --- which steps can be passed on ---


def test_a_step_is_passed_on_when_the_next_is_known() -> None:
    steps = Steps()
    assert steps.add([row(1)]) == []
    assert steps.add([row(1, full_valid_loss=0.5)]) == []  # more is told of it
    assert steps.add([row(2), row(3)]) == [{"step": 1, "train_loss": 1.0, "full_valid_loss": 0.5}, _plain(2)]


def test_a_gap_is_waited_for() -> None:
    steps = Steps()
    assert steps.add([row(1), row(3), row(4)]) == [_plain(1)]
    assert steps.add([row(5)]) == []
    assert steps.add([row(2)]) == [_plain(2), _plain(3), _plain(4)]


def test_steps_that_are_counted_otherwise_wait_for_the_end() -> None:
    assert Steps().add([{"step": 0, "train_loss": 2.0}, row(1), row(2)]) == []
    assert Steps().add([row(10), row(20), row(30)]) == []


@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.lists(st.integers(1, n), max_size=4), max_size=12)))
def test_whatever_comes_when_each_step_is_passed_on_once_and_in_order(looks: list[list[int]]) -> None:
    steps = Steps()
    passed = [each["step"] for look in looks for each in steps.add(map(row, look))]
    assert passed == list(range(1, len(passed) + 1))
    told = {step for look in looks for step in look}
    unbroken = next(step for step in range(1, 14) if step not in told) - 1
    assert len(passed) == min(unbroken, max(told, default=1) - 1)


def _plain(step: int) -> dict[str, Any]:
    return {"step": step, "train_loss": 1 / step}


# --- the process that passes them on ---


def run(rows: list[dict[str, Any]] | None = None) -> WandbRun:
    return WandbRun("the-run", "p", None, "n", None, [], {}, history=rows or ())


def told(recorder: Recorder) -> list[tuple[int, float]]:
    return [(each["_step"], each["train_loss"]) for each in recorder.history("the-run")]


def left(folder: Path) -> list[str]:
    return [path.name for path in (folder / "wandb" / ".state").glob("live-*")]


@pytest.mark.slow
@needs_wandb
def test_rows_are_there_while_the_job_trains_and_once_when_all_is_sent(tmp_path: Path) -> None:
    with recording() as recorder:
        by = Account("online", recorder.url, KEY)
        with live(run(), by, tmp_path, os.environ, 20.0) as curves:
            assert curves.url() is None
            curves.add([row(1), row(2), row(3)])
            until(lambda: told(recorder) == [(1, 1.0), (2, 0.5)])
            assert curves.url() == f"{recorder.url}/people/p/runs/the-run"
            curves.add([row(2), row(4)])
            curves.add([row(7), row(5)])
        every = [_plain(step) for step in range(1, 8)]
        [sent] = send([run(every)], by, tmp_path, os.environ, 20.0)  # waits until the other has let go
        assert (sent.error, told(recorder)) == (None, [(each["step"], each["train_loss"]) for each in every])
        assert recorder.exit_codes() == [0, 0]
    until(lambda: left(tmp_path) == [])
    assert [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []


@pytest.mark.slow
@needs_wandb
@pytest.mark.parametrize("fault", ["refuses", "hangs", "dies"])
def test_a_server_that_fails_is_not_waited_for(fault: str, tmp_path: Path) -> None:
    with recording(fault) as recorder:
        with live(run(), Account("online", recorder.url, KEY), tmp_path, os.environ, TIMEOUT_SECONDS) as curves:
            curves.add([row(1), row(2)])
            if fault == "dies":
                until(lambda: recorder.dead)
            curves.add([row(3), row(4)])
        until(lambda: left(tmp_path) == [])


def test_where_no_process_can_be_begun_nothing_is_told_and_nothing_breaks(tmp_path: Path) -> None:
    (tmp_path / "wandb").write_text("in the way")
    with live(run(), Account("online", "http://w", KEY), tmp_path, os.environ, TIMEOUT_SECONDS) as curves:
        curves.add([row(1), row(2)])
        assert curves.url() is None


def test_a_folder_that_has_gone_is_written_to_no_more(tmp_path: Path) -> None:
    curves = Live(tmp_path / "gone")
    curves.add([row(1), row(2)])
    (tmp_path / "gone").mkdir()
    curves.add([row(3), row(4)])
    assert [*(tmp_path / "gone").iterdir()] == []


def test_a_row_is_a_line(tmp_path: Path) -> None:
    curves = Live(tmp_path)
    curves.add([row(1), row(2)])
    curves.add([row(3)])
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == [_plain(1), _plain(2)]
