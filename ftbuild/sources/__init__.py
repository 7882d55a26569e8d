"""Bytes in some layout -> Examples: one module a layout.

Pure: gets bytes, returns examples and findings. Knows nothing of files, styles or splits.
"""

from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.settings import Source
from ftbuild.sources import pairs


def read(content: bytes, name: str, source: Source) -> tuple[list[Example], list[Problem]]:
    """Return the examples of a source and every finding, both in the order of the lines.

    `name` is the source's name in the config.
    """
    return pairs.read(content, name, source)
