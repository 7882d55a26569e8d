"""Where each value of the config was written: file and line, or the command line.

Values only: who finds the places is the composer. A value that interpolates another points at
the line that holds the interpolation.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Origin:
    """A place: `path` as the user would name it; `tree` is the folder that relative paths start from."""

    path: str
    line: int | None
    tree: Path

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

    @property
    def in_tree(self) -> str:
        """Return the path seen from its tree: conf/provider/openai.yaml, of a file of ours too."""
        return os.path.relpath(self.path, self.tree) if os.path.isabs(self.path) else self.path


@dataclass(frozen=True)
class Origins:
    """Dotted keys -> the last place that set them: in `files`, which points of a sweep share, then as `typed`."""

    files: Mapping[str, Origin]
    typed: Mapping[str, Origin] = field(default_factory=dict)

    @cached_property
    def _places(self) -> Mapping[str, Origin]:
        return {**self.files, **self.typed}

    @cached_property
    def _made(self) -> Mapping[str, Origin]:
        """Nodes that no file has: they are there since a key in them was typed."""
        nodes = {key[:at]: origin for key, origin in self.typed.items() for at, sign in enumerate(key) if sign == "."}
        return {node: each for node, each in nodes.items() if not any(key.startswith(f"{node}.") for key in self.files)}

    def of(self, key: str) -> Origin | None:
        """Return the place of `key`, else of the nearest node above it, else None; `a[0]` is the key `a.0`."""
        key = re.sub(r"\[(\d+)\]", r".\1", key) if "[" in key else key
        while key:
            if found := self._places.get(key) or self._made.get(key):
                return found
            key = key.rpartition(".")[0]
        return None

    def beside(self, key: str) -> list[str]:
        """Return the keys that were written somewhere under the same node as `key`, in the order of writing."""
        above = key.rpartition(".")[0]
        return [each for each in self._places if each.rpartition(".")[0] == above and each != key]

    def items(self) -> Iterator[tuple[str, Origin]]:
        """Yield every key that was written somewhere, in the order of writing."""
        yield from self._places.items()


def in_value(key: str, value: Any, origin: Origin) -> Iterator[tuple[str, Origin]]:
    """Yield `key` and every key inside `value`, all set at `origin`."""
    yield key, origin
    if isinstance(value, dict):
        for name, each in value.items():
            yield from in_value(f"{key}.{name}", each, origin)
