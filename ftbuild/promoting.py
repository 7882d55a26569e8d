"""A point as an experiment of one's own: the overrides that it was asked for with, as a file of conf/experiment/.

Pure. The file inherits the experiment that they change. Whether it composes to the same is for the caller to see.
"""

import copy
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ftbuild.trees import GROUPS

WIDTH = 100
PLAIN = re.compile(r"[A-Za-z_][\w ./-]*")


def changes(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that change an experiment, all but those that choose one."""
    return [each for each in overrides if _key(each) != "experiment"]


def text(overrides: Sequence[str], tree: Mapping[str, Any], about: str, comments: Sequence[str]) -> str:
    """Return the file: `about` is its first comment, `comments` say where it comes from, a paragraph each.

    `tree` is the composed config, from which the values are taken that the overrides set.

    Raises:
        KeyError: an override sets what the tree does not have, such as an item of a list.
    """
    added, chosen = [], []
    values: dict[str, Any] = {}
    for each in changes(overrides):
        key, group = _key(each), _key(each).partition("@")[0]
        if group not in GROUPS:
            _put(values, key, None if each.startswith("~") else _value(tree, key))
        elif each.startswith("+"):
            added.append(f"  - /{key}: {_option(each)}")
        else:
            chosen.append(f"  - override /{key}: {_option(each)}")
    bases = [f"  - {name}" for each in overrides if _key(each) == "experiment" for name in _names(each)]
    lines = ["# @package _global_", f"# {about}"]
    lines += [f"# {line}" for each in comments for line in textwrap.wrap(each, WIDTH, break_on_hyphens=False)]
    lines += ["defaults:", *bases, *added, *chosen]
    if values:
        lines += ["", *_block(values, 0)]
    return "\n".join(lines) + "\n"


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _option(override: str) -> str:
    """Return the option that an override chooses of a group, null where it takes the group out."""
    return "null" if override.startswith("~") else override.partition("=")[2]


def _names(override: str) -> list[str]:
    """Return the experiments that an override chooses: one, or several in a list."""
    found = yaml.safe_load(_option(override))
    return [str(each) for each in (found if isinstance(found, list) else [found])]


def _value(tree: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(tree, Mapping):
            raise KeyError(key)
        tree = tree[name]
    return tree


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for name in above:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise KeyError(key)
    values[last] = copy.deepcopy(value)


def _block(values: Mapping[str, Any], depth: int) -> list[str]:
    lines = []
    for name, value in values.items():
        if isinstance(value, dict) and value:
            lines += [f"{'  ' * depth}{_scalar(name)}:", *_block(value, depth + 1)]
        else:
            lines.append(f"{'  ' * depth}{_scalar(name)}: {_scalar(value)}")
    return lines


def _scalar(value: Any) -> str:
    """Return a value on one line; a text in quotes unless it plainly is one, for OmegaConf reads 1e-4 as a number."""
    if isinstance(value, str) and not (PLAIN.fullmatch(value) and yaml.safe_load(value) == value):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_scalar(name)}: {_scalar(each)}' for name, each in value.items())}}}"
    return yaml.safe_dump(value, allow_unicode=True, width=10**6).removesuffix("\n").removesuffix("\n...")
