"""Several builds of one graph on one store: each action is computed once in all, whoever dies or stands still."""

import os
import select
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from paying_fixture import Paying
from toy_fixture import MAKE, PAY, Silent, join

from ftbuild.engine import Build, How, Runners, build
from ftbuild.plan.action import Action, Input
from ftbuild.plan.graph import Graph
from ftbuild.store.collect import mark, sweep
from ftbuild.store.locks import Session, live_since, using
from ftbuild.store.store import Store
from ftbuild.store.verify import check
from ftbuild.workers import Made

LAYERS, WIDTH, PAID_EVERY = 8, 12, 24
N_ACTIONS, N_PAID = LAYERS * WIDTH, LAYERS * WIDTH // PAID_EVERY
HANGS_SECONDS = 120  # a guard against a hang, not a limit
GATE, ALL = "0.5", "all"


@dataclass
class Wide(Paying):
    """Ninety-six actions in eight layers, each below two of the layer above; every twenty-fourth is paid for.

    The action `gate` tells its process through the pipe `told` and then waits for a byte from the pipe `pass`;
    where the gate is ALL, each action tells, and waits for nothing.
    """

    gate: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("told", "pass"):
            if not (self.folder / name).exists():
                os.mkfifo(self.folder / name)

    def graph(self) -> Graph:
        graph = Graph()
        above: list[str] = []
        for layer in range(LAYERS):
            row = []
            for column in range(WIDTH):
                label = f"{layer}.{column}"
                inputs = {name: graph.actions[above[number % WIDTH]] for name, number in self._edges(above, column)}
                paid = (layer * WIDTH + column + 1) % PAID_EVERY == 0
                settings = {"text": label, "label": label}
                made = tuple(Input(role, action.id, "out") for role, action in inputs.items())
                row.append(graph.add(Action(PAY if paid else MAKE, label, "data", settings, made)))
            above = row
        return graph

    def _edges(self, above: list[str], column: int) -> list[tuple[str, int]]:
        return [("left", column), ("right", column + 1)] if above else []

    def runners(self) -> Runners:
        def make(settings: Any, inputs: Mapping[str, bytes], given: Mapping[str, Any]) -> Made:
            made = join(settings, inputs, given)
            if self.gate == ALL:
                self.tell(f"made {os.getpid()}")
            elif settings["label"] == self.gate:
                self.tell(f"in {os.getpid()}")
                with open(self.folder / "pass", "rb", buffering=0) as gate:
                    gate.read(1)
            return replace(made, outputs={"out": made.outputs["out"][-200:]})

        return replace(super().runners(), pure={"make": make})

    def tell(self, text: str) -> None:
        with open(self.folder / "told", "w") as told:
            told.write(f"{text}\n")

    def build_on(self) -> Build:
        self.console = _Telling(self)
        how = How(self.workers, self.jobs)
        return build(self.graph(), self.store, self.world, self.console, self.runners(), how)


class _Telling(Silent):
    """Tells when a process waits for the gate."""

    def __init__(self, toy: Wide) -> None:
        super().__init__()
        self._toy = toy

    def say(self, text: str, action: Action | None = None) -> None:  # noqa: ARG002
        if self._toy.gate and text.startswith(f"{self._toy.gate}: another ftbuild is at it"):
            self._toy.tell(f"waits {os.getpid()}")


class Crowd:
    """Child processes on one toy, and the two pipes through which they are steered."""

    def __init__(self, toy: Wide) -> None:
        self._toy = toy
        self._told = os.open(toy.folder / "told", os.O_RDWR)
        self._pass = os.open(toy.folder / "pass", os.O_RDWR)
        self._heard = b""
        self._children: list[int] = []

    def start(self, work: Callable[[], object]) -> int:
        child = os.fork()
        if not child:
            code = 70
            try:
                signal.alarm(HANGS_SECONDS)
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        self._children.append(child)
        return child

    def hear(self) -> tuple[str, int]:
        """Return the next thing told: what, and by whom."""
        while b"\n" not in self._heard:
            assert select.select([self._told], [], [], HANGS_SECONDS)[0], "nothing is told"
            self._heard += os.read(self._told, 4096)
        line, _, self._heard = self._heard.partition(b"\n")
        what, who = line.decode().split()
        return what, int(who)

    def let_pass(self) -> None:
        os.write(self._pass, b"1")

    def code(self, child: int) -> int:
        self._children.remove(child)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def close(self) -> None:
        for child in self._children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(self._told)
        os.close(self._pass)


@pytest.fixture
def toy(tmp_path: Path) -> Wide:
    return Wide(tmp_path / "project", jobs=4)


def sound(toy: Wide) -> bool:
    checked = check(toy.store, ("pay",), full=True)
    return (checked.problems, checked.n_records, checked.n_orphans) == ((), N_ACTIONS, 0)


