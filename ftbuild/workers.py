"""Where pure actions are computed: in processes of their own, or right here.

A computation gets the keyed settings, its inputs and a few facts that no key holds, and returns its
outputs: bytes, or a stream of what is too large to hold. Reading and keeping them is done here. A process
that dies takes its action with it and nothing else. What a computation prints goes to the log of its action.
"""

import asyncio
import gc
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any, Protocol

from ftbuild.errors import EvaluationError
from ftbuild.problem import Problem
from ftbuild.store.durable import refused
from ftbuild.store.locks import using
from ftbuild.store.store import Store
from ftbuild.stream import Content


@dataclass(frozen=True)
class Made:
    """What an action made: the content of each output, a line for people, and warnings."""

    outputs: Mapping[str, Content]
    note: str
    warnings: Sequence[Problem] = ()


@dataclass(frozen=True)
class Kept:
    """What an action made, once it is in the store: the digest of each output."""

    outputs: Mapping[str, str]
    note: str
    warnings: Sequence[Problem] = ()


Compute = Callable[[Any, Mapping[str, Content], Mapping[str, Any]], Made]
LARGE_BYTES = 16 << 20  # what is larger is read as a stream


@dataclass(frozen=True)
class Order:
    """One computation: `inputs` are digests by role, `given` the facts that no key holds, `log` its log file.

    `good` is what the store knows of the inputs.
    """

    compute: Compute
    settings_text: str
    inputs: Mapping[str, str]
    given: Mapping[str, Any] = field(default_factory=dict)
    log: str = os.devnull
    good: Mapping[str, str] = field(default_factory=dict)


class Workers(Protocol):
    """Who computes pure actions."""

    async def run(self, store: Store, order: Order) -> Kept:
        """Compute and keep; raises what the computation raises."""
        ...

    def stop(self) -> None:
        """End what is under way."""
        ...


class Inline:
    """Computes in this process, one after the other."""

    async def run(self, store: Store, order: Order) -> Kept:
        """Compute and keep."""
        return carry_out(store, order)

    def stop(self) -> None:
        """Do nothing: nothing is under way between two calls."""


class Processes:
    """Computes in `n` processes, started with the first computation."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, store: Store, order: Order) -> Kept:
        """Compute and keep in one of the processes.

        Raises:
            EvaluationError: the process died.
        """
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._n, mp_context=context(), initializer=begin)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _work, str(store.folder), order)
        except BrokenProcessPool as error:
            self._pool = None
            raise EvaluationError(
                Problem(
                    f"a process that computed for this build died, maybe of {order.compute.__name__}",
                    order.log,
                    why="Out of memory is the usual reason.",
                    fix="the same command goes on from here; --jobs 1 needs the least memory.",
                )
            ) from error

    def stop(self) -> None:
        """Kill the processes; what they had not finished was never kept.

        The pool's own thread is waited for: a program that ends while it tidies up ends in a traceback.
        """
        if self._pool is not None:
            for process in multiprocessing.active_children():
                process.kill()
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def carry_out(store: Store, order: Order) -> Kept:
    """Read the inputs, compute, keep the outputs; what is printed goes to the log."""
    store.trust(order.good)
    inputs = {role: content_of(store, digest) for role, digest in order.inputs.items()}
    made = order.compute(json.loads(order.settings_text), inputs, order.given)
    return keep(store, made)


def content_of(store: Store, digest: str) -> Content:
    """Return the bytes of an input, as a stream where they are many.

    Raises:
        DamagedError: they are gone or damaged.
    """
    return store.stream(digest) if store.n_bytes(digest) > LARGE_BYTES else store.get(digest)


def keep(store: Store, made: Made) -> Kept:
    """Put the outputs of an action into the store."""
    with using(store.folder):
        outputs = {
            name: store.put(content) if isinstance(content, bytes) else store.put_stream(content)
            for name, content in made.outputs.items()
        }
    return Kept(outputs, made.note, made.warnings)


def _work(folder: str, order: Order) -> Kept:
    with printing_to(order.log):
        return carry_out(Store(Path(folder)), order)


@contextmanager
def printing_to(log: str) -> Iterator[None]:
    """Send what this process prints, and what libraries below Python print, to a file.

    Raises:
        StoreError: the file cannot be opened.
    """
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise refused(Path(log), error) from error
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)


def context() -> "multiprocessing.context.BaseContext":
    """Return how processes are started: from a clean server where there is one, never a fork of a threaded build.

    The server is deaf to Ctrl-C from its first moment on, as are those it starts: it would hear it until its imports
    are done, and die of it. What is blocked while it is started stays blocked there.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["ftbuild.runners.pure"])
    resource_tracker.ensure_running()  # else it is started below, and lifts the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return found


def begin() -> None:
    """Leave Ctrl-C to the process that people talk to, end with it, however it ends, and seldom look for garbage.

    What is made of data is free of cycles; looking through it for some takes a seventh of the time.
    """
    gc.set_threshold(200_000, 20, 100)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()


def _end_with(parent: "multiprocessing.process.BaseProcess") -> None:
    parent.join()
    os._exit(1)
