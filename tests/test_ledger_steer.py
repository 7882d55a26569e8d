"""Cancel, pause, resume: the wish before the request, each state answered, twice as good as once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_provider import LOST, Script, request
from job_provider import FolderProvider

from ftbuild.errors import ProviderError
from ftbuild.ledger.journal import Asked, Journal, Wish
from ftbuild.ledger.launch import launch_once
from ftbuild.ledger.port import JobState
from ftbuild.ledger.steer import WAIT_SECONDS, Steered, steer

WISHES: tuple[Wish, ...] = ("cancel", "pause", "resume")
NO_ROUTE = ProviderError("fake: Invalid URL", status=404)


class Bench:
    def __init__(self, folder: Path, status: str = "running") -> None:
        self.provider = FolderProvider(folder, status_on=status)
        self.journal = Journal(folder / "ledger", "key")
        self.script = Script()
        launch_once(self.journal, self.provider, request, self.script.clock, 0.0, Asked(("+experiment=x",), "x"))

    def steer(self, wish: Wish) -> Steered:
        return steer(wish, self.journal, self.provider, self.script.clock, "ftjob-1")

    def events(self) -> list[dict[str, Any]]:
        lines = (self.provider.folder / "ledger" / "key.jsonl").read_bytes().splitlines()
        return [json.loads(line) for line in lines][2:]


@pytest.mark.parametrize(
    ("wish", "status", "after", "before"),
    [
        *(("cancel", status, "cancelled", False) for status in ("validating_files", "queued", "running", "paused")),
        *(("cancel", status, status, True) for status in ("succeeded", "failed", "cancelled", "canceled")),
        *(("pause", status, "paused", False) for status in ("queued", "running")),
        *(("pause", status, status, True) for status in ("paused", "succeeded", "failed", "cancelled")),
        *(("resume", status, status, True) for status in ("queued", "running", "succeeded", "failed", "cancelled")),
    ],
)
def test_a_wish_in_each_state(wish: Wish, status: str, after: str, before: bool, tmp_path: Path) -> None:
    bench = Bench(tmp_path, status)
    done = bench.steer(wish)
    assert (done.job.status, done.before, done.reached) == (after, before, True)
    first, last = bench.events()
    assert (first["event"], first["job_id"]) == (wish, "ftjob-1")
    assert (last["event"], last["status"]) == ("ended" if done.job.ended else "status", after)
    state = bench.journal.state()
    assert (state.status, state.wish) == (after, None)
    again = bench.steer(wish)
    assert (again.job.status, again.before) == (after, True)


def test_a_paused_job_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.steer("pause")
    assert bench.journal.state().status == "paused"
    assert replace(bench.steer("resume"), job=None) == Steered(None, False, True)  # type: ignore[arg-type]
    assert bench.journal.state().status == "running"


@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_that_gets_no_answer_stays_in_the_journal_until_it_is_repeated(wish: Wish, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.provider.lossy = 1.0
    with pytest.raises(ProviderError):
        bench.steer(wish)
    assert bench.journal.state().wish == wish
    bench.provider.lossy = 0.0
    assert bench.steer(wish).reached
    assert bench.journal.state().wish is None


def test_nothing_is_sent_before_the_wish_is_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    written = []
    cancel = bench.provider.cancel_job

    def look(job_id: str) -> JobState:
        written.append(bench.journal.state().wish)
        return cancel(job_id)

    bench.provider.cancel_job = look  # type: ignore[method-assign]
    bench.steer("cancel")
    assert written == ["cancel"]


def test_a_cancel_that_takes_a_while_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    turns = iter(["canceling"] * 4 + ["canceled"])

    def slowly(_job_id: str) -> JobState:
        return JobState("ftjob-1", next(turns), 1, None, None)

    bench.provider.cancel_job = slowly  # type: ignore[method-assign]
    first = bench.provider.retrieve_job("ftjob-1")
    bench.provider.retrieve_job = lambda job_id: first if job_id in asked else slowly(job_id)  # type: ignore[method-assign]
    asked = ["ftjob-1"]
    bench.provider.cancel_job = lambda job_id: (asked.clear(), slowly(job_id))[1]  # type: ignore[method-assign]
    assert bench.steer("cancel").job.status == "canceled"
    assert bench.script.slept == [0.5] * 4


def test_a_cancel_that_never_ends_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "canceling")
    bench.provider.cancel_job = bench.provider.retrieve_job  # type: ignore[method-assign]
    done = bench.steer("cancel")
    assert (done.reached, done.job.status, sum(bench.script.slept)) == (False, "canceling", WAIT_SECONDS)
    assert bench.journal.state().status == "canceling"


def test_a_job_that_was_quicker_than_the_cancel_is_no_error(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def late(_job_id: str) -> JobState:
        bench.provider.status_on = "succeeded"
        raise ProviderError("fake: has already completed", status=400)

    bench.provider.cancel_job = late  # type: ignore[method-assign]
    done = bench.steer("cancel")
    assert (done.job.status, done.before) == ("succeeded", False)


def test_a_provider_that_cannot_pause_says_what_can_be_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def no_route(_job_id: str) -> JobState:
        raise NO_ROUTE

    bench.provider.pause_job = no_route  # type: ignore[method-assign]
    with pytest.raises(ProviderError) as caught:
        bench.steer("pause")
    assert str(caught.value) == (
        "fake: Invalid URL (404): this provider cannot pause a job\n"
        "    Fix: ftbuild cancel ftjob-1 ends it; ftbuild watch ftjob-1 follows it."
    )
    assert (bench.journal.state().status, bench.journal.state().wish) == ("running", None)


def test_a_lost_answer_is_no_refusal(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def lost(_job_id: str) -> JobState:
        raise LOST

    bench.provider.cancel_job = lost  # type: ignore[method-assign]
    with pytest.raises(ProviderError) as caught:
        bench.steer("cancel")
    assert caught.value is LOST
