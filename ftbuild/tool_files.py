"""The tools of a composition, those that stand in files of others read: a Python function, OpenAPI, MCP.

A tool enters a key as what a provider is told of it, so an edit of the file that leaves that as it was runs nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftbuild.chat import Tool
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.tools import files, python_file
from ftbuild.tools.definitions import definition
from ftbuild.tools.python_file import UnreadableError
from ftbuild.tools.schemas import complete, dangling, within, wrong_schema, wrong_types

# form -> what stands between the file and the name, and who reads it
FORMS: Mapping[str, tuple[str, Callable[[bytes, str], Tool]]] = {
    "python": (":", python_file.read),
    "openapi": ("#", files.openapi),
    "mcp": ("#", files.mcp),
}


def paths(composed: Composed) -> Iterator[Path]:
    """Yield the files that the tools of a composition stand in."""
    for name, given in (composed.tree.get("tools") or {}).items():
        for form in FORMS:
            if given is not None and given.get(form) is not None:
                yield _place(composed, name, form, str(given[form]))[0]


def tools_of(composed: Composed) -> list[Tool]:
    """Return the tools in the order of the config.

    Raises:
        ConfigError: a file cannot be read, has no such tool, or a schema is none; all that is wrong at once.
    """
    found: list[Tool] = []
    problems: list[Problem] = []
    for name, given in composed.settings.tools.items():
        elsewhere = {"python": given.python, "openapi": given.openapi, "mcp": given.mcp}
        form = next((form for form, said in elsewhere.items() if said is not None), None)
        if form is None:
            found.append(_complete(definition(name, given)))
            problems += _unsound(composed, f"tools.{name}.parameters", given.parameters)
            continue
        path, inner = _place(composed, name, form, str(elsewhere[form]))
        try:
            tool = FORMS[form][1](path.read_bytes(), inner)
        except OSError as error:
            said = (error.strerror or "cannot be read").lower()
            problems.append(_problem(composed, f"tools.{name}.{form}", f"{path}: {said}"))
        except UnreadableError as error:
            at = f"{path}:{error.line}" if error.line else str(path)
            problems.append(_problem(composed, f"tools.{name}.{form}", f"{at}: {error}", error.fix))
        else:
            found.append(_complete(Tool(name, given.description or tool.description, tool.parameters, given.strict)))
    if problems:
        raise ConfigError(*problems)
    return found


def _complete(tool: Tool) -> Tool:
    return replace(tool, parameters=complete(tool.parameters))


def _place(composed: Composed, name: str, form: str, said: str) -> tuple[Path, str]:
    """Return the file and the name inside it; without a name it is the tool's own."""
    origin = composed.origins.of(f"tools.{name}.{form}")
    file, _, inner = said.rpartition(FORMS[form][0]) if FORMS[form][0] in said else (said, "", name)
    return (origin.tree if origin else Path.cwd()) / file, inner


def _unsound(composed: Composed, key: str, schema: Mapping[str, Any] | None) -> Iterator[Problem]:
    """Yield where a schema that is written out in the config is none."""
    if schema is None:
        return
    types = [(at, f"JSON Schema has no type {name!r}", fix) for at, name, fix in wrong_types(schema)]
    found = types or [(at, what, "") for at, what in wrong_schema(schema)]
    found = found or [(at, f"leads nowhere: {target!r}", "") for at, target in dangling(schema)]
    for at, what, fix in found:
        yield _problem(composed, within(key, at), what, fix)


def _problem(composed: Composed, key: str, what: str, fix: str = "") -> Problem:
    origin = composed.origins.of(key)
    return Problem(f"{key}: {what}", origin.path if origin else "", origin.line if origin else None, fix=fix)
