"""`ftbuild jobs`, `watch`, `cancel`, `pause`, `resume`, `retry`, `adopt`: what each says in each state of a job.

The provider is a stub that stands where our own server would.
"""

import json
import signal
import subprocess
import sys
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
job               status      experiment                key            age
-                 refused     tone_formal (rehearsed)   a1a1a1a1a1a1   9 days
    acme: no such model
ftjob-fetched     succeeded   tone_formal (rehearsed)   b2b2b2b2b2b2   8 days
ftjob-quota       failed      tone_formal (rehearsed)   c3c3c3c3c3c3   3 days
    Over quota.
    The account's money or limit is used up. Fix: raise it at the provider, then ftbuild retry
    ftjob-quota
ftjob-cancelled   cancelled   tone_formal (rehearsed)   d4d4d4d4d4d4   47 h 0 min
    Launch it once more: ftbuild retry ftjob-cancelled
ftjob-ended       succeeded   tone_formal (rehearsed)   e5e5e5e5e5e5   20 h 0 min
    Its results are not fetched yet. Fix: ftbuild +experiment=tone_formal provider=rehearsal
ftjob-paused      paused      tone_formal (rehearsed)   f6f6f6f6f6f6   5 h 0 min
    It stands still. Fix: ftbuild resume ftjob-paused
ftjob-running     running     tone_formal (rehearsed)   a7a7a7a7a7a7   4 h 0 min
    ftjob-twin has the same key and costs money too. Fix: ftbuild cancel ftjob-twin
ftjob-silent      queued      tone_formal (rehearsed)   b8b8b8b8b8b8   3 h 0 min
    As last seen; the provider was not reached.
-                 unknown     tone_formal (rehearsed)   c9c9c9c9c9c9   2 h 0 min
    Whether it was launched is not known; the provider is asked first. Fix: ftbuild
    +experiment=tone_formal provider=rehearsal
-                 retry       tone_formal (rehearsed)   dadadadadada   1 h 0 min
    ftjob-again is to be launched once more. Fix: ftbuild +experiment=tone_formal provider=rehearsal
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
    assert (told.code, told.err, told.out) == (0, "", TEN)


def test_ten_jobs_for_machines(bench: Bench) -> None:
    ten_jobs(bench)
    told = json.loads(bench.run("jobs", "--format", "json").out)
    assert told["schema_version"] == 1
    assert [(each["job_id"], each["phase"], each["status"], each["told_by"]) for each in told["jobs"]] == [
        (None, "new", "refused", "journal"),
        ("ftjob-fetched", "fetched", "succeeded", "journal"),
        ("ftjob-quota", "terminal", "failed", "journal"),
        ("ftjob-cancelled", "terminal", "cancelled", "journal"),
        ("ftjob-ended", "terminal", "succeeded", "journal"),
        ("ftjob-paused", "running", "paused", "provider"),
        ("ftjob-running", "running", "running", "provider"),
        ("ftjob-silent", "running", "queued", "journal"),
        (None, "intent", "unknown", "journal"),
        (None, "new", "retry", "journal"),
    ]
    quota = told["jobs"][2]
    assert 0 <= quota.pop("age_seconds") - 3 * DAY < 2 * MINUTE
    assert 0 <= time.time() - 3 * DAY - quota.pop("launched_at") < 2 * MINUTE
    assert quota == {
        "job_id": "ftjob-quota",
        "key": "c3" * 32,
        "experiment": "tone_formal",
        "command": COMMAND,
        "phase": "terminal",
        "status": "failed",
        "rehearsed": True,
        "told_by": "journal",
        "attempt": 1,
        "adopted": False,
        "wish": None,
        "error": "Over quota.",
        "code": "exceeded_quota",
        "means": "The account's money or limit is used up.",
        "fine_tuned_model": None,
        "earlier": [],
        "others": [],
    }


