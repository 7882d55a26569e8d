"""Walk a graph: look up, run, record. The only loop with effects.

Owns the order of things. What an action does is its runner's business; what people see is the
console's. An action whose key has a record is not run; everything else about a build follows:
a ready queue in the order of the graph, pure actions in worker processes, the others in threads
that wait for answers, one process at a time per action, and failures that stop what lies below them.
"""

import asyncio
import heapq
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from ftbuild.errors import FtbuildError, Interrupted
from ftbuild.lookup import History, LedgerFolder, look_up
from ftbuild.outcome import Build, Ran, found
from ftbuild.plan.action import Action
from ftbuild.plan.graph import Graph
from ftbuild.problem import render
from ftbuild.store.locks import KeyLock, Session, using
from ftbuild.store.store import DamagedError, Record, Store
from ftbuild.stream import whole
from ftbuild.threads import in_thread
from ftbuild.voice import INTERRUPTED, Console, Stopping, Voice
from ftbuild.workers import Compute, Kept, Made, Order, Workers, keep
from ftbuild.world import World

_Class = Literal["pure", "data", "rest"]  # of actions; the last two ask somebody else
_CLASSES: tuple[_Class, ...] = ("pure", "data", "rest")
LOOK_SECONDS = 0.1
HEALS_AT_MOST = 3
LEAVE_SECONDS = 2.0


Ask = Callable[[Action, str, Build, Voice], Made]


@dataclass(frozen=True)
class Runners:
    """What actions do: `pure` ones by kind, computed in a worker; `remote` ones by kind, in a thread of their own.

    `given` says what a pure action may know besides its settings; no key holds it. `manifest` says what
    else a record should tell.
    """

    pure: Mapping[str, Compute] = field(default_factory=dict)
    remote: Mapping[str, Ask] = field(default_factory=dict)
    given: Callable[[Action, Build], Mapping[str, Any]] = lambda _action, _done: {}
    manifest: Callable[[Action], Mapping[str, Any]] = lambda _action: {}


@dataclass(frozen=True)
class How:
    """How a build goes about it: `workers` compute `jobs` pure actions at once, `remote` others are under way.

    `stopping` is set by Ctrl-C or a failure, and by whoever else wants the build to stop. `gate` is asked when all that
    is free has been done and before anybody else is asked for anything; what it raises ends the build. Where others
    are asked for something that the data is made of, it is asked once before that and once more when the data is there.
    """

    workers: Workers
    jobs: int = 1
    remote: int = 1
    keep_going: bool = False
    stopping: Stopping = field(default_factory=Stopping)
    gate: Callable[[Build], None] = lambda _done: None


def build(graph: Graph, store: Store, world: World, console: Console, runners: Runners, how: How) -> Build:
    """Run what has no record and return what happened. Bytes found damaged are made anew.

    Raises:
        FtbuildError: the first action that failed, unless `how.keep_going`; what was done before stays done.
        Interrupted: the user wants to stop; jobs under way go on at their provider.
    """
    for _ in range(HEALS_AT_MOST):
        if (done := found(look_up(graph, store, LedgerFolder(world)), store)) is not None:
            for ran in done.ran.values():
                console.finished(ran.action, "HIT", ran.record.note, 0.0)
            return done
        try:
            with Session(store.folder):
                return asyncio.run(_Walk(graph, store, world, console, runners, how).run())
        except DamagedError as error:
            damaged = error
            console.say(f"{render(error.problems).splitlines()[0]}; set aside, and made anew")
            store.set_aside(error.digest)
            how.stopping.clear()
        finally:
            store.flush()
    raise damaged


