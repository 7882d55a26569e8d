"""The engine: nothing runs twice, equal bytes stop the wave, the plan says what will run, what is done stays done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ftbuild.engine import Build, LedgerFolder, Made, Planned, Runner, Status, build, look_up, result_id
from ftbuild.errors import DataError
from ftbuild.plan.action import Action, Input, Kind
from ftbuild.plan.graph import Graph
from ftbuild.store.store import Store
from ftbuild.world import World

MAKE = Kind("make", 1, "pure")
PAY = Kind("pay", 1, "paid")


LABELS = ("a", "b", "pay", "c", "d")


class Silent:
    """A console that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Status, str]] = []

    def started(self, action: Action) -> None: ...

    def progress(self, text: str) -> None: ...

    def finished(self, action: Action, status: Status, note: str, _seconds: float) -> None:
        self.told.append((action.label, status, note))

    def say(self, text: str) -> None: ...


@dataclass
class Toy:
    """A project of actions that join the bytes above them.

    `texts` are the settings of the actions; what begins with "#" is a comment: it enters the key,
    never the bytes. An action in `broken` fails.
    """

    folder: Path
    texts: Mapping[str, str] = field(default_factory=lambda: {label: f"{label}1" for label in LABELS})
    broken: set[str] = field(default_factory=set)
    ran: list[str] = field(default_factory=list)
    now: float = 100.0

    @property
    def world(self) -> World:
        return World(self.folder, self.folder / "outputs", self.folder / "built", environment={}, now=lambda: self.now)

    @property
    def store(self) -> Store:
        return Store(self.world.store)

    @property
    def ledger(self) -> LedgerFolder:
        return LedgerFolder(self.world)

    def graph(self) -> Graph:
        """a -> b -> pay -> d, and c -> d."""
        graph = Graph()

        def add(label: str, *above: str, kind: Kind = MAKE) -> str:
            inputs = tuple(Input(graph.actions[each].label, each, "out") for each in above)
            return graph.add(Action(kind, label, "data", {"text": self.texts[label]}, inputs))

        b = add("b", add("a"))
        paid = add("pay", b, kind=PAY)
        add("d", paid, add("c"))
        return graph

    def _run(self, action: Action, _key: str, done: Build) -> Made:
        self.ran.append(action.label)
        self.now += 2.5
        if action.label in self.broken:
            raise DataError("broken")
        above = b"".join(done.read(action, each.role) for each in action.inputs)
        own = "" if action.settings["text"].startswith("#") else action.settings["text"]
        return Made({"out": above + own.encode()}, f"made {action.label}")

    def build(self) -> Build:
        self.ran.clear()
        self.console = Silent()
        runners: dict[str, Runner] = {"make": self._run, "pay": self._run}
        return build(self.graph(), self.store, self.world, self.console, runners)

    def plan(self) -> list[Planned]:
        return look_up(self.graph(), self.store, self.ledger)

    def statuses(self) -> dict[str, Status]:
        return {planned.action.label: planned.status for planned in self.plan()}


def with_texts(texts: Mapping[str, str], **changed: str) -> dict[str, str]:
    return {**texts, **changed}


def test_a_build_runs_everything_in_order_and_records_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    done = toy.build()
    assert toy.ran == ["a", "b", "pay", "c", "d"]
    assert toy.console.told == [(label, "RUN", f"made {label}") for label in toy.ran]
    last = list(done.ran.values())[-1]
    assert toy.store.get(last.record.outputs["out"]) == b"a1b1pay1c1d1"
    assert (last.seconds, last.record.seconds, last.record.started_at) == (2.5, 2.5, 110.0)
    assert toy.store.records() == sorted((ran.record for ran in done.ran.values()), key=lambda each: each.key)


def test_a_second_build_runs_nothing_and_gives_the_same(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    first = toy.build()
    second = toy.build()
    assert toy.ran == []
    assert toy.console.told == [(label, "HIT", f"made {label}") for label in LABELS]
    assert result_id(second) == result_id(first)
    assert [ran.record for ran in second.ran.values()] == [ran.record for ran in first.ran.values()]


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
    assert (planned["b"].status, planned["b"].reasons) == ("RUN", ["its result is gone from the store"])
    toy.build()
    assert toy.ran == ["b"]


def test_a_failing_action_keeps_what_was_done_before_it(tmp_path: Path) -> None:
    toy = Toy(tmp_path, broken={"pay"})
    with pytest.raises(DataError, match=r"^broken$"):
        toy.build()
    assert toy.ran == ["a", "b", "pay"]
    toy.broken.clear()
    assert toy.statuses() == {"a": "HIT", "b": "HIT", "pay": "RUN", "c": "RUN", "d": "MAYBE"}
    toy.build()
    assert toy.ran == ["pay", "c", "d"]


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
        "c": ("RUN", ["never run before"]),
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
