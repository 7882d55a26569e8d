"""Bytes in some layout -> Examples: one module a layout.

Pure: gets bytes, returns examples and findings. Knows nothing of files, styles or splits.
"""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO

from ftbuild import rows
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.settings import Source
from ftbuild.settings.source import SourceKind
from ftbuild.sources import alpaca, conversations, csv_rows, pairs, sharegpt

GZIP = b"\x1f\x8b"
Reader = Callable[[Iterable[Row], str, Source], Iterator[Example | Problem]]
READERS: Mapping[SourceKind, Reader] = {
    "pairs": pairs.read,
    "csv": pairs.read,
    "chat_jsonl": conversations.reader(conversations.chat_jsonl),
    "sharegpt": conversations.reader(sharegpt.convert),
    "alpaca": conversations.reader(alpaca.convert),
}


def read(content: bytes, name: str, source: Source) -> tuple[list[Example], list[Problem]]:
    """Return the examples of a source and every finding, both in the order of the lines.

    `name` is the source's name in the config.
    """
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return [], [Problem("cannot be unpacked: it is not whole", source.path, rule="not-gzip")]
    examples: list[Example] = []
    problems: list[Problem] = []
    listed = csv_rows.rows(content) if source.kind == "csv" else rows.read(BytesIO(content)).rows
    for found in READERS[source.kind]((row for row in listed if not _is_blank(row)), name, source):
        if isinstance(found, Example):
            examples.append(found)
        else:
            problems.append(found)
    if not examples and not problems:
        problems.append(Problem("no examples in the file", source.path, rule="empty-source"))
    return examples, problems


def _is_blank(row: Row) -> bool:
    return any(problem.rule == rows.BLANK for problem in row.problems)
