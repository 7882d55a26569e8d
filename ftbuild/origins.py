"""Where each value of the config was written: file and line, or the command line.

Reads YAML for its marks only; what the values mean is the composer's business. A value that
interpolates another points at the line that holds the interpolation. Finds what only the text
of a file can tell: that it is no YAML, a key that YAML does not read as text, a key twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ftbuild.problem import Problem

KINDS = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "no value",
}
TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:timestamp")


@dataclass(frozen=True)
class Origin:
    """A place: `path` as the user would name it; `tree` is the folder that relative paths start from."""

    path: str
    line: int | None
    tree: Path

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class Origins:
    """Dotted keys -> the last place that set them."""

    def __init__(self, places: Mapping[str, Origin]) -> None:
        self._places = dict(places)

    def of(self, key: str) -> Origin | None:
        """Return the place of `key`, else of the nearest node above it, else None."""
        while key:
            if key in self._places:
                return self._places[key]
            key = key.rpartition(".")[0]
        return None

    def beside(self, key: str) -> list[str]:
        """Return the keys that were written somewhere under the same node as `key`, in the order of writing."""
        above = key.rpartition(".")[0]
        return [each for each in self._places if each.rpartition(".")[0] == above and each != key]

    def items(self) -> Iterator[tuple[str, Origin]]:
        """Yield every key that was written somewhere, in the order of writing."""
        yield from self._places.items()


def nodes(text: str) -> yaml.Node | None:
    """Return the nodes of a YAML text, None for an empty one.

    Read by libyaml where PyYAML has it, four times as fast; a refusal is always in PyYAML's own words.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    return node if isinstance(node, yaml.Node) else None


def in_file(path: Path, shown: str, tree: Path, package: str) -> Iterator[tuple[str, Origin]]:
    """Yield every key that the YAML file sets, prefixed with `package`, with its place."""
    root = nodes(path.read_text(encoding="utf-8"))
    if package:
        yield package, Origin(shown, None, tree)
    if isinstance(root, yaml.MappingNode):
        for key, line in _keys(root, package):
            if key != "defaults" and not key.startswith("defaults.") and not key.endswith(".defaults"):
                yield key, Origin(shown, line, tree)


def in_value(key: str, value: Any, origin: Origin) -> Iterator[tuple[str, Origin]]:
    """Yield `key` and every key inside `value`, all set at `origin`."""
    yield key, origin
    if isinstance(value, dict):
        for name, each in value.items():
            yield from in_value(f"{key}.{name}", each, origin)


def collect(places: Iterable[tuple[str, Origin]]) -> Origins:
    """Return the origins; a later place of the same key wins."""
    return Origins(dict(places))


def broken(content: bytes, shown: str) -> list[Problem]:
    """Return why the file is not a map of keys that are texts; nothing if it is, or if it is empty."""
    try:
        root = nodes(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [Problem("not UTF-8", shown, line, fix="save the file as UTF-8.")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return [Problem(f"not YAML: {error.problem}", shown, mark.line + 1 if mark else None)]
    except yaml.YAMLError as error:
        return [Problem(f"not YAML: {str(error).splitlines()[0]}", shown)]
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        return [Problem("not a map of keys", shown, root.start_mark.line + 1, fix="write `key: value` lines.")]
    return list(_odd_keys(root, shown))


def _odd_keys(node: yaml.Node, shown: str) -> Iterator[Problem]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _odd_keys(item, shown)
    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[str, int] = {}
    for name, value in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            yield Problem("a key is a list or a map", shown, line, fix="put the key in quotes.")
            continue
        if name.tag not in TEXT_TAGS:
            kind = name.tag.rpartition(":")[2]
            yield Problem(
                f"the key {name.value or '(nothing)'} is not text: YAML reads it as {KINDS.get(kind, kind)}",
                shown,
                line,
                fix=f'put it in quotes: "{name.value}".',
            )
        elif name.value in first and name.value != "<<":
            yield Problem(
                f"the key {name.value!r} stands here and on line {first[name.value]}",
                shown,
                line,
                fix="keep one of them.",
            )
        first.setdefault(name.value, line)
        yield from _odd_keys(value, shown)


def _keys(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, int]]:
    for name, value in node.value:
        key = f"{prefix}.{name.value}" if prefix else str(name.value)
        yield key, name.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            yield from _keys(value, key)
        elif isinstance(value, yaml.SequenceNode):
            for index, item in enumerate(value.value):
                yield f"{key}.{index}", item.start_mark.line + 1