def launched_once(toy: Wide) -> bool:
    launches = toy.launches()
    return len(launches) == N_PAID and set(launches.values()) == {1}


@pytest.mark.slow
def test_eight_builds_compute_each_action_once_beside_a_collection_after_each(toy: Wide) -> None:
    toy.gate = ALL
    store = toy.store
    crowd = Crowd(toy)
    try:
        with Session(store.folder):  # so that no build is without a living one before it
            builders = [crowd.start(toy.build_on) for _ in range(8)]
            for _ in range(N_ACTIONS - N_PAID):
                assert crowd.hear()[0] == "made"
                collect(store)
            assert [crowd.code(each) for each in builders] == [0] * 8
    finally:
        crowd.close()
    assert Counter(toy.ran) == dict.fromkeys((action.label for action in toy.graph()), 1)
    assert launched_once(toy)
    assert sound(toy)
    assert set(toy.statuses().values()) == {"HIT"}


@pytest.mark.slow
def test_eight_builds_beside_collections_of_an_old_store_compute_at_most_what_was_collected(toy: Wide) -> None:
    toy.build_on()
    toy.calls.unlink()
    store = toy.store
    for path in store.folder.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000))
    first = next(each.record for each in toy.plan() if each.record is not None)
    store.manifest_path(first.key).unlink()
    crowd = Crowd(toy)
    try:
        with Session(store.folder):
            builders = [crowd.start(toy.build_on) for _ in range(8)]
            for _ in range(20):
                collect(store)
            assert [crowd.code(each) for each in builders] == [0] * 8
    finally:
        crowd.close()
    assert set(Counter(toy.ran).values()) == {1}
    assert launched_once(toy)
    assert sound(toy)


def test_what_a_build_has_taken_from_an_old_store_is_not_collected_under_it(toy: Wide) -> None:
    toy.build_on()
    toy.calls.unlink()
    store = toy.store
    for path in store.folder.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000))
    gate = next(each for each in toy.plan() if each.action.label == GATE)
    store.manifest_path(str(gate.key)).unlink()
    toy.gate = GATE
    crowd = Crowd(toy)
    try:
        builder = crowd.start(toy.build_on)
        assert crowd.hear() == ("in", builder)
        collect(store)
        crowd.let_pass()
        assert crowd.code(builder) == 0
    finally:
        crowd.close()
    assert sorted(toy.ran) == sorted(_made_from(toy.graph(), gate.action.id))
    assert sound(toy)


def _made_from(graph: Graph, action: str) -> list[str]:
    """Return the labels of an action and of all below it that was not paid for."""
    found = {action}
    for each in graph:
        if any(above.action in found for above in each.inputs):
            found.add(each.id)
    return [graph.actions[each].label for each in found if graph.actions[each].kind != PAY]


def collect(store: Store) -> None:
    """Collect as `gc --yes` does, with no roots."""
    with using(store.folder, alone=True):
        sweep(store, mark(store, set(), ("pay",), (live_since(store.folder) or 0.0) - 1.0))


def test_the_actions_of_a_killed_build_are_taken_over(toy: Wide) -> None:
    toy.gate = GATE
    crowd = Crowd(toy)
    try:
        builders = [crowd.start(toy.build_on) for _ in range(4)]
        holder = _holder(crowd)
        os.kill(holder, signal.SIGKILL)
        assert crowd.code(holder) == -signal.SIGKILL
        heir = _holder(crowd)
        assert heir in set(builders) - {holder}
        crowd.let_pass()
        assert [crowd.code(each) for each in builders if each != holder] == [0] * 3
    finally:
        crowd.close()
    counts = Counter(toy.ran)
    assert counts.pop(GATE) == 2
    assert set(counts.values()) == {1}
    assert launched_once(toy)
    assert sound(toy)


@pytest.mark.slow
def test_a_build_that_stands_still_keeps_its_action(toy: Wide, tmp_path: Path) -> None:
    toy.gate = GATE
    crowd = Crowd(toy)
    try:
        holder = crowd.start(toy.build_on)
        assert crowd.hear() == ("in", holder)
        os.kill(holder, signal.SIGSTOP)
        others = [crowd.start(toy.build_on) for _ in range(3)]
        assert {crowd.hear() for _ in others} == {("waits", each) for each in others}
        Wide(tmp_path / "another").build_on()  # while they wait on
        crowd.let_pass()
        os.kill(holder, signal.SIGCONT)
        assert [crowd.code(each) for each in (holder, *others)] == [0] * 4
    finally:
        crowd.close()
    assert Counter(toy.ran) == dict.fromkeys((action.label for action in toy.graph()), 1)
    assert launched_once(toy)
    assert sound(toy)


def _holder(crowd: Crowd) -> int:
    """Return the process that is in the gate."""
    while True:
        what, who = crowd.hear()
        if what == "in":
            return who
