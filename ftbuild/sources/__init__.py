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
from ftbuild.sources import alpaca, bfcl, conversations, csv_rows, generator, pairs, sharegpt

Found = Iterator[Example | Problem]
Reader = Callable[[bytes, str, Source], Found]
RowReader = Callable[[Iterable[Row], str, Source], Found]


def _of_rows(reader: RowReader, listed: Callable[[bytes], Iterable[Row]]) -> Reader:
    def read(content: bytes, name: str, source: Source) -> Found:
        return reader((row for row in listed(content) if not _is_blank(row)), name, source)

    return read


def _is_blank(row: Row) -> bool:
    return any(problem.rule == rows.BLANK for problem in row.problems)


def _json(content: bytes) -> Iterable[Row]:
    return rows.read(BytesIO(content)).rows


READERS: Mapping[SourceKind, Reader] = {
    "pairs": _of_rows(pairs.read, _json),
    "csv": _of_rows(pairs.read, csv_rows.rows),
    "chat_jsonl": _of_rows(conversations.reader(conversations.chat_jsonl), _json),
    "dpo_jsonl": _of_rows(conversations.reader(conversations.dpo_jsonl), _json),
    "sharegpt": _of_rows(conversations.reader(sharegpt.convert), _json),
    "alpaca": _of_rows(conversations.reader(alpaca.convert), _json),
    "bfcl": _of_rows(conversations.reader(bfcl.convert), _json),
    "generator": generator.read,
}


def read(content: bytes, name: str, source: Source) -> tuple[list[Example], list[Problem]]:
    """Return the examples of a source and every finding, both in the order of the lines.

    `name` is the source's name in the config.
    """
    if content.startswith(rows.GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return [], [Problem("cannot be unpacked: it is not whole", source.path, rule="not-gzip")]
    examples: list[Example] = []
    problems: list[Problem] = []
    for found in READERS[source.kind](content, name, source):
        if isinstance(found, Example):
            examples.append(found)
        else:
            problems.append(found)
    if not examples and not problems:
        problems.append(Problem("no examples in the file", source.path, rule="empty-source"))
    return examples, problems
