"""One pure function over many partitions, worked on by several at once, the results in order.

What comes out does not depend on who works, nor on how many. What is small, and what one alone may do, is done right
here: to start others takes longer than a few megabytes do.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Protocol, TypeVar

from ftbuild.slots import Slots
from ftbuild.stream import Content, Part, lines, parts
from ftbuild.workers import begin, context

Partition = TypeVar("Partition")
Result = TypeVar("Result")
Submit = Callable[[Any], Callable[[], Any]]
SMALL_BYTES = 4 << 20
AHEAD = 2  # partitions that wait for each who works


class Pool(Protocol):
    """Who works on partitions, `n` of them at once."""

    @property
    def n(self) -> int:
        """Return how many are worked on at once."""
        ...

    @property
    def sees_files(self) -> bool:
        """Return whether the files of this machine are there for them."""
        ...

    def open(self, work: Callable[[Any], Any]) -> AbstractContextManager[Submit]:
        """Yield what takes a partition to be worked on, and returns what waits for the result."""
        ...


@dataclass(frozen=True)
class OwnProcesses:
    """Processes of this machine, started for one use."""

    n: int
    sees_files: bool = True

    @contextmanager
    def open(self, work: Callable[[Any], Any]) -> Iterator[Submit]:
        """Yield what takes a partition to be worked on, and returns what waits for the result."""
        with Slots() as slots, ProcessPoolExecutor(self.n, mp_context=context(), initializer=begin) as pool:
            yield partial(slots.submit, pool, work)


def pool_of(given: Mapping[str, Any]) -> Pool:
    """Return who works on the partitions of an action: the pool it was `given`, else as many processes as `jobs`."""
    pool: Pool = given.get("pool") or OwnProcesses(given.get("jobs", 1))
    return pool


def cut(content: Content, pool: Pool) -> Iterator[bytes | Part]:
    """Yield the lines of a content, a piece at a time; where they lie in a file, that is all who see it are told."""
    return parts(content) if pool.sees_files else lines(content)


def mapped(
    work: Callable[[Partition], Result],
    partitions: Iterable[Partition],
    pool: Pool,
    n_bytes: Callable[[Partition], int],
) -> Iterator[Result]:
    """Yield what `work` makes of each partition, in their order; no more are held than are being worked on.

    `n_bytes` says how large a partition is.

    Raises:
        Exception: whatever `work` raises, at its place.
    """
    partitions = iter(partitions)
    first: list[Partition] = []
    size, is_here = 0, pool.n < 2
    while not is_here and (size <= SMALL_BYTES or len(first) < 2):
        try:
            first.append(next(partitions))
        except StopIteration:
            is_here = True
        else:
            size += n_bytes(first[-1])
    if is_here:
        yield from map(work, chain(first, partitions))
        return
    with pool.open(work) as submit:
        waiting: deque[Callable[[], Result]] = deque()
        for partition in chain(first, partitions):
            waiting.append(submit(partition))
            if len(waiting) >= AHEAD * pool.n:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()
