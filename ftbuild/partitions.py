"""One pure function over many partitions, in several processes, the results in order.

What comes out does not depend on how many there are. Few partitions, or one process, are worked on right here.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from ftbuild.workers import begin, context

Partition = TypeVar("Partition")
Result = TypeVar("Result")
AHEAD = 2  # partitions that wait for each process


def mapped(work: Callable[[Partition], Result], partitions: Iterable[Partition], n_processes: int) -> Iterator[Result]:
    """Yield what `work` makes of each partition, in their order; no more are held than are being worked on.

    Raises:
        Exception: whatever `work` raises, at its place.
    """
    partitions = iter(partitions)
    first = list(islice(partitions, 2))
    if len(first) < 2 or n_processes < 2:
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
