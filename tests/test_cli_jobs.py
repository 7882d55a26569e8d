"""`ftbuild jobs`, `watch`, `cancel`, `pause`, `resume`, `retry`, `adopt`: what each says in each state of a job.

The provider is a stub that stands where our own server would.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Ended, Own
from filelock import FileLock
from stub_server import Stub, job, listed, refusal, stub

from ftbuild.ledger.journal import Journal

JOBS = "/fine_tuning/jobs"
PROVIDER = {
    "kind": "embedded",
    "engine": "scripted",
    "settle_seconds": 0.0,
    "idle_seconds": 60.0,
    "poll_seconds": 0.05,
    "threads": 1,
    "at_once": 16,
}
COMMAND = ["+experiment=tone_formal", "provider=rehearsal"]
ASKED = {"command": COMMAND, "experiment": "tone_formal", "provider": PROVIDER}
MINUTE, HOUR, DAY = 60, 3600, 86_400


class Bench:
    """A project whose server is a stub; `at` is a time so many seconds ago."""

    def __init__(self, folder: Path, server: Stub) -> None:
        self.own, self.server = Own(folder), server
        self.ledger = folder / "outputs/.ftbuild/ledger"
        state = folder / "outputs/.ftbuild/rehearsal"
        state.mkdir(parents=True)
        (state / "server.json").write_text(json.dumps({"port": server.port, "token": "token"}))
        self.lock = FileLock(state / "server.lock")

    def journal(self, key: str, ago: float, *events: tuple[str, dict[str, Any]]) -> Journal:
        """Write a journal whose first event was so many seconds ago; half a minute is left for the test."""
        journal = Journal(self.ledger, key * 32)
        for event, data in events:
            journal.append(time.time() - ago - 30, event, **data)
        return journal

    def launched(self, key: str, ago: float, job_id: str, *more: tuple[str, dict[str, Any]], **data: Any) -> Journal:
        told = {"job_id": job_id, "adopted": False, **ASKED, **data}
        return self.journal(key, ago, ("intent", {"request": {}, **ASKED}), ("launched", told), *more)

    def told(self, *jobs: dict[str, Any]) -> None:
        for each in jobs:
            self.server.answers[f"GET {JOBS}/{each['id']}"] = [(200, each)]

    def run(self, *arguments: str) -> Ended:
        return self.own.run(*arguments)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with stub() as server:
        found = Bench(tmp_path, server)
        with found.lock:
            yield found


def ended(status: str, error: str | None = None, code: str | None = None) -> tuple[str, dict[str, Any]]:
    return "ended", {"status": status, "error": error, "code": code}


TEN = """\
"""


def ten_jobs(bench: Bench) -> None:
    """Write ten journals, one in each state that there is."""
    bench.journal(
        "a1", 9 * DAY, ("intent", {"request": {}, **ASKED}), ("refused", {"error": "acme: no such model\n    Fix: x"})
    )
    fetched = ("fetched", {"outputs": {}, "note": "30 steps"})
    bench.launched("b2", 8 * DAY, "ftjob-fetched", ended("succeeded"), fetched)
    bench.launched("c3", 3 * DAY, "ftjob-quota", ended("failed", "Over quota.", "exceeded_quota"))
    bench.launched("d4", 47 * HOUR, "ftjob-cancelled", ended("cancelled"))
    bench.launched("e5", 20 * HOUR, "ftjob-ended", ended("succeeded"))
    bench.launched("f6", 5 * HOUR, "ftjob-paused", ("pause", {"job_id": "ftjob-paused"}))
    bench.launched("a7", 4 * HOUR, "ftjob-running", adopted=True, others=["ftjob-twin"])
    bench.launched("b8", 3 * HOUR, "ftjob-silent", ("status", {"job_id": "ftjob-silent", "status": "queued"}))
    bench.journal("c9", 2 * HOUR, ("intent", {"request": {}, **ASKED}), ("lost", {"error": "no answer"}))
    bench.launched("da", HOUR, "ftjob-again", ended("failed", "odd"), ("retry", {"job_id": "ftjob-again"}))
    bench.told(job("ftjob-paused", status="paused"), job("ftjob-running", status="running"))
    bench.server.answers[f"GET {JOBS}/ftjob-silent"] = [refusal(503, "busy")]


def test_ten_jobs_in_all_states(bench: Bench) -> None:
    ten_jobs(bench)
    told = bench.run("jobs")
    print(told.out)
    assert (told.code, told.err, told.out) == (0, "", TEN)
