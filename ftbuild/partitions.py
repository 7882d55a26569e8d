"""One pure function over many partitions, in several processes, the results in order.

What comes out does not depend on how many there are. What is small, and what one process may do, is done right here: to
start others takes longer than a few megabytes do.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain
from typing import TypeVar

from ftbuild.stream import PIECE_BYTES
from ftbuild.workers import begin, context

Partition = TypeVar("Partition")
Result = TypeVar("Result")
AHEAD = 2  # partitions that wait for each process


def mapped(
    work: Callable[[Partition], Result],
    partitions: Iterable[Partition],
    n_processes: int,
    n_bytes: Callable[[Partition], int],
) -> Iterator[Result]:
    """Yield what `work` makes of each partition, in their order; no more are held than are being worked on.

    `n_bytes` says how large a partition is.

    Raises:
        Exception: whatever `work` raises, at its place.
    """
    partitions = iter(partitions)
    first: list[Partition] = []
    size = 0
    while n_processes > 1 and (size <= PIECE_BYTES or len(first) < 2):
        try:
            first.append(next(partitions))
        except StopIteration:
            n_processes = 1
        else:
            size += n_bytes(first[-1])
    if n_processes < 2:
        yield from map(work, chain(first, partitions))
        return
    with ProcessPoolExecutor(n_processes, mp_context=context(), initializer=begin) as pool:
        waiting: deque[Future[Result]] = deque()
        for partition in chain(first, partitions):
            waiting.append(pool.submit(work, partition))
            if len(waiting) >= AHEAD * n_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
