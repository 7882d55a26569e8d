"""The cache of calls when several builds open it at once."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from ftbuild.completion import Completion, Prompt
from ftbuild.evaluate.calls import Calls

CLIENTS = 4
TURNS = 25  # without the lock about every twentieth opening fails


def _open_all(folder: Path, barrier: Barrier) -> None:
    for turn in range(TURNS):
        barrier.wait()
        calls = Calls(folder / str(turn) / "calls.db")
        calls.put("one request", Completion("one answer"), "m", Prompt(()))
        calls.close()


@pytest.mark.slow
def test_clients_that_open_a_new_cache_at_once_all_use_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(CLIENTS, timeout=20)
    clients = [context.Process(target=_open_all, args=(tmp_path, barrier)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert [client.exitcode for client in clients] == [0] * CLIENTS
