"""Who computes pure actions where there is a cluster."""

import json
import os
import pickle
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from ftbuild.cluster.connection import LOCAL, check, connect, environment, n_processors, package, start
from ftbuild.cluster.tasks import Tasks
from ftbuild.digest import of_bytes
from ftbuild.errors import EvaluationError, Interrupted
from ftbuild.partitions import Submit
from ftbuild.problem import Problem
from ftbuild.store.locks import using
from ftbuild.store.store import Store
from ftbuild.stream import whole
from ftbuild.threads import in_thread
from ftbuild.voice import INTERRUPTED
from ftbuild.workers import Compute, Kept, Order, Processes, content_of

AT_ONCE = 32  # actions that Ray gets at once; it lets them wait for its processors
OF_THIS_MACHINE = ("scratch",)  # facts that mean nothing elsewhere


@dataclass(frozen=True)
class Cluster:
    """Works on partitions: `n` at once, on the cluster at `address`, which takes those with that `environment`."""

    address: str
    n: int
    environment: Mapping[str, str] = field(repr=False)
    sees_files: bool = False

    @contextmanager
    def open(self, work: Callable[[Any], Any]) -> Iterator[Submit]:
        """Yield what takes a partition to be worked on, and returns what waits for the result."""
        os.environ |= self.environment
        connect(self.address)
        tasks = Tasks()
        packed = tasks.put(pickle.dumps(partial(_worked, work)))  # it may hold much, and goes there once

        def submit(partition: Any) -> Callable[[], Any]:
            return partial(tasks.result, tasks.start(packed, pickle.dumps(partition)), "a partition", _print)

        try:
            yield submit
        finally:
            tasks.cancel()


class RayWorkers:
    """Computes on the cluster at `address`; what goes over partitions is held together by one of `n_here` processes.

    `n` partitions of an action are worked on at once, as many as the cluster has processors if it is None. `LOCAL`
    starts a cluster on this machine that ends with the build.
    """

    def __init__(self, address: str, n_here: int, n: int | None, over_partitions: Collection[Compute]) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigError: Ray is not installed, or the address is none.
        """
        check(address)
        self._address, self._n, self._n_here = address, n, n_here
        self._over_partitions = over_partitions
        self._here = Processes(n_here)
        self._lock = threading.Lock()
        self._starter = ThreadPoolExecutor(1)  # the kernel ends a cluster with the thread that started it
        self._connected: tuple[Cluster, Tasks] | None = None
        self._folder: TemporaryDirectory[str] | None = None

    async def run(self, store: Store, order: Order) -> Kept:
        """Compute on the cluster and keep.

        Raises:
            ConfigError: nobody answers at the address, or a worker there has another ftbuild or Python.
            EvaluationError: who computed it died twice.
            Interrupted: it is stopped.
        """
        cluster, tasks = await in_thread(self._connect)
        if self._connected is None:
            raise Interrupted(INTERRUPTED)  # while Ray was started
        if order.compute in self._over_partitions:
            return await self._here.run(store, replace(order, given={**order.given, "pool": cluster}))
        return await in_thread(partial(_sent, tasks, store, order))

    def stop(self) -> None:
        """Cancel what is under way and leave the cluster; what was not finished was never kept."""
        self._here.stop()
        with self._lock:
            if self._connected is not None:
                self._connected[1].cancel(at_once=True)
                package().shutdown()
            self._starter.shutdown()
            if self._folder is not None:
                self._folder.cleanup()
            self._connected = self._folder = None

    def _connect(self) -> tuple[Cluster, Tasks]:
        with self._lock:
            if self._connected is None:
                if self._address == LOCAL:
                    self._folder = TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
                    found = self._starter.submit(start, self._n or self._n_here, self._folder.name).result()
                else:
                    found = connect(self._address)
                self._connected = Cluster(found, self._n or n_processors(), environment()), Tasks()
            return self._connected


def _sent(tasks: Tasks, store: Store, order: Order) -> Kept:
    """Have an order computed as one task, with the bytes it reads, and keep what it makes."""
    contents = [tasks.put(whole(content_of(store, digest))) for digest in order.inputs.values()]
    given = {name: value for name, value in order.given.items() if name not in OF_THIS_MACHINE}
    elsewhere = replace(order, given=given, log="", good={})
    called = tasks.start(pickle.dumps(partial(_made, elsewhere)), *contents)
    kept: Kept
    kept, made = tasks.result(called, order.compute.__name__, partial(_append, order.log))
    with using(store.folder):
        for digest, content in made.items():
            if store.put(content) != digest:
                raise EvaluationError(Problem("bytes changed on their way from a worker of Ray", order.log))
    return kept


def _made(order: Order, *contents: bytes) -> tuple[Kept, Mapping[str, bytes]]:
    """Compute an order from the bytes of its inputs; return what it made by name, and its bytes by digest.

    Raises:
        EvaluationError: the bytes are not those of the digests.
    """
    if [of_bytes(content) for content in contents] != [*order.inputs.values()]:
        raise EvaluationError(Problem("bytes changed on their way to a worker of Ray"))
    made = order.compute(json.loads(order.settings_text), dict(zip(order.inputs, contents, strict=True)), order.given)
    outputs = {name: whole(content) for name, content in made.outputs.items()}
    digests = {name: of_bytes(content) for name, content in outputs.items()}
    return Kept(digests, made.note, made.warnings), {digests[name]: content for name, content in outputs.items()}


def _worked(work: Callable[[Any], Any], partition: bytes) -> Any:
    return work(pickle.loads(partition))


def _print(said: str) -> None:
    print(said, end="")


def _append(log: str, said: str) -> None:
    with open(log, "a", encoding="utf-8") as file:
        file.write(said)
