"""A toy project with a real job: the real engine, runner and ledger, at a provider that lives in a folder.

    train, valid -> job -> use

Time is made up: a pause costs nothing and moves the clock of its process. Clients are children, so that they can be
killed and stopped.
"""

import os
import random
import select
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from job_provider import FolderProvider
from settings_fixture import FULL
from toy_fixture import MAKE, Silent, Toy, join

from ftbuild.engine import How, Runners, build
from ftbuild.errors import FtbuildError, Interrupted
from ftbuild.outcome import Build
from ftbuild.plan.action import JOB, Action, Input
from ftbuild.plan.graph import Graph
from ftbuild.runners.job import job
from ftbuild.runners.workshop import Workshop
from ftbuild.settings import Settings
from ftbuild.voice import Stopping, Voice
from ftbuild.workers import Made

SETTINGS = Settings.model_validate(
    {**FULL, "provider": {**FULL["provider"], "settle_seconds": 5.0, "poll_seconds": 1.0}}, strict=False
)
METHOD = {"type": "supervised", "hyperparameters": {"n_epochs": 1}}
HANGS_SECONDS = 60
BUG = 70


class MadeUpTime(Stopping):
    """Pauses that cost no time."""

    def __init__(self, toy: "Jobs") -> None:
        super().__init__()
        self._toy = toy

    def sleep(self, seconds: float) -> None:
        if self.wanted:
            raise Interrupted("interrupted")
        self._toy.now += seconds


@dataclass
class Jobs(Toy):
    """`place` is where the provider lives: elsewhere for a second clone. `texts` name the data."""

    texts: Mapping[str, str] = field(default_factory=lambda: {"train": "t1", "valid": "v1", "use": "u1"})
    place: Path | None = None
    lossy: float = 0.0
    seed: int = 0
    faults: tuple[str, ...] = ()
    status_on: str = ""
    looks_late: int = 1
    kind: type[FolderProvider] = FolderProvider

    @property
    def provider(self) -> FolderProvider:
        place = self.place or self.folder / "provider"
        place.mkdir(parents=True, exist_ok=True)
        chance = random.Random(self.seed)
        return self.kind(
            place, list(self.faults), self.looks_late, lossy=self.lossy, chance=chance, status_on=self.status_on
        )

    def graph(self) -> Graph:
        graph = Graph()

        def make(label: str, *inputs: Input) -> str:
            return graph.add(Action(MAKE, label, "data", {"text": self.texts[label], "label": label}, inputs))

        inputs = (Input("training_file", make("train"), "out"), Input("validation_file", make("valid"), "out"))
        paid = graph.add(Action(JOB, "job", "train", {"method": METHOD, "label": "job"}, inputs))
        make("use", Input("job", paid, "job.json"))
        return graph

    def runners(self) -> Runners:
        def given(_action: Action, _done: Build) -> Mapping[str, Any]:
            return {"calls": str(self.calls), "broken": sorted(self.broken)}

        def run(action: Action, key: str, done: Build, voice: Voice) -> Made:
            return job(self.shop(), action, key, done, voice)

        return Runners({"make": join}, {"job": run}, given)

    def shop(self) -> Workshop:
        provider = self.provider
        return Workshop(SETTINGS, self.world, self.store, lambda: provider, "toy", ("+x=toy",), lambda _key: None)

    def build_on(self, stopping: Stopping | None = None) -> Build:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.console = Silent()
        how = How(self.workers, self.jobs, 1, self.keep_going, stopping or MadeUpTime(self))
        return build(self.graph(), self.store, self.world, self.console, self.runners(), how)

    def job_alone(self, waits: Callable[[], None]) -> None:
        """Run the job's action without the engine, whose own lock would keep a second client out of the ledger."""
        done = replace(self, texts=dict(self.texts))._data()
        action = next(each for each in self.graph() if each.kind is JOB)
        key = action.key(done.digests(action))
        voice = Voice(_Waiting(waits), action, MadeUpTime(self), self.folder / "log", self.world.now)
        made = job(self.shop(), action, key, done, voice)
        self.ledger.keep(key, {name: bytes(each) for name, each in made.outputs.items()}, made.note)  # type: ignore[arg-type]

    def _data(self) -> Build:
        """Build what the job reads."""
        how = How(self.workers, 1, 1, False, MadeUpTime(self))
        parts = [each.id for each in self.graph() if each.kind == MAKE and each.label != "use"]
        whole = self.graph()
        graph = Graph({name: whole.actions[name] for name in parts})
        return build(graph, self.store, self.world, Silent(), self.runners(), how)

    @property
    def all_done(self) -> bool:
        return set(self.statuses().values()) == {"HIT"}


class _Waiting(Silent):
    """Tells when its client waits for another."""

    def __init__(self, waits: Callable[[], None]) -> None:
        super().__init__()
        self._waits = waits

    def say(self, text: str, action: Action | None = None) -> None:  # noqa: ARG002
        if "another ftbuild is launching it" in text:
            self._waits()


class Child:
    """A client in a process of its own. Its exit code is that of the command line; what it tells comes by a pipe."""

    def __init__(self, work: Callable[[Callable[[], None]], object]) -> None:
        self._reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            _be_child(work, writing)
        os.close(writing)

    def waits_or_ends(self) -> bool:
        """Wait until it tells that it waits for another, or has gone; say which: true is the first."""
        assert select.select([self._reading], [], [], HANGS_SECONDS)[0], "nothing is told"
        return os.read(self._reading, 1) != b""

    def stopped(self) -> bool:
        """Wait until it has stopped or gone; say which: true is the first."""
        found = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return found is not None and found.si_code == os.CLD_STOPPED

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def code(self) -> int:
        os.close(self._reading)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _be_child(work: Callable[[Callable[[], None]], object], writing: int) -> None:
    code = BUG
    try:
        signal.alarm(HANGS_SECONDS)
        work(lambda: (os.write(writing, b"w"), None)[1])
        code = 0
    except FtbuildError as error:
        code = int(error.exit_code)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)
