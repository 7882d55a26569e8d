"""Objects that live in a process of the cluster while this process wants them: for what is asked more than one thing.

Ray restarts none of them and asks none again: who has lost one decides what becomes of it. They end with this process.
"""

import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import methodcaller
from typing import Any

from ftbuild.cluster.connection import package
from ftbuild.cluster.tasks import Outcome, door, facts, value_of


class LostError(Exception):
    """The process or the machine that an object lived in is gone; the text is Ray's."""


class Lodger:
    """An object elsewhere, made by `make`; it has a place when `is_there`, where it may use what it `needs`."""

    def __init__(self, make: Callable[[], Any], needs: Mapping[str, float]) -> None:
        """Ask for a place."""
        self._ray, self._wanted = package(), facts()
        self._actor = self._ray.remote(max_restarts=0, max_task_retries=0, **needs)(_lodging()).remote()
        self._made = self._actor.make.remote(self._wanted, pickle.dumps(make))

    def is_there(self, seconds: float) -> bool:
        """Wait so long for a place at most, and return whether there is one.

        Raises:
            ConfigError: the worker has another ftbuild or Python.
            LostError: it is gone.
        """
        there, _ = self._ray.wait([self._made], timeout=seconds)
        if there:
            self._value(self._made)
        return bool(there)

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the object and return its value.

        Raises:
            LostError: it is gone.
            Exception: whatever the method raised.
        """
        return self._value(self._actor.ask.remote(pickle.dumps(methodcaller(method, *arguments))))

    def end(self) -> None:
        """End the process that the object lives in, or ask for no place any more."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._actor)

    def _value(self, asked: Any) -> Any:
        try:
            how, value, _ = self._ray.get(asked)
        except self._ray.exceptions.RayError as error:
            raise LostError(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error
        return value_of(how, value, self._wanted)


def room(n_threads: int) -> tuple[int, Mapping[str, float]]:
    """Return how many who compute with so many threads can live in the cluster at once, and what each of them needs.

    Where there are graphics cards each needs one, else a processor for each thread, or all of the largest machine.
    """
    machines = [node["Resources"] for node in package().nodes() if node["Alive"]]
    n_cards = sum(int(each.get("GPU", 0)) for each in machines)
    if n_cards:
        return n_cards, {"num_gpus": 1, "num_cpus": 0}
    processors = [int(each.get("CPU", 0)) for each in machines]
    each_needs = max(1, min(n_threads, max(processors, default=1)))
    return sum(n // each_needs for n in processors), {"num_cpus": each_needs}


def _lodging() -> type:
    """Return what a worker begins with. It travels by value, as the door does."""
    enter = door()

    class Lodging:
        def make(self, wanted: Mapping[str, str], make: bytes) -> Outcome:
            how, value, said = enter(wanted, make)
            if how != "made":
                return how, value, said
            self._held = value
            return how, None, said

        def ask(self, asked: bytes) -> Outcome:
            from ftbuild.cluster.tasks import begun

            return begun(asked, (self._held,))

    return Lodging
