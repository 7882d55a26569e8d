"""One pure function over many partitions, in several processes, the results in order.

What comes out does not depend on how many there are. What is small, and what one process may do, is done right here: to
start others takes longer than a few megabytes do. The bytes of a result come back in a file, since a pipe takes several
times as long.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import fields, is_dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from ftbuild.store.contents import LEFTOVER
from ftbuild.store.durable import refused
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
    scratch: str | None = None,
) -> Iterator[Result]:
    """Yield what `work` makes of each partition, in their order; no more are held than are being worked on.

    `n_bytes` says how large a partition is, `scratch` is a folder for what comes back from the processes.

    Raises:
        StoreError: the disk is full.
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
    with (
        tempfile.TemporaryDirectory(prefix=LEFTOVER, dir=scratch) as folder,
        ProcessPoolExecutor(n_processes, mp_context=context(), initializer=begin) as pool,
    ):
        waiting: deque[Future[Any]] = deque()
        for partition in chain(first, partitions):
            waiting.append(pool.submit(_put_down, work, partition, folder))
            if len(waiting) >= AHEAD * n_processes:
                yield _taken_up(*waiting.popleft().result())
        while waiting:
            yield _taken_up(*waiting.popleft().result())


def _put_down(work: Callable[[Any], Any], partition: Any, folder: str) -> tuple[Any, dict[str, str]]:
    """Return a result without the bytes that are in it, and the file of each of them by name."""
    made = work(partition)
    names = [each.name for each in fields(made) if each.type is bytes] if is_dataclass(made) else []
    files = {}
    for name in names:
        handle, files[name] = tempfile.mkstemp(prefix=LEFTOVER, dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(getattr(made, name))
        except OSError as error:
            raise refused(Path(folder), error) from error
    return replace(made, **dict.fromkeys(files, b"")) if files else made, files


def _taken_up(made: Any, files: dict[str, str]) -> Any:
    """Return a result with the bytes that were put down."""
    found = {}
    for name, path in files.items():
        found[name] = Path(path).read_bytes()
        os.unlink(path)
    return replace(made, **found) if found else made
