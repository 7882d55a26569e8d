"""What the remote runners of one experiment share: settings, the world, the connection."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from ftbuild.completion import Completer, Embedder
from ftbuild.evaluate.throttle import Throttle
from ftbuild.ledger.port import JobProvider
from ftbuild.settings import Settings
from ftbuild.store.store import Store
from ftbuild.tools.results import Run
from ftbuild.world import World


class Remote(JobProvider, Completer, Embedder, Protocol):
    """A provider of jobs, of answers and of vectors."""

    def hang_up(self) -> None:
        """Close the connections of a job's requests."""
        ...


class Curves(Protocol):
    """Where the metrics of a job go while it trains. Never waits and never raises."""

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows of a step each; they may come in any order, and more than once."""
        ...

    def url(self) -> str | None:
        """Return where they can be looked at, None where nobody knows."""
        ...


class NoCurves:
    """Nobody looks on."""

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take nothing."""

    def url(self) -> str | None:
        """Return nothing."""


@dataclass(frozen=True)
class Workshop:
    """The surroundings of one experiment's remote actions.

    `connect` opens a connection to the provider, `command` is what follows `ftbuild` on the command line,
    `remembered` says which job a lock file remembers for a key; `retried` is a job that is to be launched once more,
    `curves` shows the metrics of a job by its id, `results` gives what runs a tool, by its name,
    `throttle` what all who ask the same provider share. Where nothing is `judged` nothing is advised either.
    """

    settings: Settings
    world: World
    store: Store
    connect: Callable[[], Remote]
    experiment: str
    command: tuple[str, ...]
    remembered: Callable[[str], str | None]
    retried: str | None = None
    curves: Callable[[str], AbstractContextManager[Curves]] = lambda _: nullcontext(NoCurves())
    results: Callable[[], Mapping[str, Run]] = dict
    throttle: Callable[[], Throttle] = Throttle
    judged: bool = True