def test_a_server_that_does_not_run_is_not_started_to_be_asked(bench: Bench) -> None:
    bench.launched("a1", HOUR, "ftjob-a")
    bench.lock.release()
    told = bench.run("jobs")
    assert told.out.splitlines()[1:] == [
        "ftjob-a   launched   tone_formal (rehearsed)   a1a1a1a1a1a1   1 h 0 min",
        "    As last seen; the provider was not reached.",
    ]
    assert bench.server.asked == []


def test_a_job_that_ended_while_nobody_watched_is_told(bench: Bench) -> None:
    bench.launched("a1", HOUR, "ftjob-a")
    bench.told(job("ftjob-a", status="failed", error={"code": "x", "message": "broke", "param": None}))
    assert bench.run("jobs").out.splitlines()[1:] == [
        "ftjob-a   failed   tone_formal (rehearsed)   a1a1a1a1a1a1   1 h 0 min",
        "    broke",
        "    Its end is not written down yet. Fix: ftbuild +experiment=tone_formal provider=rehearsal",
    ]


def test_a_job_that_is_being_launched_is_told(bench: Bench) -> None:
    journal = bench.journal("a1", HOUR, ("intent", {"request": {}, **ASKED}))
    with journal.lock():
        told = bench.run("jobs")
    assert told.out.splitlines()[1:] == [
        "-     launching   tone_formal (rehearsed)   a1a1a1a1a1a1   1 h 0 min",
        "    A running ftbuild is launching it.",
    ]


def test_without_a_job_there_is_a_hint(bench: Bench) -> None:
    assert bench.run("jobs").out == "No jobs yet. Launch one: ftbuild +experiment=NAME\n"


def test_a_damaged_journal_hides_no_other_job(bench: Bench) -> None:
    bench.launched("a1", HOUR, "ftjob-a", ended("cancelled"))
    (bench.ledger / "bad.jsonl").write_text("{\n")
    told = bench.run("jobs")
    assert (told.code, told.out.splitlines()[1].split()[:2]) == (5, ["ftjob-a", "cancelled"])
    assert "bad.jsonl:1: the journal of a paid job cannot be read: this line is damaged" in told.err
    assert bench.run("cancel", "ftjob-a").out == "ftjob-a has ended already: cancelled\n"
    assert bench.run("cancel", "ftjob-b").code == 5


# --- cancel, pause, resume ---


def steered(bench: Bench, verb: str, *statuses: str, after: str = "") -> Ended:
    """Run a verb on a job that the provider tells of with these statuses in turn; the POST is answered with `after`."""
    route = f"{JOBS}/ftjob-a"
    bench.server.answers[f"GET {route}"] = [(200, job("ftjob-a", status=each)) for each in statuses]
    bench.server.answers[f"POST {route}/{verb}"] = [(200, job("ftjob-a", status=after))]
    return bench.run(verb, "ftjob-a")


DONE = "ftjob-a has ended already: "
BACK = "Come back to it: ftbuild +experiment=tone_formal provider=rehearsal\n"


