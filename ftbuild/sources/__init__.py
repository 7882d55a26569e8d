"""Bytes in some layout -> Examples: one module a layout.

Pure: gets bytes, returns examples and findings. Knows nothing of files, styles or splits.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO

from ftbuild import rows
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.settings import Source
from ftbuild.settings.source import SourceKind
from ftbuild.sources import chat_jsonl, pairs

Reader = Callable[[Iterable[rows.Row], str, Source], Iterator[Example | Problem]]
READERS: Mapping[SourceKind, Reader] = {"pairs": pairs.read, "chat_jsonl": chat_jsonl.read}


def read(content: bytes, name: str, source: Source) -> tuple[list[Example], list[Problem]]:
    """Return the examples of a source and every finding, both in the order of the lines.

    `name` is the source's name in the config.
    """
    examples: list[Example] = []
    problems: list[Problem] = []
    lines = (row for row in rows.read(BytesIO(content)).rows if not _is_blank(row))
    for found in READERS[source.kind](lines, name, source):
        if isinstance(found, Example):
            examples.append(found)
        else:
            problems.append(found)
    if not examples and not problems:
        problems.append(Problem("no examples in the file", source.path, rule="empty-source"))
    return examples, problems


def _is_blank(row: rows.Row) -> bool:
    return any(problem.rule == rows.BLANK for problem in row.problems)
