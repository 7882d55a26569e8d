"""What the runners of one build share: settings, the world, the console, the connection."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ftbuild.completion import Completer
from ftbuild.engine import Console
from ftbuild.errors import DataError
from ftbuild.ledger.port import JobProvider
from ftbuild.problem import Problem, render
from ftbuild.settings import Settings
from ftbuild.store.store import Store
from ftbuild.world import World


class Remote(JobProvider, Completer, Protocol):
    """A provider of jobs and of answers."""


@dataclass(frozen=True)
class Workshop:
    """One build's surroundings.

    `command` is what follows `ftbuild` on the command line, `run` the facts of this run that the
    report shows and no key holds.
    """

    settings: Settings
    source_paths: Mapping[str, Path]
    world: World
    store: Store
    console: Console
    remote: Remote
    experiment: str
    command: tuple[str, ...]
    run: Mapping[str, Any]

    def refuse(self, problems: list[Problem]) -> None:
        """Raise DataError if one of the problems is an error, else say the warnings."""
        if any(problem.severity == "error" for problem in problems):
            raise DataError(*problems)
        if problems:
            self.console.say(render(problems))


def json_lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    """Return JSON lines, members in the order given."""
    return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)


def json_file(value: Mapping[str, Any]) -> bytes:
    """Return one JSON document, indented."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def parse_lines(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines."""
    return (json.loads(line) for line in content.split(b"\n") if line)
