"""A toy project whose paid actions are launched for real: once, through the ledger, at a provider of files."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fake_provider import FakeProvider, request
from toy_fixture import MAKE, PAY, Toy, join

from ftbuild.engine import Runners
from ftbuild.ledger.journal import Asked
from ftbuild.ledger.launch import KEY, Clock, launch_once
from ftbuild.outcome import Build
from ftbuild.plan.action import Action, Input
from ftbuild.plan.graph import Graph
from ftbuild.voice import Voice
from ftbuild.workers import Made

SETTLE_SECONDS = 1.0


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Give a folder that costs no waiting for a disk, where there is such a place."""
    shared = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


@dataclass
class Paying(Toy):
    """A toy that pays as `runners.job` does: launch once, note the end, hand over what the job gave.

    The provider's list of jobs is behind by one look.
    """

    def __post_init__(self) -> None:
        self.provider.mkdir(parents=True, exist_ok=True)

    @property
    def provider(self) -> Path:
        return self.folder / "provider"

    def launches(self) -> Mapping[str, int]:
        """Return how many jobs there ever were, by key."""
        found: dict[str, int] = {}
        for job in FakeProvider(self.provider).jobs():
            key = job.raw["metadata"][KEY]
            found[key] = found.get(key, 0) + 1
        return found

    def runners(self) -> Runners:
        toy = super().runners()

        def pay(action: Action, key: str, done: Build, _voice: Voice) -> Made:
            provider = FakeProvider(self.provider, looks_late=1)
            journal, clock = self.ledger.journal(key), Clock(lambda: self.now, self._sleep)
            launched = launch_once(journal, provider, request, clock, SETTLE_SECONDS, Asked(("+x=toy",), "toy"))
            journal.append(self.now, "ended", job_id=launched.job_id, status="succeeded", error=None)
            above = {each.role: done.read(action, each.role) for each in action.inputs}
            return join(action.settings, above, toy.given(action, done))

        return replace(toy, remote={"pay": pay})

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


class Short(Paying):
    """a -> pay, and nothing else."""

    def graph(self) -> Graph:
        graph = Graph()
        a = graph.add(Action(MAKE, "a", "data", {"text": self.texts["a"], "label": "a"}))
        settings = {"text": self.texts["pay"], "label": "pay"}
        graph.add(Action(PAY, "pay", "data", settings, (Input("a", a, "out"),)))
        return graph