@pytest.mark.parametrize(
    ("verb", "status", "after", "said", "code"),
    [
        ("cancel", "queued", "cancelled", "ftjob-a cancelled\n", 0),
        ("cancel", "paused", "cancelled", "ftjob-a cancelled\n", 0),
        ("cancel", "succeeded", "", f"{DONE}succeeded\n", 0),
        ("cancel", "failed", "", f"{DONE}failed\n", 0),
        ("cancel", "canceled", "", f"{DONE}cancelled\n", 0),
        ("pause", "running", "paused", "ftjob-a paused. Let it go on: ftbuild resume ftjob-a\n", 0),
        ("pause", "paused", "", "ftjob-a is paused already. Let it go on: ftbuild resume ftjob-a\n", 0),
        ("pause", "succeeded", "", f"command line: {DONE}succeeded\n    Fix: nothing to pause.\n", 2),
        ("resume", "paused", "running", f"ftjob-a running. {BACK}", 0),
        ("resume", "running", "", f"ftjob-a is running already. {BACK}", 0),
        ("resume", "failed", "", f"command line: {DONE}failed\n    Fix: ftbuild retry ftjob-a\n", 2),
    ],
)
def test_a_wish_is_answered_in_each_state(
    verb: str, status: str, after: str, said: str, code: int, bench: Bench
) -> None:
    journal = bench.launched("a1", HOUR, "ftjob-a")
    told = steered(bench, verb, status, after=after)
    assert (told.out + told.err, told.code) == (said, code)
    assert [each.path for each in bench.server.asked if each.method == "POST"] == (
        [f"{JOBS}/ftjob-a/{verb}"] if after else []
    )
    assert (journal.state().status, journal.state().wish) == (after or status, None)
    if (after or status) in ("cancelled", "canceled", "succeeded", "failed"):
        asked = len(bench.server.asked)
        again = bench.run("cancel", "ftjob-a")
        assert (again.code, again.out) == (0, f"{DONE}{(after or status).replace('canceled', 'cancelled')}\n")
        assert len(bench.server.asked) == asked


def test_a_provider_without_the_route_says_what_it_can_do(bench: Bench) -> None:
    bench.launched("a1", HOUR, "ftjob-a")
    bench.told(job("ftjob-a", status="running"))
    told = bench.run("pause", "ftjob-a")
    assert (told.code, told.err) == (
        4,
        "embedded server: no such route (404): this provider cannot pause a job\n"
        "    Fix: ftbuild cancel ftjob-a ends it; ftbuild watch ftjob-a follows it.\n",
    )


def test_another_job_of_the_key_is_cancelled_and_ours_left_alone(bench: Bench) -> None:
    journal = bench.launched("a1", HOUR, "ftjob-ours", adopted=True, others=["ftjob-a"])
    assert steered(bench, "cancel", "running", after="cancelled").out == "ftjob-a cancelled\n"
    assert (journal.state().job_id, journal.state().status) == ("ftjob-ours", "launched")


def test_a_job_before_a_retry_is_over(bench: Bench) -> None:
    more = (ended("failed"), ("retry", {"job_id": "ftjob-a"}))
    bench.launched("a1", HOUR, "ftjob-a", *more)
    told = bench.run("cancel", "ftjob-a")
    assert (told.code, told.out) == (0, f"{DONE}failed or cancelled before it was retried\n")


def test_a_job_that_was_retried_names_the_one_in_its_place(bench: Bench) -> None:
    again = (("intent", {"request": {}, **ASKED}), ("launched", {"job_id": "ftjob-b"}))
    bench.launched("a1", HOUR, "ftjob-a", ended("failed"), ("retry", {"job_id": "ftjob-a"}), *again)
    assert bench.run("pause", "ftjob-a").err == (
        "command line: ftjob-a has ended already: failed or cancelled before it was retried\n"
        "    Fix: ftjob-b runs in its place: ftbuild pause ftjob-b\n"
    )


