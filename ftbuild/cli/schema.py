"""`ftbuild schema`: JSON Schemas of conf/ for editors, and one table that says which is for which file.

The table is an entry of .vscode/settings.json, which every client of yaml-language-server can read, so no YAML file
needs a line of its own. What else stands in that file stays as it is.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftbuild import editor_schemas
from ftbuild.cli.options import Options
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.problem import Problem
from ftbuild.store import durable
from ftbuild.trees import GROUPS, find_root, group_options

SCHEMAS = Path(".ftbuild", "schemas")
EDITOR = Path(".vscode", "settings.json")
ENTRY = "yaml.schemas"
NEOVIM = (
    'vim.lsp.config("yamlls", {settings = {yaml = {schemas = '
    f'vim.json.decode(table.concat(vim.fn.readfile("{EDITOR.as_posix()}"), "\\n"))["{ENTRY}"]}}}}}})'
)

Table = Mapping[str, list[str]]


def schema(options: Options) -> int:
    """Write a schema per group and the table of the project; say where they are.

    Raises:
        ConfigError: .vscode/settings.json is there and no JSON that can be added to; the schemas are written.
    """
    root = find_root(options.folder)
    folder = options.folder / options.out if options.out else root / SCHEMAS
    drawn = editor_schemas.schemas({group: list(group_options(root, group)) for group in GROUPS})
    for name, each in drawn.items():
        durable.write(folder / f"{name}.json", _json(each, "  "))
    table = {_seen_from(root, folder / f"{name}.json"): editor_schemas.globs(name) for name in drawn}
    before = (root / EDITOR).read_bytes() if (root / EDITOR).exists() else b"{}"
    after = merged(before, table)
    if after != before:
        durable.write(root / EDITOR, after)
    shown = os.path.relpath(folder, options.folder)
    place = os.path.relpath(root / EDITOR, options.folder)
    print(
        f"{len(drawn)} schemas in {shown}{'' if options.out else ' (--out FOLDER puts them elsewhere)'}",
        file=sys.stderr,
    )
    print(f"{ENTRY} in {place} says which is for which file: VS Code needs nothing else", file=sys.stderr)
    print(f"Neovim: {NEOVIM}", file=sys.stderr)
    print(f"another client of yaml-language-server: give it the same {ENTRY}", file=sys.stderr)
    print("after a new file in conf/: ftbuild schema again, so that its name is offered", file=sys.stderr)
    return int(ExitCode.DONE)


def merged(before: bytes, table: Table) -> bytes:
    """Return the editor's settings with our table in them; an entry of ours for another folder gives way.

    Raises:
        ConfigError: `before` is not JSON, or not a map, or its yaml.schemas is none.
    """
    try:
        settings = json.loads(before)
    except json.JSONDecodeError as error:
        raise _refused(f"not JSON (column {error.colno}: {error.msg})", error.lineno, table) from error
    except UnicodeDecodeError as error:
        raise _refused("not UTF-8", before.count(b"\n", 0, error.start) + 1, table) from error
    if not isinstance(settings, dict):
        raise _refused("not a map of settings", None, table)
    there = settings.get(ENTRY, {})
    if not isinstance(there, dict):
        raise _refused(f"{ENTRY} is not a map", None, table)
    ours = {(Path(place).name, *globs) for place, globs in table.items()}
    others = {
        place: globs
        for place, globs in there.items()
        if not isinstance(globs, list) or (Path(place).name, *map(str, globs)) not in ours
    }
    if there == {**others, **table}:
        return before
    indent = re.match(r"\{\s*?\n([ \t]+)", before.decode())
    return _json({**settings, ENTRY: {**others, **table}}, indent[1] if indent else "  ")


def _json(value: Any, indent: str) -> bytes:
    return (json.dumps(value, indent=indent, ensure_ascii=False) + "\n").encode()


def _seen_from(root: Path, path: Path) -> str:
    """Return the path as an editor that has `root` open may write it."""
    full = Path(os.path.abspath(path))
    return f"./{full.relative_to(root).as_posix()}" if full.is_relative_to(root) else full.as_posix()


def _refused(what: str, line: int | None, table: Table) -> ConfigError:
    return ConfigError(
        Problem(
            what,
            str(EDITOR),
            line,
            why="Written again as JSON it would lose its comments, so it is left as it is.",
            fix=f'put this into it by hand: "{ENTRY}": {json.dumps(table)}',
        )
    )