class _Walk:
    """One walk over one graph."""

    def __init__(self, graph: Graph, store: Store, world: World, console: Console, runners: Runners, how: How) -> None:
        self._actions, self._names = graph.actions, list(graph.actions)
        self._position = {name: number for number, name in enumerate(self._names)}
        self._store, self._world, self._console, self._runners, self._how = store, world, console, runners, how
        self._ledger, self._history = LedgerFolder(world), History(store)
        self._done = Build(store)
        self._missing: dict[str, int] = {}
        self._below: dict[str, list[str]] = {}
        self._given_up: set[str] = set()
        self._ready: dict[_Class, list[int]] = {each: [] for each in _CLASSES}  # positions, as a heap
        self._running: dict[asyncio.Task[None], str] = {}
        self._stopping = how.stopping
        self._first_error: BaseException | None = None
        self._passed: set[_Class] = set()
        self._at_gate: _Class | None = None

    async def run(self) -> Build:
        """Run what has no record; return what happened, or raise the first failure."""
        self._take_hits()
        self._queue()
        with _listening(self._stopping) as woken:
            try:
                while not self._stopping.wanted:
                    self._start()
                    if self._at_gate is not None:
                        await self._pass_gate(self._at_gate, woken)
                        continue
                    if not self._running:
                        break
                    ended, _ = await asyncio.wait([*self._running, woken], return_when=asyncio.FIRST_COMPLETED)
                    for task in [each for each in self._running if each in ended]:
                        self._settle(task)
            finally:
                await self._leave()
        if self._stopping.wanted:
            raise self._first_error or Interrupted(INTERRUPTED)
        return self._done

    def _take_hits(self) -> None:
        """Take every action that has a record and only such above it."""
        with using(self._store.folder):
            for name, action in self._actions.items():  # inputs come first
                if all(each.action in self._done.ran for each in action.inputs):
                    record = self._store.find(self._key(name))
                    if record is not None:
                        self._take(name, record)

    def _take(self, name: str, record: Record) -> None:
        self._store.touch(record)
        self._done.ran[name] = Ran(self._actions[name], "HIT", record, 0.0)
        self._console.finished(self._actions[name], "HIT", record.note, 0.0)

    def _queue(self) -> None:
        """Count for each other action what it waits for, and queue what waits for nothing."""
        for name, action in self._actions.items():
            if name in self._done.ran:
                continue
            above = ({each.action for each in action.inputs} | {*action.after}) - self._done.ran.keys()
            self._missing[name] = len(above)
            for each in above:
                self._below.setdefault(each, []).append(name)
            if not above:
                self._push(name)

    def _start(self) -> None:
        """Start what may run: pure actions first, then what data is made of, then the rest.

        Nobody else is asked for anything before all that comes before it has been done once.
        """
        running = [self._class(name) for name in self._running.values()]
        for number, each in enumerate(_CLASSES):
            is_pure = each == "pure"
            if not is_pure and each not in self._passed:
                if not self._ready[each]:
                    continue
                if any(other in running for other in _CLASSES[:number]):
                    return
                self._at_gate = each
                return
            limit = self._how.jobs if is_pure else self._how.remote
            n_running = sum((other == "pure") == is_pure for other in running)
            while self._ready[each] and n_running < limit:
                name = self._names[heapq.heappop(self._ready[each])]
                self._running[asyncio.ensure_future(self._run(name))] = name
                running.append(each)
                n_running += 1

    async def _pass_gate(self, which: "_Class", woken: "asyncio.Future[None]") -> None:
        """Ask the gate, in a thread: it may ask people, and Ctrl-C must still reach us."""
        asked = asyncio.ensure_future(in_thread(lambda: self._how.gate(self._done)))
        await asyncio.wait([asked, woken], return_when=asyncio.FIRST_COMPLETED)
        self._at_gate = None
        self._passed.add(which)
        if not asked.done():
            asked.cancel()
        elif (error := asked.exception()) is not None:
            self._first_error = error
            self._stopping.set()

    def _settle(self, task: "asyncio.Task[None]") -> None:
        """Note how a task ended, and queue what waited for it alone."""
        name = self._running.pop(task)
        error = task.exception()
        if error is None:
            for below in self._below.get(name, ()):
                self._come_nearer(below)
            return
        if isinstance(error, FtbuildError) and not isinstance(error, DamagedError | Interrupted):
            self._done.failed[name] = error
            self._console.failed(self._actions[name], error)
            if self._how.keep_going:
                self._give_up(name)
                return
        self._first_error = self._first_error or error
        self._stopping.set()

    def _come_nearer(self, name: str) -> None:
        self._missing[name] -= 1
        if not self._missing[name] and name not in self._given_up:
            self._push(name)

    def _give_up(self, name: str) -> None:
        """Give up what reads what has failed; what comes after it without reading it waits no longer."""
        self._given_up.add(name)
        for below in self._below.get(name, ()):
            if all(each.action != name for each in self._actions[below].inputs):
                self._come_nearer(below)
            elif below not in self._given_up:
                self._give_up(below)

    async def _leave(self) -> None:
        """Let go of what is still under way.

        After a failure the pure actions come to their end, after Ctrl-C they are given up; what waits for
        a provider notices within its next pause, and says what goes on there.
        """
        if not self._running:
            return
        self._stopping.set()
        if self._first_error is None:
            self._how.workers.stop()
        pure = [task for task, name in self._running.items() if self._is_pure(name)]
        if pure:
            await asyncio.wait(pure, timeout=None if self._first_error else LEAVE_SECONDS)
        await asyncio.wait(self._running, timeout=LEAVE_SECONDS)
        for task in self._running:
            task.cancel()
        for error in await asyncio.gather(*self._running, return_exceptions=True):
            if isinstance(error, Interrupted) and self._first_error is None:
                self._first_error = error
            elif isinstance(error, Interrupted) and error is not self._first_error and str(error) != INTERRUPTED:
                self._console.say(render(error.problems))  # a job that goes on at its provider
        self._running.clear()

    async def _run(self, name: str) -> None:
        """Run one action, or take the result of whoever runs it already."""
        action, key = self._actions[name], self._key(name)
        log = self._store.folder / "logs" / f"{key}.log"
        voice = Voice(self._console, action, self._stopping, log, self._world.now)
        lock = KeyLock(self._store.folder, key)
        await _turn(lock, voice)
        try:
            with using(self._store.folder):
                record = self._ledger.restored(self._store, key) if action.kind.contract == "paid" else None
                record = record or self._store.find(key)
                if record is not None:
                    self._take(name, record)
                    return
            preimage = action.preimage(self._done.digests(action))
            why = self._history.reasons(action, preimage)
            self._console.started(action)
            voice.note(f"runs: {'; '.join(why)}")
            started_at = self._world.now()
            kept = await self._make(action, key, voice)
            seconds = round(self._world.now() - started_at, 3)
            record = self._recorded(action, key, kept, started_at, seconds, preimage=preimage, reasons=why)
        finally:
            lock.release()
        self._done.ran[name] = Ran(action, "RUN", record, seconds)
        self._console.finished(action, "RUN", record.note, seconds)

    async def _make(self, action: Action, key: str, voice: Voice) -> Kept:
        if self._is_pure(action.id):
            inputs = self._done.digests(action)
            kept = await self._how.workers.run(
                self._store,
                Order(
                    self._runners.pure[action.kind.name],
                    action.settings_text,
                    inputs,
                    self._runners.given(action, self._done),
                    str(voice.log()),
                    self._store.good(inputs.values()),
                ),
            )
        else:
            ask = self._runners.remote[action.kind.name]
            made = await in_thread(lambda: ask(action, key, self._done, voice))
            if action.kind.contract == "paid":
                self._ledger.keep(key, {name: whole(content) for name, content in made.outputs.items()}, made.note)
            kept = keep(self._store, made)
        if kept.warnings:
            voice.say(render(list(kept.warnings)))
        return kept

    def _recorded(
        self, action: Action, key: str, kept: Kept, started_at: float, seconds: float, **manifest: Any
    ) -> Record:
        record = Record(
            key=key,
            kind=action.kind.name,
            label=action.label,
            outputs=dict(kept.outputs),
            note=kept.note,
            started_at=started_at,
            seconds=seconds,
        )
        with using(self._store.folder):
            self._store.record(record, {**manifest, **self._runners.manifest(action)})
        return record

    def _push(self, name: str) -> None:
        heapq.heappush(self._ready[self._class(name)], self._position[name])

    def _key(self, name: str) -> str:
        return self._actions[name].key(self._done.digests(self._actions[name]))

    def _class(self, name: str) -> "_Class":
        if self._is_pure(name):
            return "pure"
        return "data" if self._actions[name].stage == "data" else "rest"

    def _is_pure(self, name: str) -> bool:
        return self._actions[name].kind.name in self._runners.pure


async def _turn(lock: KeyLock, voice: Voice) -> None:
    """Wait until no other process runs this action."""
    if lock.acquire():
        return
    voice.say(f"{voice.action.label}: another ftbuild is at it; its result is taken when it is there")
    while not lock.acquire():
        await asyncio.sleep(LOOK_SECONDS)


@contextmanager
def _listening(stopping: Stopping) -> Iterator["asyncio.Future[None]"]:
    """Make the first Ctrl-C a wish to stop, which wakes whoever waits for the future; the second is obeyed at once."""
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def wish() -> None:
        stopping.set()
        if not woken.done():
            woken.set_result(None)
        loop.remove_signal_handler(signal.SIGINT)

    with suppress(ValueError, RuntimeError, NotImplementedError):  # not the main thread, or no signals here
        loop.add_signal_handler(signal.SIGINT, wish)
    try:
        yield woken
    finally:
        with suppress(ValueError, RuntimeError, NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
