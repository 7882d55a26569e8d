"""What runs the tools of a composition: implementations by name, the files they read, and how they enter a key."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ftbuild.composed import Composed
from ftbuild.errors import ConfigError, DataError
from ftbuild.problem import Problem, nearest
from ftbuild.tools import results
from ftbuild.tools.results import Implementation, Run


def paths(composed: Composed) -> Iterator[Path]:
    """Yield the files that what runs the tools reads."""
    for name, given in (composed.tree["evaluation"].get("results") or {}).items():
        if given is not None and given.get("path") is not None:
            yield _place(composed, name, str(given["path"]))


def keyed_results(composed: Composed, digest_of: Callable[[Path], str]) -> dict[str, object]:
    """Return what runs each tool, as it enters a key: by name and version, and the digest of its file.

    Raises:
        ConfigError: there is no such implementation, or its file cannot be read or is none; all that is wrong at once.
    """
    found: dict[str, object] = {}
    problems: list[Problem] = []
    for name, given in composed.settings.evaluation.results.items():
        try:
            implementation, path = _found(composed, name)
            _made(composed, name)
        except ConfigError as error:
            problems += error.problems
        else:
            said = {"run": given.run, "version": implementation.version}
            found[name] = said | ({"file": digest_of(path)} if path is not None else {})
    if problems:
        raise ConfigError(*problems)
    return found


def versions(composed: Composed) -> dict[str, int]:
    """Return the version of each implementation that the config names."""
    named = {given.run for given in composed.settings.evaluation.results.values()}
    return {name: found.version for name in sorted(named) if (found := results.find(name)) is not None}


def runs_of(composed: Composed) -> dict[str, Run]:
    """Return what runs the calls of each tool that the config names.

    Raises:
        ConfigError: as `keyed_results`.
    """
    return {name: _made(composed, name) for name in composed.settings.evaluation.results}


def _made(composed: Composed, name: str) -> Run:
    implementation, path = _found(composed, name)
    try:
        return implementation.make(path.read_bytes() if path is not None else b"")
    except OSError as error:
        said = (error.strerror or "cannot be read").lower()
        raise ConfigError(_problem(composed, name, "path", f"{path}: {said}")) from error
    except ValueError as error:
        raise ConfigError(_problem(composed, name, "path", f"{path}: {error}")) from error
    except DataError as error:
        raise ConfigError(*(replace(each, path=str(path)) for each in error.problems)) from error


def _found(composed: Composed, name: str) -> tuple[Implementation, Path | None]:
    given = composed.settings.evaluation.results[name]
    close = nearest(name, list(composed.settings.tools)) if name not in composed.settings.tools else None
    if close is not None:  # one that is like none of them may be a tool that the examples bring
        raise ConfigError(_problem(composed, name, "", f"tools has no {name!r}", f"write {close!r}."))
    try:
        implementation = results.find(given.run)
    except ValueError as error:
        raise ConfigError(_problem(composed, name, "run", str(error))) from error
    if implementation is None:
        names = results.names()
        close = nearest(given.run, names)
        fix = f"write {close!r}." if close else f"there are {', '.join(names)}; packages offer more as {results.GROUP}."
        raise ConfigError(_problem(composed, name, "run", f"nothing of the name {given.run!r} runs a tool", fix))
    if implementation.reads_file and given.path is None:
        fix = f"evaluation.results.{name}.path=FILE"
        raise ConfigError(_problem(composed, name, "path", f"{given.run} reads a file, and none is named", fix))
    if given.path is not None and not implementation.reads_file:
        raise ConfigError(_problem(composed, name, "path", f"{given.run} reads no file", "leave it out."))
    return implementation, _place(composed, name, given.path) if given.path is not None else None


def _place(composed: Composed, name: str, path: str) -> Path:
    origin = composed.origins.of(f"evaluation.results.{name}.path")
    return (origin.tree if origin else Path.cwd()) / path


def _problem(composed: Composed, name: str, field: str, what: str, fix: str = "") -> Problem:
    key = f"evaluation.results.{name}" + (f".{field}" if field else "")
    origin = composed.origins.of(key) or composed.origins.of(f"evaluation.results.{name}")
    return Problem(f"{key}: {what}", origin.path if origin else "", origin.line if origin else None, fix=fix)
