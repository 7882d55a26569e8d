"""The engine: nothing runs twice, equal bytes stop the wave, the plan says what will run, what is done stays done."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from toy_fixture import LABELS, MAKE, Silent, Toy, with_texts

from ftbuild.engine import How, Runners, build
from ftbuild.errors import DataError
from ftbuild.lookup import Planned
from ftbuild.outcome import Build, result_id
from ftbuild.plan.action import Action, Input, Kind
from ftbuild.plan.graph import Graph
from ftbuild.store.locks import KeyLock
from ftbuild.stream import Content
from ftbuild.voice import Status, Voice
from ftbuild.workers import Inline, Made, Processes


def test_a_build_runs_everything_in_order_and_records_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    done = toy.build()
    assert toy.ran == ["a", "b", "c", "pay", "d"]
    assert toy.console.told == [(label, "RUN", f"made {label}") for label in toy.ran]
    last = next(ran for ran in done.ran.values() if ran.action.label == "d")
    assert toy.outputs(done)["d"] == b"a1b1pay1c1d1"
    assert (last.seconds, last.record.seconds, last.record.started_at) == (2.5, 2.5, 110.0)
    assert toy.store.keys() == sorted(ran.record.key for ran in done.ran.values())


def test_a_second_build_runs_nothing_and_gives_the_same(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    first = toy.build()
    second = toy.build()
    assert toy.ran == []
    assert toy.console.told == [(label, "HIT", f"made {label}") for label in LABELS]
    assert result_id(second) == result_id(first)
    assert {ran.record.key for ran in second.ran.values()} == {ran.record.key for ran in first.ran.values()}


def test_what_is_changed_and_what_lies_below_runs(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    first = toy.build()
    toy.texts = with_texts(toy.texts, c="c2")
    assert result_id(toy.build()) != result_id(first)
    assert toy.ran == ["c", "d"]


def test_equal_bytes_from_above_stop_the_wave(tmp_path: Path) -> None:
    toy = Toy(tmp_path, texts=with_texts(Toy(tmp_path).texts, a="#"))
    toy.build()
    toy.texts = with_texts(toy.texts, a="# a comment")
    toy.build()
    assert toy.ran == ["a"]


def test_going_back_to_old_settings_runs_nothing(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    old = toy.texts
    toy.build()
    toy.texts = with_texts(old, a="2")
    toy.build()
    toy.texts = old
    toy.build()
    assert toy.ran == []


@pytest.mark.parametrize(
    ("before", "after", "plan", "ran"),
    [
        ({}, {}, {"a": "HIT", "b": "HIT", "pay": "HIT", "c": "HIT", "d": "HIT"}, []),
        ({}, {"a": "a2"}, {"a": "RUN", "b": "MAYBE", "pay": "MAYBE", "c": "HIT", "d": "MAYBE"}, ["a", "b", "pay", "d"]),
        ({}, {"c": "c2"}, {"a": "HIT", "b": "HIT", "pay": "HIT", "c": "RUN", "d": "MAYBE"}, ["c", "d"]),
        ({}, {"d": "d2"}, {"a": "HIT", "b": "HIT", "pay": "HIT", "c": "HIT", "d": "RUN"}, ["d"]),
        (
            {"a": "#"},
            {"a": "#2"},
            {"a": "RUN", "b": "MAYBE", "pay": "MAYBE", "c": "HIT", "d": "MAYBE"},
            ["a"],
        ),
        ({}, {"pay": "pay2"}, {"a": "HIT", "b": "HIT", "pay": "RUN", "c": "HIT", "d": "MAYBE"}, ["pay", "d"]),
    ],
)
def test_the_plan_says_what_will_run(
    before: dict[str, str], after: dict[str, str], plan: dict[str, Status], ran: list[str], tmp_path: Path
) -> None:
    toy = Toy(tmp_path)
    start = toy.texts
    toy.texts = with_texts(start, **before)
    toy.build()
    toy.texts = with_texts(start, **after)
    assert toy.statuses() == plan
    toy.build()
    assert toy.ran == ran
    assert set(toy.statuses().values()) == {"HIT"}


def test_the_plan_of_a_fresh_project_runs_everything_and_writes_nothing(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "project")
    told = [(each.action.label, each.status, each.key is None, each.reasons) for each in toy.plan()]
    assert told == [
        ("a", "RUN", False, ["never run before"]),
        ("b", "MAYBE", True, ["after a"]),
        ("pay", "MAYBE", True, ["after b"]),
        ("c", "RUN", False, ["never run before"]),
        ("d", "MAYBE", True, ["after c, pay"]),
    ]
    assert not (tmp_path / "project").exists()


def test_the_plan_says_why(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.build()
    toy.texts = with_texts(toy.texts, c="c2")
    assert {each.action.label: each.reasons for each in toy.plan() if each.reasons} == {
        "c": ["text   'c1' -> 'c2'"],
        "d": ["after c"],
    }


def test_a_result_that_is_gone_is_made_again_and_nothing_else(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    done = toy.build()
    b = next(ran.record for ran in done.ran.values() if ran.action.label == "b")
    toy.store.path(b.outputs["out"]).unlink()
    planned = {each.action.label: each for each in toy.plan()}
    assert (planned["b"].status, planned["b"].reasons) == ("RUN", ["its result out is gone"])
    toy.build()
    assert toy.ran == ["b"]


def test_a_failing_action_keeps_what_was_done_before_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path, broken={"pay"})
    with pytest.raises(DataError, match=r"^broken$"):
        toy.build()
    assert toy.ran == ["a", "b", "c", "pay"]
    toy.broken.clear()
    assert toy.statuses() == {"a": "HIT", "b": "HIT", "pay": "RUN", "c": "HIT", "d": "MAYBE"}
    toy.build()
    assert toy.ran == ["pay", "d"]


def journaled(toy: Toy, *events: tuple[str, dict[str, object]]) -> dict[str, Planned]:
    """Build up to the paid action, write its journal, and return the plan."""
    toy.broken.add("pay")
    with pytest.raises(DataError):
        toy.build()
    key = next(each.key for each in toy.plan() if each.action.label == "pay")
    assert key is not None
    for event, data in events:
        toy.ledger.journal(key).append(1.0, event, **data)
    return {each.action.label: each for each in toy.plan()}


LAUNCHED = ("launched", {"job_id": "ftjob-1", "adopted": False})


def test_a_job_that_ended_badly_is_failed_and_what_lies_below_is_blocked(tmp_path: Path) -> None:
    plan = journaled(Toy(tmp_path), LAUNCHED, ("ended", {"status": "failed", "error": "out of memory"}))
    assert {label: (each.status, each.reasons) for label, each in plan.items()} == {
        "a": ("HIT", []),
        "b": ("HIT", []),
        "pay": ("FAILED", ["ftjob-1 failed: out of memory"]),
        "c": ("HIT", []),
        "d": ("BLOCKED", ["an action above has failed"]),
    }


def test_a_job_without_a_reason_says_so(tmp_path: Path) -> None:
    plan = journaled(Toy(tmp_path), LAUNCHED, ("ended", {"status": "cancelled", "error": None}))
    assert plan["pay"].reasons == ["ftjob-1 cancelled: no reason given"]


@pytest.mark.parametrize("events", [[LAUNCHED], [LAUNCHED, ("ended", {"status": "succeeded", "error": None})]])
def test_a_job_under_way_or_not_yet_fetched_is_attached_to(events, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    plan = journaled(Toy(tmp_path), *events)
    assert (plan["pay"].status, plan["d"].status) == ("ATTACH", "MAYBE")


def test_a_job_that_is_retried_runs(tmp_path: Path) -> None:
    plan = journaled(Toy(tmp_path), LAUNCHED, ("ended", {"status": "failed", "error": None}), ("retry", {}))
    assert (plan["pay"].status, plan["d"].status) == ("RUN", "MAYBE")


def test_processes_compute_what_this_process_would(tmp_path: Path) -> None:
    here, there = Toy(tmp_path / "here"), Toy(tmp_path / "there", workers=Processes(2), jobs=2)
    try:
        assert there.outputs(there.build()) == here.outputs(here.build())
        assert sorted(there.ran) == sorted(LABELS)
    finally:
        there.workers.stop()


def test_an_error_in_a_process_comes_back_whole(tmp_path: Path) -> None:
    toy = Toy(tmp_path, workers=Processes(1), broken={"c"})
    try:
        with pytest.raises(DataError) as caught:
            toy.build()
        assert [problem.what for problem in caught.value.problems] == ["broken"]
    finally:
        toy.workers.stop()


def test_keep_going_builds_all_that_does_not_lie_below_a_failure(tmp_path: Path) -> None:
    toy = Toy(tmp_path, broken={"c"}, keep_going=True)
    done = toy.build()
    assert [ran.action.label for ran in done.ran.values()] == ["a", "b", "pay"]
    assert [str(error) for error in done.failed.values()] == ["broken"]
    assert toy.console.failures == ["c"]


def test_without_it_nothing_more_begins_after_a_failure(tmp_path: Path) -> None:
    toy = Toy(tmp_path, broken={"c"})
    with pytest.raises(DataError, match=r"^broken$"):
        toy.build()
    assert toy.ran == ["a", "b", "c"]


def flip(toy: Toy, label: str, *, unseen: bool) -> None:
    """Change one bit of what an action made; `unseen` keeps the time of the last change."""
    record = next(each.record for each in toy.plan() if each.action.label == label)
    assert record is not None
    path = toy.store.path(record.outputs["out"])
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    if unseen:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("unseen", [False, True])
def test_damaged_bytes_are_made_anew_when_they_are_needed(tmp_path: Path, unseen: bool) -> None:
    toy = Toy(tmp_path)
    toy.build()
    flip(toy, "b", unseen=unseen)
    toy.texts = with_texts(toy.texts, pay="pay2")
    assert toy.outputs(toy.build())["d"] == b"a1b1pay2c1d1"
    assert toy.ran.count("b") == 1


def test_a_change_that_the_stat_shows_is_told_by_the_plan(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.build()
    flip(toy, "c", unseen=False)
    planned = {each.action.label: each for each in toy.plan()}
    assert (planned["c"].status, planned["c"].reasons) == ("RUN", ["its result out is damaged"])


def test_what_was_paid_for_is_mended_from_its_second_copy_and_not_paid_again(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.build()
    flip(toy, "pay", unseen=False)
    assert toy.statuses()["pay"] == "ATTACH"
    assert toy.outputs(toy.build())["d"] == b"a1b1pay1c1d1"
    assert "pay" not in toy.ran
    assert set(toy.statuses().values()) == {"HIT"}


def test_the_index_may_be_deleted_or_be_rubbish(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.build()
    index = toy.world.store / "index.db"
    for content in (None, b"rubbish" * 1000):
        index.unlink() if content is None else index.write_bytes(content)
        assert set(toy.statuses().values()) == {"HIT"}
        toy.build()
        assert toy.ran == []
        assert toy.store.index.sound()


def test_an_action_that_another_process_runs_is_waited_for(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    key = next(each.key for each in toy.plan() if each.action.label == "c")
    assert key is not None
    lock = KeyLock(toy.world.store, key)
    assert lock.acquire()
    assert toy.statuses()["c"] == "WAIT"
    threading.Timer(0.3, lock.release).start()
    toy.build()
    assert toy.console.said == ["c: another ftbuild is at it; its result is taken when it is there"]
    assert sorted(toy.ran) == sorted(LABELS)


@pytest.mark.parametrize("broken", ["arm", "job's data"])
def test_what_comes_after_a_failure_without_reading_it_runs_all_the_same(broken: str, tmp_path: Path) -> None:
    """A job waits for the scores of arms that another point has; that those fail is nothing to it."""
    graph, said = Graph(), []

    def add(label: str, *above: str, after: tuple[str, ...] = ()) -> str:
        inputs = tuple(Input(each, each, "out") for each in above)
        return graph.add(Action(MAKE, label, "data", {"label": label}, inputs, after))

    scores = add("scores", add("arm"))
    job = add("job", add("job's data"), after=(scores,))
    add("verdict", job, scores)

    def make(settings: Any, _inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
        if settings["label"] == broken:
            raise DataError("broken")
        said.append(settings["label"])
        return Made({"out": settings["label"].encode()}, "")

    toy = Toy(tmp_path)
    how = How(Inline(), 1, 1, keep_going=True)
    done = build(graph, toy.store, toy.world, Silent(), Runners({"make": make}, {}), how)
    assert said == (["job's data", "job"] if broken == "arm" else ["arm", "scores"])
    assert [graph.actions[name].label for name in done.failed] == [broken]


def test_the_gate_is_asked_before_anybody_is_and_again_when_the_data_is_there(tmp_path: Path) -> None:
    """Vectors are asked for before the data can be made of them, and a job after it: each has its gate."""
    said: list[str] = []
    graph, kinds = Graph(), {"embed": Kind("embed", 1, "calls"), "make": MAKE, "job": Kind("job", 1, "calls")}

    def add(label: str, kind: str, stage: Any, *above: str) -> str:
        inputs = tuple(Input(each, each, "out") for each in above)
        return graph.add(Action(kinds[kind], label, stage, {"label": label}, inputs))

    free = add("free", "make", "data")
    vectors = add("vectors", "embed", "data", free)
    early = add("early job", "job", "train", free)
    data = add("data", "make", "data", vectors)
    add("job", "job", "train", data, early)

    def make(settings: Any, _inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
        said.append(settings["label"])
        return Made({"out": settings["label"].encode()}, "")

    def ask(action: Action, _key: str, _done: Build, _voice: Voice) -> Made:
        return make(action.settings, {}, {})

    toy = Toy(tmp_path)
    runners = Runners({"make": make}, {"embed": ask, "job": ask})
    how = How(Inline(), 1, 1, gate=lambda _done: said.append("gate"))
    build(graph, toy.store, toy.world, Silent(), runners, how)
    assert said == ["free", "gate", "vectors", "data", "gate", "early job", "job"]
