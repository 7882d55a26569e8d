"""Files for the project's own conf/: what they may be called, and that they overwrite and hide nothing."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.store import durable
from ftbuild.trees import group_options

NAME = re.compile(r"[a-z0-9_]+")


def named(name: str, command: str) -> str:
    """Return the name of an experiment that is to be written; `command` has {} where it stands.

    Raises:
        ConfigError: it is none.
    """
    if not NAME.fullmatch(name):
        plain = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "mine"
        what = f"{name!r} is no name of an experiment: a-z, 0-9 and _"
        raise ConfigError(Problem(what, "command line", fix=command.format(plain)))
    return name


def refuse_taken(root: Path, group: str, name: str, targets: Mapping[Path, str]) -> None:
    """Say nothing where the files can be written.

    Raises:
        ConfigError: one of them is there already, or the option `name` of the group would hide one of ours.
    """
    for target in targets:
        if target.exists():
            fix = "take another name, or delete it."
            raise ConfigError(Problem("is there already", os.path.relpath(target), fix=fix))
    if name in group_options(root, group):
        fix = "take another name; yours would hide it."
        raise ConfigError(Problem(f"ftbuild has conf/{group}/{name}.yaml itself", "command line", fix=fix))


def write(root: Path, group: str, name: str, written: Mapping[Path, str]) -> str:
    """Write the files, of which one is the option `name` of a group, and return what was written.

    Raises:
        ConfigError: as `refuse_taken`.
    """
    refuse_taken(root, group, name, written)
    for target, text in written.items():
        durable.write(target, text.encode())
    return ", ".join(f"{os.path.relpath(target)} ({text.count(chr(10))} lines)" for target, text in written.items())
