"""A walk over a graph as the command line takes it: told on the terminal, paid for where somebody agrees."""

import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from ftbuild.cli.layout import label_width
from ftbuild.cli.options import Options
from ftbuild.outcome import Build
from ftbuild.plan.graph import Graph
from ftbuild.points import Point, apart
from ftbuild.store.store import Store
from ftbuild.world import World

if TYPE_CHECKING:
    from ftbuild.cli.console import TerminalConsole
    from ftbuild.workers import Workers


class Walker:
    """Who takes the walks of one command, over what `points` ask for at first: its processes and its surroundings."""

    def __init__(self, points: Sequence[Point], store: Store, world: World, options: Options) -> None:
        from ftbuild.site import Site
        from ftbuild.voice import Stopping

        self._store, self._world, self._options = store, world, options
        self._stopping, self._jobs = Stopping(), options.jobs or cores()
        self._workers, self._at_once = workers(options, self._jobs)
        self._console: TerminalConsole | None = None
        self._paid = 0.0
        words = asked_by(options)
        self.site: Site = Site(world, store, points, self._aside, self._stopping, self._jobs, options.retried, words)

    def walk(
        self, graph: Graph, points: Sequence[Point], names: Mapping[str, str] | None, known: Container[str] = ()
    ) -> Build:
        """Run what has no record, telling of it, and return what happened.

        `names` say for which points of a sweep an action is; of what is `known` to be done nothing is told. What
        --max-cost allows is for all walks together.

        Raises:
            FtbuildError: as `engine.build`.
            ConfigError: there is a job, and something speaks against it: the provider, the money, a missing key.
        """
        from ftbuild.cli.console import TerminalConsole
        from ftbuild.engine import How
        from ftbuild.engine import build as run_graph
        from ftbuild.paying import Consent, Gate

        options = self._options
        widest = label_width(action.label for action in graph)
        self._console = console = TerminalConsole(
            order=list(graph.actions), points=names, known=known, label_width=widest
        )
        allowed = None if options.max_cost is None else options.max_cost - self._paid
        consent = Consent(options.yes, allowed)
        gate = Gate(graph, points, self._store, self._world, consent, console.say, options.retried)
        gate.look()

        def pass_gate(done: Build) -> None:
            gate.pass_(done)
            self.site.costs = {**self.site.costs, **gate.spent}

        how = How(
            self._workers,
            self._at_once,
            max(point.composed.settings.provider.at_once for point in _each_provider(points)),
            options.keep_going or options.multirun,
            self._stopping,
            pass_gate,
        )
        try:
            return run_graph(graph, self._store, self._world, console, self.site.runners(), how)
        finally:
            console.close()
            gate.settle()
            self._paid += sum(each.cost_usd or 0.0 for each in gate.spent.values())

    def end(self) -> None:
        """End the processes, and take away what nothing was written to."""
        self._workers.stop()
        self.site.release()

    def _aside(self) -> AbstractContextManager[None]:
        return self._console.aside() if self._console is not None else nullcontext()


@contextmanager
def walked(
    graph: Graph, points: Sequence[Point], store: Store, world: World, options: Options
) -> Iterator[tuple[Build, Walker]]:
    """Run what has no record, telling of it, and yield what happened and who can go on from there.

    Raises:
        FtbuildError: as `Walker.walk`.
    """
    walker = Walker(points, store, world, options)
    try:
        yield walker.walk(graph, points, apart(points) if options.multirun else None), walker
    finally:
        walker.end()


def workers(options: Options, jobs: int) -> "tuple[Workers, int]":
    """Return who computes pure actions, and how many they get at once.

    Raises:
        ConfigError: Ray is asked for and not installed, or its address is none.
    """
    if options.ray is not None:
        from ftbuild.cluster.workers import AT_ONCE, RayWorkers
        from ftbuild.runners.pure import OVER_PARTITIONS

        return RayWorkers(options.ray, jobs, options.jobs, OVER_PARTITIONS), options.jobs or AT_ONCE
    from ftbuild.workers import Processes

    return Processes(jobs), jobs


def asked_by(options: Options) -> Sequence[str] | None:
    """Return the words that ask for several points, None where one is asked for."""
    return options.overrides if options.multirun else None


def _each_provider(points: Sequence[Point]) -> Iterable[Point]:
    """Return a point for each way in which the provider is set: a model of the settings costs memory."""
    return {json.dumps(point.composed.tree["provider"], sort_keys=True): point for point in points}.values()


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