def test_a_job_whose_answer_was_lost_is_looked_for_by_its_key(bench: Bench) -> None:
    journal = bench.journal("a1", HOUR, ("intent", {"request": {}, **ASKED}), ("lost", {"error": "no answer"}))
    bench.server.answers[f"GET {JOBS}"] = [listed()]
    told = bench.run("cancel", "a1a1a1a1")
    assert (told.code, told.out) == (
        0,
        "No job of a1a1a1a1a1a1 is at the provider: nothing to cancel. The next build looks again.\n",
    )
    metadata = {"ftbuild_key": "a1" * 32, "ftbuild_attempt": "1"}
    bench.server.answers[f"GET {JOBS}"] = [listed(job("ftjob-a", metadata=metadata))]
    bench.server.answers[f"GET {JOBS}/ftjob-a"] = [(200, job("ftjob-a", status="running"))]
    bench.server.answers[f"POST {JOBS}/ftjob-a/cancel"] = [(200, job("ftjob-a", status="cancelled"))]
    assert bench.run("cancel", "a1a1a1a1").out == "ftjob-a cancelled\n"
    assert (journal.state().job_id, journal.state().status) == ("ftjob-a", "cancelled")


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "watch", "retry"])
def test_an_unknown_job_is_answered_with_the_one_that_was_meant(verb: str, bench: Bench) -> None:
    assert bench.own.refused(verb) == f"command line: {verb} takes the id of one job\n    Fix: ftbuild jobs\n"
    assert bench.own.refused(verb, "ftjob-b") == (
        "command line: no job 'ftjob-b' here\n    Fix: ftbuild jobs lists them.\n"
    )
    bench.launched("a1", HOUR, "ftjob-a")
    assert bench.own.refused(verb, "ftjob-b") == (
        f"command line: no job 'ftjob-b' here\n    Fix: ftbuild {verb} ftjob-a\n"
    )


# --- watch ---


def event(number: int, **more: Any) -> dict[str, Any]:
    said = {"object": "fine_tuning.job.event", "id": f"e{number}", "created_at": number, "level": "info"}
    return {**said, "message": f"event {number}", **more}


def watched(bench: Bench, **last: Any) -> Ended:
    bench.launched("a1", HOUR, "ftjob-a")
    route = f"GET {JOBS}/ftjob-a"
    bench.server.answers[route] = [(200, job("ftjob-a", status="running")), (200, job("ftjob-a", **last))]
    metrics = event(2, type="metrics", data={"step": 1, "total_steps": 1, "train_loss": 0.5})
    bench.server.answers[f"{route}/events"] = [listed(event(1)), listed(metrics, event(1))]
    return bench.run("watch", "ftjob-a")


@pytest.mark.parametrize(
    ("last", "code", "out", "err"),
    [
        ({"status": "succeeded", "fine_tuned_model": "ft:a"}, 0, "ftjob-a succeeded: ft:a\n", ""),
        (
            {"status": "failed", "error": {"code": "x", "message": "broke", "param": None}},
            5,
            "",
            "ftjob-a failed: broke\n    It is not launched again by itself: a job costs money and hours.\n"
            "    Fix: ftbuild retry ftjob-a\n",
        ),
        (
            {"status": "paused"},
            5,
            "",
            "ftjob-a is paused at the provider\n    It goes on when it is resumed, and not before; nothing is lost.\n"
            "    Fix: ftbuild resume ftjob-a, then the same command again.\n",
        ),
    ],
    ids=["succeeded", "failed", "paused"],
)
def test_a_job_is_followed_to_its_end_and_nothing_is_written(
    last: dict[str, Any], code: int, out: str, err: str, bench: Bench
) -> None:
    told = watched(bench, **last)
    assert (told.code, told.err) == (code, err)
    assert told.out == f"00:00:01 event 1\n00:00:02 event 2\n{out}"
    assert (bench.ledger / f"{'a1' * 32}.jsonl").read_bytes().count(b"\n") == 2


def test_a_job_that_has_ended_is_told_without_asking(bench: Bench) -> None:
    bench.launched("a1", HOUR, "ftjob-a", ended("succeeded"))
    assert bench.run("watch", "ftjob-a").out == "ftjob-a succeeded\n"
    bench.launched("b2", HOUR, "ftjob-b", ended("cancelled"))
    assert bench.run("watch", "ftjob-b").code == 5
    assert bench.server.asked == []


def test_ctrl_c_leaves_the_job_running(bench: Bench) -> None:
    bench.launched("a1", HOUR, "ftjob-a")
    bench.told(job("ftjob-a", status="running"))
    bench.server.answers[f"GET {JOBS}/ftjob-a/events"] = [listed(event(1))]
    command = [sys.executable, "-m", "ftbuild", "watch", "ftjob-a"]
    process = subprocess.Popen(
        command, cwd=bench.own.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "00:00:01 event 1\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (
        130,
        "ftjob-a goes on without you (running).\n    Come back: ftbuild watch ftjob-a\n",
    )
    assert {each.method for each in bench.server.asked} == {"GET"}


