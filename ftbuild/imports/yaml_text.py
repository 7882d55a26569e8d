"""YAML as promptfoo reads it, which is YAML 1.2: `yes` and `on` are texts there, and so are 12:30 and 2026-11-30."""

import re
from typing import Any

import yaml


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's loader with the scalars of the core schema of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))

_Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda _, node: int(node.value, 16 if node.value.startswith("0x") else 10)
)


def read(content: bytes | str) -> Any:
    """Return the value of a YAML text.

    Raises:
        yaml.YAMLError: it is none.
    """
    return yaml.load(content, Loader=_Loader)


def nodes(content: bytes | str) -> yaml.Node | None:
    """Return its nodes, for the lines they stand on.

    Raises:
        yaml.YAMLError: it is none.
    """
    return yaml.compose(content, Loader=_Loader)


def problem(error: yaml.YAMLError) -> tuple[str, int | None]:
    """Return what is wrong with a text that is none, and in which line."""
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"not YAML: {said}", mark.line + 1 if mark else None
