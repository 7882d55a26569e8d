"""Stored chat completions, fetched into one file of lines that a source of the kind `stored_completions` reads.

A line is a completion as the provider lists it, with its messages in `messages`, and in `fetched` what was asked for.
The file is replaced whole or not at all. Until then the lines lie in FILE.partial, one durable append each, so that a
run that was cut off loses no more than the line it was at; the lock on it is the kernel's.

The list is gone over from its beginning every time, for one request in a hundred: a cursor kept from the last time may
be deleted by now. What is older than the newest line of the file stays out, so that a line that was deleted from the
file stays deleted, but for LATE_SECONDS: a completion is listed when it ends, with the time it began.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ftbuild.errors import ConfigError, DataError
from ftbuild.problem import Problem
from ftbuild.store import durable

LATE_SECONDS = 900  # the longest that anybody waits for an answer


class Stored(Protocol):
    """A provider that keeps chat completions."""

    def stored_completions(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield them, oldest first, each once; `asked` may hold `model` and `metadata`."""
        ...

    def stored_messages(self, completion_id: str) -> list[dict[str, Any]] | None:
        """Return the messages that one answers, None when it is no longer stored."""
        ...


@dataclass(frozen=True)
class Fetched:
    """What came of it: how many lines are new, how many the file holds, how many were deleted while they were listed.

    `kept` are those of the new lines that a run before had fetched.
    """

    n_new: int
    n_total: int
    n_gone: int
    n_kept: int


@dataclass
class _Lines:
    """What a file holds: the ids of all its lines; of those that the same query fetched the number and newest time."""

    ids: set[str]
    n_asked: int = 0
    newest: float = float("-inf")

    def lacks(self, completion: Mapping[str, Any]) -> bool:
        """Say whether a listed completion is neither here nor so old that it was here once."""
        created = completion.get("created")
        is_old = isinstance(created, int | float) and created < self.newest - LATE_SECONDS
        return completion["id"] not in self.ids and not is_old


def fetch(
    provider: Stored,
    asked: Mapping[str, Any],
    fetched: Mapping[str, Any],
    path: Path,
    limit: int | None,
    tell: Callable[[int], None],
) -> Fetched:
    """Add to `path` what is stored and newer than what it holds, as one change.

    `asked` says which completions (`model`, `metadata`); `fetched` is written into every line, and lines with the same
    are of the same query. Once there are `limit` of them no more are asked for. `tell` is told how many are new.

    Raises:
        ConfigError: another run fetches into the file, or one with another query was cut off.
        DataError: the file holds something else.
        ProviderError: no answer, or a refusal; what came before it is kept.
        StoreError: the file cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    with _alone(partial) as handle:
        before = _held(path, fetched)
        begun = _begun(partial, fetched, before.ids)
        n_new, n_gone = len(begun), 0
        tell(n_new)
        listed = provider.stored_completions(asked)
        while limit is None or before.n_asked + n_new < limit:
            completion = next((each for each in listed if before.lacks(each) and each["id"] not in begun), None)
            if completion is None:
                break
            messages = provider.stored_messages(completion["id"])
            if messages is None:
                n_gone += 1
                continue
            durable.append_line(partial, _line(completion, messages, fetched))
            n_new += 1
            tell(n_new)
        if n_new:
            durable.write(path, _Whole(path, partial, before.ids))
        with suppress(OSError):  # what stays there is in the file, and left out the next time
            os.ftruncate(handle, 0)
    return Fetched(n_new, len(before.ids) + n_new, n_gone, len(begun))


def _line(completion: Mapping[str, Any], messages: list[dict[str, Any]], fetched: Mapping[str, Any]) -> bytes:
    """Return the line; half a surrogate pair, which UTF-8 cannot hold, makes all of it ASCII."""
    value = {**completion, "messages": messages, "fetched": fetched}
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


@contextmanager
def _alone(partial: Path) -> Iterator[int]:
    """Hold the partial file, open and made for it; one that is empty in the end is deleted.

    Raises:
        ConfigError: another process holds it.
        StoreError: it cannot be written.
    """
    handle = _locked(partial)
    try:
        yield handle
    finally:
        if os.fstat(handle).st_size == 0:
            with suppress(OSError):
                partial.unlink()
        os.close(handle)


def _locked(partial: Path) -> int:
    """Return the open file once it is locked; whoever had it may have deleted it meanwhile, then it is made anew."""
    while True:
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(partial, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise durable.refused(partial, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(partial)):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise ConfigError(Problem("another run is fetching into it", str(partial), fix="wait for it.")) from None
        except FileNotFoundError:
            pass
        os.close(handle)


def _held(path: Path, fetched: Mapping[str, Any]) -> _Lines:
    """Return what the file holds; one that is not there holds nothing.

    Raises:
        DataError: it cannot be read, or a line is no stored completion.
    """
    found = _Lines(set())
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        value = _value(line)
        if value is None:
            fix = "fetch into a file of its own."
            raise DataError(Problem("no stored completion: it has no id and choices", f"{path}:{number}", fix=fix))
        found.ids.add(value["id"])
        if value.get("fetched") == fetched:
            found.n_asked += 1
            if isinstance(value.get("created"), int | float):
                found.newest = max(found.newest, value["created"])
    return found


def _begun(partial: Path, fetched: Mapping[str, Any], known: set[str]) -> set[str]:
    """Return the ids of the lines that a run before has fetched; a last line that was cut short is none.

    Raises:
        ConfigError: it was asked for something else.
        DataError: a line is no stored completion.
    """
    ids: set[str] = set()
    for number, line in enumerate(_finished(partial), 1):
        value = _value(line)
        if value is None:
            fix = "delete it; the same command fetches it again."
            raise DataError(Problem("no stored completion: it has no id and choices", f"{partial}:{number}", fix=fix))
        if value["id"] in known:
            continue
        if value.get("fetched") != fetched:
            asked = ", ".join(f"{key} {told!r}" for key, told in dict(value.get("fetched") or {}).items())
            fix = "finish that run with its options, or delete the file."
            raise ConfigError(Problem(f"was begun with other options: {asked}", str(partial), fix=fix))
        ids.add(value["id"])
    return ids


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, none where there is no file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(Problem(f"cannot be read: {(error.strerror or str(error)).lower()}", str(path))) from error


def _finished(partial: Path) -> Iterator[bytes]:
    return (line for line in _lines(partial) if line.endswith(b"\n"))


def _value(line: bytes) -> dict[str, Any] | None:
    """Return a stored completion, None for a line that is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_one = isinstance(value, dict) and isinstance(value.get("id"), str) and "choices" in value
    return value if is_one else None


class _Whole:
    """The bytes that the file will have: as it is, and behind it the new lines."""

    def __init__(self, path: Path, partial: Path, known: set[str]) -> None:
        self._path, self._partial, self._known = path, partial, known

    def pieces(self) -> Iterator[bytes]:
        """Yield them, a line at a time."""
        line = b"\n"
        for line in _lines(self._path):
            yield line
        if not line.endswith(b"\n"):
            yield b"\n"
        for line in _finished(self._partial):
            if json.loads(line)["id"] not in self._known:
                yield line
