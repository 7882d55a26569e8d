"""A walk over a graph as the command line takes it: told on the terminal, paid for where somebody agrees."""

import json
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ftbuild.cli.layout import label_width
from ftbuild.cli.options import Options
from ftbuild.errors import CostError, EvaluationError
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.outcome import Build, found
from ftbuild.plan.graph import Graph
from ftbuild.points import Point, apart, with_before
from ftbuild.store.store import Store
from ftbuild.world import World

if TYPE_CHECKING:
    from ftbuild.cli.console import TerminalConsole
    from ftbuild.paying import Gate
    from ftbuild.site import Site
    from ftbuild.voice import Stopping
    from ftbuild.workers import Workers


class Walker:
    """Who takes the walks of one command, over what `points` ask for at first: its processes and its surroundings.

    Nothing of it is there before the first walk.
    """

    def __init__(self, points: Sequence[Point], store: Store, world: World, options: Options) -> None:
        self._points, self._store, self._world, self._options = points, store, world, options
        self._jobs = options.jobs or cores()
        self._console: TerminalConsole | None = None
        self._paid = 0.0

    @cached_property
    def site(self) -> "Site":
        """Return what the actions need around them."""
        from ftbuild.cluster.connection import LOCAL
        from ftbuild.site import Site

        # A cluster of the build's own ends with it, which no training does.
        ray = None if self._options.ray == LOCAL else self._options.ray
        words = asked_by(self._options)
        given = (self._world, self._store, self._points, self._aside, self._stopping)
        return Site(*given, self._jobs, self._options.retried, words, ray)

    @cached_property
    def _stopping(self) -> "Stopping":
        from ftbuild.voice import Stopping

        return Stopping()

    @cached_property
    def _workers(self) -> "tuple[Workers, int]":
        return workers(self._options, self._jobs)

    @property
    def has_walked(self) -> bool:
        """Return whether there was a walk; until then everything asked for was there."""
        return "site" in self.__dict__

    def found(self, graph: Graph) -> Build | None:
        """Return the build in which nothing has to run, None where something has to."""
        return found(look_up(graph, self._store, LedgerFolder(self._world)), self._store)

    def walk(
        self,
        graph: Graph,
        points: Sequence[Point],
        names: Mapping[str, str] | None,
        known: Container[str] = (),
        look: Callable[[Build], None] = lambda _done: None,
        agreed: Graph | None = None,
    ) -> Build:
        """Run what has no record, telling of it, and return what happened.

        `names` say for which points of a sweep an action is; of what is `known` to be done nothing is told. What
        --max-cost allows is for all walks together. `look` is taken at the data before anything is paid. `agreed` is
        what is paid for with it, where that is more than is walked.

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
            order=list(graph.actions),
            points=names,
            known=known,
            label_width=widest,
            named=[each.name for each in points] if names else (),
        )
        allowed = None if options.max_cost is None else options.max_cost - self._paid
        consent = Consent(options.yes, allowed)
        paid = agreed or graph
        asking = with_before(points, paid)
        gate = Gate(paid, asking, self._store, self._world, consent, console.say, options.retried)
        gate.look()
        self.site.expect(points)

        def pass_gate(done: Build) -> None:
            look(done)
            self._pass(gate, done)
            self.site.costs = {**self.site.costs, **gate.spent}

        at_once = max(point.composed.settings.provider.at_once for point in _each_provider(asking))
        keep_going = options.keep_going or options.multirun
        how = How(*self._workers, at_once, keep_going, self._stopping, pass_gate)
        try:
            return run_graph(graph, self._store, self._world, console, self.site.runners(), how)
        except EvaluationError as error:
            raise points[0].composed.placed(error) from error
        finally:
            console.close()
            gate.settle()
            self._paid += sum(each.cost_usd or 0.0 for each in gate.spent.values())

    def _pass(self, gate: "Gate", done: Build) -> None:
        try:
            gate.pass_(done)
        except CostError as error:
            raise (between(error) if self._paid else error) from error

    def end(self) -> None:
        """End the processes, and take away what nothing was written to."""
        if self.has_walked:
            self._workers[0].stop()
            self.site.release()

    def _aside(self) -> AbstractContextManager[None]:
        return self._console.aside() if self._console is not None else nullcontext()


def between(error: CostError) -> CostError:
    """Return the error of a command whose money has come to its end after it had paid for something."""
    why = "Nothing more was sent. What was paid for is kept, and the same command goes on from there."
    return CostError(*(replace(each, why=why) for each in error.problems))


@contextmanager
def walking(points: Sequence[Point], store: Store, world: World, options: Options) -> Iterator[Walker]:
    """Yield who takes the walks of a command, and end it."""
    walker = Walker(points, store, world, options)
    try:
        yield walker
    finally:
        walker.end()


@contextmanager
def walked(graph: Graph, points: Sequence[Point], store: Store, world: World, options: Options) -> Iterator[Build]:
    """Run what has no record, telling of it, and yield what happened.

    Raises:
        FtbuildError: as `Walker.walk`.
    """
    with walking(points, store, world, options) as walker:
        yield walker.walk(graph, points, names_of(points, options))


def names_of(points: Sequence[Point], options: Options) -> Mapping[str, str] | None:
    """Return for which points of a sweep an action is, and which is that of the round before, None where neither is."""
    return apart(points) if options.multirun or any(each.before for each in points) else None


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
