"""Where examples come from."""

from typing import ClassVar, Literal

from ftbuild.example import Split
from ftbuild.settings.node import Node


class Source(Node):
    """A file of pairs, one JSON object a line.

    `path` is seen from the tree that holds the YAML file; `input`, `target` and `group` name
    fields of the line; `slices` maps a slice's name to a field; `only` pins all of it to a split.
    `path` and `licence` are written beside every example, so they are keyed; `origin` is for people.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"origin"})
    kind: Literal["pairs"]
    path: str
    input: str
    target: str
    group: str
    slices: dict[str, str] = {}
    only: Split | None = None
    licence: str
    origin: str
