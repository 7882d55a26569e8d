"""A project of toy actions, built by the real engine: texts joined, one of them paid for at a provider of files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftbuild.engine import Build, How, Runners, build
from ftbuild.errors import DataError, FtbuildError
from ftbuild.lookup import LedgerFolder, Planned, look_up
from ftbuild.plan.action import Action, Input, Kind
from ftbuild.plan.graph import Graph
from ftbuild.store.store import Store
from ftbuild.voice import Status, Voice
from ftbuild.workers import Inline, Made, Workers
from ftbuild.world import World

MAKE = Kind("make", 1, "pure")
PAY = Kind("pay", 1, "paid")
LABELS = ("a", "b", "pay", "c", "d")


class Silent:
    """A console that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Status, str]] = []
        self.said: list[str] = []
        self.failures: list[str] = []

    def started(self, action: Action) -> None: ...

    def progress(self, action: Action, text: str) -> None: ...

    def finished(self, action: Action, status: Status, note: str, _seconds: float) -> None:
        self.told.append((action.label, status, note))

    def failed(self, action: Action, _error: FtbuildError) -> None:
        self.failures.append(action.label)

    def say(self, text: str, action: Action | None = None) -> None:  # noqa: ARG002
        self.said.append(text)


def join(settings: Any, inputs: Mapping[str, bytes], given: Mapping[str, Any]) -> Made:
    """Join the bytes above and one's own; what begins with "#" is a comment: it enters the key, never the bytes.

    Every call is a line in the file `given["calls"]`; an action in `given["broken"]` fails.
    """
    with open(given["calls"], "a") as calls:
        calls.write(f"{settings['label']}\n")
    if settings["label"] in given["broken"]:
        raise DataError("broken")
    own = "" if settings["text"].startswith("#") else settings["text"]
    return Made({"out": b"".join(inputs.values()) + own.encode()}, f"made {settings['label']}")


@dataclass
class Toy:
    """a -> b -> pay -> d, and c -> d. `texts` are the settings of the actions; those in `broken` fail."""

    folder: Path
    texts: Mapping[str, str] = field(default_factory=lambda: {label: f"{label}1" for label in LABELS})
    broken: set[str] = field(default_factory=set)
    now: float = 100.0
    workers: Workers = field(default_factory=Inline)
    jobs: int = 1
    keep_going: bool = False

    @property
    def world(self) -> World:
        return World(self.folder, self.folder / "outputs", self.folder / "built", environment={}, now=lambda: self.now)

    @property
    def store(self) -> Store:
        return Store(self.world.store)

    @property
    def ledger(self) -> LedgerFolder:
        return LedgerFolder(self.world)

    @property
    def calls(self) -> Path:
        return self.folder / "calls"

    @property
    def ran(self) -> list[str]:
        """Return what was computed or paid for since the last `build` began."""
        return self.calls.read_text().split() if self.calls.exists() else []

    def graph(self) -> Graph:
        graph = Graph()

        def add(label: str, *above: str, kind: Kind = MAKE) -> str:
            inputs = tuple(Input(graph.actions[each].label, each, "out") for each in above)
            return graph.add(Action(kind, label, "data", {"text": self.texts[label], "label": label}, inputs))

        b = add("b", add("a"))
        paid = add("pay", b, kind=PAY)
        add("d", paid, add("c"))
        return graph

    def runners(self) -> Runners:
        def given(_action: Action, _done: Build) -> Mapping[str, Any]:
            self.now += 2.5
            return {"calls": str(self.calls), "broken": sorted(self.broken)}

        def pay(action: Action, key: str, done: Build, _voice: Voice) -> Made:
            inputs = {each.role: done.read(action, each.role) for each in action.inputs}
            made = join(action.settings, inputs, given(action, done))
            self.ledger.journal(key).append(1.0, "launched", job_id=f"ftjob-{key[:6]}", adopted=False)
            return made

        return Runners({"make": join}, {"pay": pay}, given)

    def build(self) -> Build:
        if self.calls.exists():
            os.unlink(self.calls)
        return self.build_on()

    def build_on(self) -> Build:
        """Build; what was computed before stays in `ran`."""
        self.folder.mkdir(exist_ok=True)
        self.console = Silent()
        how = How(self.workers, self.jobs, 1, self.keep_going)
        return build(self.graph(), self.store, self.world, self.console, self.runners(), how)

    def plan(self) -> list[Planned]:
        return look_up(self.graph(), self.store, self.ledger)

    def statuses(self) -> dict[str, Status]:
        return {planned.action.label: planned.status for planned in self.plan()}

    def outputs(self, done: Build) -> dict[str, bytes]:
        """Return the bytes of every action, by label."""
        return {ran.action.label: self.store.get(ran.record.outputs["out"]) for ran in done.ran.values()}


def with_texts(texts: Mapping[str, str], **changed: str) -> dict[str, str]:
    return {**texts, **changed}
