"""What paid work has reserved of a budget: append-only lines beside the journals, under a lock of the kernel.

    budget.lines   {"v":1,"at":...,"event":"reserved","name":...,"usd":...}, "settled" with what is left of it, or
                   {..."event":"released","name":...}
    budget.lock    held by whoever reads and reserves

A name counts once, with its last line. A reservation stands before the first request is sent, and stays when the
work is done: it is what was spent, as estimated. One that led to no request is released; one of which less was spent
is settled, once. A line takes effect with its line end. Knows nothing of prices.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftbuild.errors import StoreError
from ftbuild.ledger.lock import hold
from ftbuild.problem import Problem
from ftbuild.store import durable

LINES = "budget.lines"
NO_LIMIT = float("inf")


@dataclass(frozen=True)
class Refused:
    """What a budget has no room for: what is reserved for other work, and what was asked for, in US dollars."""

    reserved: float
    asked: float


@dataclass(frozen=True)
class _Reserved:
    """What stands reserved under a name, in US dollars: all of it, or what is left since it was settled."""

    usd: float
    is_whole: bool


def name_of(work: str, attempt: int) -> str:
    """Return under which name an attempt at some work is reserved: what is launched once more is paid once more."""
    return work if attempt == 1 else f"{work}#{attempt}"


def work_of(name: str) -> str:
    """Return the work that `name_of` named."""
    return name.partition("#")[0]


class Reservations:
    """What the paid work of one store has reserved."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LINES

    def standing(self) -> dict[str, float]:
        """Return what is reserved, by name.

        Raises:
            StoreError: the file, or a line of it, cannot be read.
        """
        return {name: each.usd for name, each in self._read().items()}

    def is_whole(self, name: str) -> bool:
        """Return whether all that a name had reserved still stands.

        Raises:
            StoreError: as `standing`.
        """
        return name in (found := self._read()) and found[name].is_whole

    def _read(self) -> "dict[str, _Reserved]":
        try:
            *lines, _torn = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unreadable(self._path, (error.strerror or str(error)).lower()) from error
        found: dict[str, _Reserved] = {}
        for number, line in enumerate(lines, 1):
            try:
                said = json.loads(line)
                found.pop(said["name"], None)
                if said["event"] != "released":
                    found[said["name"]] = _Reserved(float(said["usd"]), is_whole=said["event"] == "reserved")
            except (ValueError, KeyError, TypeError) as error:
                raise _unreadable(self._path, "this line is damaged", number) from error
        return found

    def reserve(self, asked: Mapping[str, float], limit: float, at: float) -> Refused | None:
        """Reserve all of `asked` where it fits below `limit` beside what others have reserved, else none of it.

        Work that has reserved before counts as it is asked for now.

        Raises:
            StoreError: the file cannot be read or written; nothing may be sent then.
        """
        with hold(self._path.with_suffix(".lock")):
            others = sum(usd for name, usd in self.standing().items() if name not in asked)
            wanted = sum(asked.values())
            if others + wanted > limit:
                return Refused(others, wanted)
            for name, usd in asked.items():
                self._append({"v": 1, "at": at, "event": "reserved", "name": name, "usd": usd})
        return None

    def settle(self, name: str, share: float, at: float) -> None:
        """Leave a share of what a name has reserved, and give the rest back: once, however often it is said.

        Raises:
            StoreError: the file cannot be read or written.
        """
        with hold(self._path.with_suffix(".lock")):
            found = self._read().get(name)
            if found is not None and found.is_whole:
                usd = round(found.usd * share, 6)
                self._append({"v": 1, "at": at, "event": "settled", "name": name, "usd": usd})

    def release(self, names: Iterable[str], at: float) -> None:
        """Give back what some work has reserved.

        Raises:
            StoreError: the file cannot be written.
        """
        with hold(self._path.with_suffix(".lock")):
            for name in names:
                self._append({"v": 1, "at": at, "event": "released", "name": name})

    def _append(self, line: Mapping[str, object]) -> None:
        durable.append_line(self._path, json.dumps(line).encode())


def _unreadable(path: Path, why: str, line: int | None = None) -> StoreError:
    fix = "mend the line, or delete it: what it reserved counts no more."
    return StoreError(
        Problem(f"the reservations of the budget cannot be read: {why}", str(path), line, "", fix if line else "")
    )
