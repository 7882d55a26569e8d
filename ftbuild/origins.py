"""Where each value of the config was written: file and line, or the command line.

Reads YAML for its marks only; what the values mean is the composer's business. A value that
interpolates another points at the line that holds the interpolation.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


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

    def items(self) -> Iterator[tuple[str, Origin]]:
        """Yield every key that was written somewhere, in the order of writing."""
        yield from self._places.items()


def in_file(path: Path, shown: str, tree: Path, package: str) -> Iterator[tuple[str, Origin]]:
    """Yield every key that the YAML file sets, prefixed with `package`, with its place."""
    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
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


def _keys(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, int]]:
    for name, value in node.value:
        key = f"{prefix}.{name.value}" if prefix else name.value
        yield key, name.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            yield from _keys(value, key)
        elif isinstance(value, yaml.SequenceNode):
            for index, item in enumerate(value.value):
                yield f"{key}.{index}", item.start_mark.line + 1