# --- retry ---


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "ftjob-a is launched, not failed or cancelled\n    Fix: nothing to retry.\n"),
        (
            (("status", {"job_id": "ftjob-a", "status": "paused"}),),
            "ftjob-a is paused, not failed or cancelled\n    Fix: ftbuild resume ftjob-a\n",
        ),
        ((ended("succeeded"),), "ftjob-a is succeeded, not failed or cancelled\n    Fix: nothing to retry.\n"),
    ],
    ids=["launched", "paused", "succeeded"],
)
def test_only_what_ended_badly_is_launched_again(more: Any, said: str, bench: Bench) -> None:
    bench.launched("a1", HOUR, "ftjob-a", *more)
    assert bench.own.refused("retry", "ftjob-a") == f"command line: {said}"
    assert bench.server.asked == []


def test_a_key_without_a_job_is_taken_for_not_launched(bench: Bench) -> None:
    command = ["+experiment=none"]
    journal = bench.journal("a1", HOUR, ("intent", {"request": {}, **ASKED, "command": command}))
    assert bench.run("retry", "a1a1a1a1").code == 2  # there is no such experiment to build
    assert (journal.state().phase, journal.state().refused) == ("new", "taken for not launched, by ftbuild retry")


# --- adopt ---


def adopted(bench: Bench, **told: Any) -> Ended:
    bench.told(job("ftjob-a", **told))
    return bench.run("adopt", "ftjob-a", *COMMAND, "model=tiny")


def test_a_job_is_adopted_for_an_experiment(bench: Bench) -> None:
    assert bench.own.refused("adopt", "ftjob-a") == (
        "command line: no job 'ftjob-a' here, and no experiment to take it for\n"
        "    Fix: ftbuild adopt ftjob-a +experiment=NAME\n"
    )
    gone = bench.run("adopt", "ftjob-b", *COMMAND, "model=tiny")
    assert (gone.code, gone.err.splitlines()[-2:]) == (
        4,
        ["ftjob-b: the provider of this experiment does not have it", "    Fix: another provider=NAME?"],
    )
    other = adopted(bench, model="gpt-9", seed=8, metadata={}, status="succeeded")
    assert (other.code, other.err.splitlines()) == (
        2,
        [
            "command line: ftjob-a has another model: 'gpt-9', here it is 'tiny-random'",
            "command line: ftjob-a has another seed: 8, here it is 7",
        ],
    )
    keyed = adopted(bench, model="tiny-random", metadata={"ftbuild_key": "k"})
    assert keyed.code == 2
    assert keyed.err.startswith("command line: ftjob-a was launched for other settings or data: its key is k, here ")

    taken = adopted(bench, model="tiny-random", metadata={}, status="running")
    assert (taken.code, taken.out.splitlines()) == (
        0,
        [
            "ftjob-a is the job of tone_formal now: running",
            "Go on: ftbuild +experiment=tone_formal provider=rehearsal model=tiny",
        ],
    )
    assert adopted(bench).out == "ftjob-a is known here already, as the job of tone_formal\n"
    bench.told(job("ftjob-c", model="tiny-random", metadata={}))
    second = bench.run("adopt", "ftjob-c", *COMMAND, "model=tiny")
    assert (second.code, "has a job already: ftjob-a, launched" in second.err) == (2, True)
    [planned] = [line for line in bench.run("plan", *COMMAND, "model=tiny").out.splitlines() if " job " in line]
    assert planned.split()[:3] == ["attach", "job", "ftjob-a"]
    assert not [each for each in bench.server.asked if each.method == "POST"]
