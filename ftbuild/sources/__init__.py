"""Bytes in some layout -> Examples: one module a layout.

Pure: gets bytes, returns examples and findings. Knows nothing of files, styles or splits.
"""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, islice

from ftbuild import rows
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.settings import Source
from ftbuild.settings.source import SourceKind
from ftbuild.sources import alpaca, bfcl, conversations, csv_rows, generator, pairs, sharegpt
from ftbuild.stream import File, lines

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


# Those whose rows are JSON values, each read by itself.
OF_LINES: Mapping[SourceKind, RowReader] = {
    "pairs": pairs.read,
    "chat_jsonl": conversations.reader(conversations.chat_jsonl),
    "dpo_jsonl": conversations.reader(conversations.dpo_jsonl),
    "sharegpt": conversations.reader(sharegpt.convert),
    "alpaca": conversations.reader(alpaca.convert),
    "bfcl": conversations.reader(bfcl.convert),
}
READERS: Mapping[SourceKind, Reader] = {
    **{kind: _of_rows(reader, _json) for kind, reader in OF_LINES.items()},
    "csv": _of_rows(pairs.read, csv_rows.rows),
    "generator": generator.read,
}


@dataclass(frozen=True)
class Piece:
    """Some bytes of a source. `first` is the number of their first line in a file of JSON lines, 0 for a whole file."""

    content: bytes
    first: int = 0


def pieces(file: File, source: Source) -> Iterator[Piece]:
    """Yield a file in pieces that can be read apart: as one, but for a large one of JSON lines."""
    found = lines(file)
    head = list(islice(found, 2))
    is_apart = len(head) > 1 and source.kind in OF_LINES and rows.are_lines(head[0])
    if not is_apart:
        yield Piece(b"".join(chain(head, found)))
        return
    first = 1
    for content in chain(head, found):
        yield Piece(content, first)
        first += content.count(b"\n")


def read(content: bytes | Piece, name: str, source: Source) -> tuple[list[Example], list[Problem]]:
    """Return the examples of a source, or of a piece of it, and every finding, both in the order of the lines.

    `name` is the source's name in the config.
    """
    piece = content if isinstance(content, Piece) else Piece(content)
    try:
        unpacked = gzip.decompress(piece.content) if piece.content.startswith(rows.GZIP) else piece.content
    except (OSError, EOFError, zlib.error):
        return [], [Problem("cannot be unpacked: it is not whole", source.path, rule="not-gzip")]
    if piece.first:
        listed = (row for row in rows.lines(unpacked, piece.first) if not _is_blank(row))
        all_ = OF_LINES[source.kind](listed, name, source)
    else:
        all_ = READERS[source.kind](unpacked, name, source)
    examples: list[Example] = []
    problems: list[Problem] = []
    for found in all_:
        if isinstance(found, Example):
            examples.append(found)
        else:
            problems.append(found)
    if not examples and not problems and not piece.first:
        problems.append(Problem("no examples in the file", source.path, rule="empty-source"))
    return examples, problems
