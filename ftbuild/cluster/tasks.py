"""Functions called as tasks: what goes there, who may take it, and what comes back."""

import pickle
import platform
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from traceback import format_exception
from typing import Any

from ftbuild import __version__
from ftbuild.cluster.connection import package
from ftbuild.digest import of_file, of_value, short
from ftbuild.errors import ConfigError, EvaluationError, FtbuildError, Interrupted
from ftbuild.problem import Problem
from ftbuild.voice import INTERRUPTED
from ftbuild.workers import printing_to

RETRIES = 1
LEAVE_SECONDS = 5.0
Outcome = tuple[str, Any, str]  # "made" a value, "raised" an error or "refused" for some facts; and what was printed


class Tasks:
    """The calls of a process that is connected to a cluster."""

    def __init__(self) -> None:
        self._ray, self._wanted = package(), facts()
        self._enter = self._ray.remote(max_retries=RETRIES)(door())
        self._under_way: set[Any] = set()
        self._fewer = threading.Condition()
        self._stopped = False

    def put(self, content: bytes) -> Any:
        """Hand some bytes to Ray, for calls to read."""
        return self._ray.put(content)

    def start(self, function: Any, *arguments: Any) -> Any:
        """Begin a call of a pickled function with bytes, and return what it is known by.

        Raises:
            Interrupted: all calls were cancelled.
        """
        if self._stopped:
            raise Interrupted(INTERRUPTED)
        called = self._enter.remote(self._wanted, function, *arguments)
        with self._fewer:
            self._under_way.add(called)
        return called

    def result(self, called: Any, what: str, tell: Callable[[str], None]) -> Any:
        """Wait for a call and return its value; `tell` gets what it printed, `what` is computed there.

        Raises:
            ConfigError: the worker has another ftbuild or Python.
            EvaluationError: its process or machine died, and the next one too.
            Interrupted: it was cancelled.
            Exception: whatever the function raised.
        """
        try:
            how, value, said = self._ray.get(called)
        except self._ray.exceptions.RayError as error:
            if self._stopped:
                raise Interrupted(INTERRUPTED) from None
            raise EvaluationError(_lost(what, error)) from error
        finally:
            with self._fewer:
                self._under_way.discard(called)
                self._fewer.notify_all()
        tell(said)
        return value_of(how, value, self._wanted)

    def cancel(self, *, at_once: bool = False) -> None:
        """Cancel what is under way; `at_once` kills who works on it, and waits until nobody waits for it."""
        self._stopped = True
        for called in [*self._under_way]:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(called, force=at_once)
        if at_once:
            with self._fewer:
                self._fewer.wait_for(lambda: not self._under_way, LEAVE_SECONDS)


def value_of(how: str, value: Any, wanted: Mapping[str, str]) -> Any:
    """Return the value of an outcome.

    Raises:
        ConfigError: the worker has another ftbuild or Python than `wanted`.
        Exception: whatever the function raised.
    """
    if how == "refused":
        raise ConfigError(_refused(value, wanted))
    if how == "raised":
        raise value
    return value


def door() -> Callable[..., Outcome]:
    """Return what a worker begins with. It travels by value: where it arrives, ftbuild may be another, or none."""

    def enter(wanted: Mapping[str, str], function: bytes, *arguments: bytes) -> Outcome:
        import platform
        import socket

        try:
            from ftbuild.cluster.tasks import begun, facts

            here = dict(facts())
        except ImportError as error:
            here = {"ftbuild": f"none ({error})", "Python": platform.python_version()}
        if here != wanted:
            return "refused", {**here, "host": socket.gethostname()}, ""
        return begun(function, arguments)

    return enter


@cache
def facts() -> Mapping[str, str]:
    """Return what must be the same wherever bytes are made: this program, its own sources digested, and its Python."""
    folder = Path(__file__).parents[1]
    own = sorted(path for path in folder.rglob("*.py") if (path.parent / "__init__.py").exists())
    digest = of_value([[path.relative_to(folder).as_posix(), of_file(path)] for path in own])
    return {"ftbuild": f"{__version__} ({short(digest)})", "Python": platform.python_version()}


def begun(function: bytes, arguments: Sequence[bytes]) -> Outcome:
    """Call a pickled function; an error is an outcome too."""
    with NamedTemporaryFile() as file:
        with printing_to(file.name):
            how, value = _called(function, arguments)
        return how, value, file.read().decode("utf-8", "replace")


def _called(function: bytes, arguments: Sequence[bytes]) -> tuple[str, Any]:
    try:
        return "made", pickle.loads(function)(*arguments)
    except FtbuildError as error:
        return "raised", error
    except Exception as error:
        error.add_note("".join(format_exception(error)))  # where it was raised does not come back with it
        return "raised", error


def _refused(here: Mapping[str, str], wanted: Mapping[str, str]) -> Problem:
    differ = [name for name in wanted if here[name] != wanted[name]]
    theirs, own = (" and ".join(f"{name} {each[name]}" for name in differ) for each in (here, wanted))
    return Problem(
        f"a worker of Ray on {here['host']} has {theirs}, this build has {own}",
        "command line",
        why="The same bytes come from the same program.",
        fix="install the same ftbuild and Python on every machine of the cluster.",
    )


def _lost(what: str, error: Exception) -> Problem:
    return Problem(
        f"Ray lost who computed {what}, and once more on the next attempt",
        why=f"{type(error).__name__}: {str(error).strip().splitlines()[0]}",
        fix="the same command goes on from here; without --ray this machine computes.",
    )
