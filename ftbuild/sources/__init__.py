"""Bytes in some layout -> Examples: one module a layout.

Pure: gets bytes, returns examples and findings. Knows nothing of files, styles or splits. A reader yields what it finds
in the order of the lines.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from ftbuild import packed, rows
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.settings import Source
from ftbuild.settings.source import Layout, SourceKind
from ftbuild.sources import (
    alpaca,
    bfcl,
    conversations,
    csv_rows,
    filters,
    functions,
    generator,
    huggingface,
    langfuse,
    langsmith,
    pairs,
    sharegpt,
    stored_completions,
    tables,
)

Found = Iterator[Example | Problem]
Reader = Callable[[bytes, str, Source], Found]
RowReader = Callable[[Iterable[Row], str, Source], Found]
Contents = Sequence[tuple[str, bytes]]


def _of_rows(reader: RowReader, listed: Callable[[bytes], Iterable[Row]]) -> Reader:
    def read(content: bytes, name: str, source: Source) -> Found:
        found: Iterable[Row] = (row for row in listed(content) if not _is_blank(row))
        return reader(filters.kept(found, source.keep) if source.keep else found, name, source)

    return read


def _of_table(listed: Callable[[bytes, Source], Iterable[Row]]) -> Reader:
    def read(content: bytes, name: str, source: Source) -> Found:
        reader = pairs.read if source.input else LAYOUTS[source.layout or "chat_jsonl"]
        return _of_rows(reader, lambda found: listed(found, source))(content, name, source)

    return read


def _is_blank(row: Row) -> bool:
    return any(problem.rule == rows.BLANK for problem in row.problems)


def _json(content: bytes) -> Iterable[Row]:
    return rows.read(BytesIO(content)).rows


LAYOUTS: Mapping[Layout, RowReader] = {
    "chat_jsonl": conversations.reader(conversations.chat_jsonl),
    "dpo_jsonl": conversations.reader(conversations.dpo_jsonl),
    "sharegpt": conversations.reader(sharegpt.convert),
    "alpaca": conversations.reader(alpaca.convert),
}
READERS: Mapping[SourceKind, Reader] = {
    "pairs": _of_rows(pairs.read, _json),
    "csv": _of_rows(pairs.read, csv_rows.rows),
    "chat_jsonl": _of_rows(LAYOUTS["chat_jsonl"], _json),
    "dpo_jsonl": _of_rows(LAYOUTS["dpo_jsonl"], _json),
    "sharegpt": _of_rows(LAYOUTS["sharegpt"], _json),
    "alpaca": _of_rows(LAYOUTS["alpaca"], _json),
    "bfcl": _of_rows(conversations.reader(bfcl.convert), _json),
    "stored_completions": _of_rows(conversations.reader(stored_completions.convert), _json),
    "langfuse": _of_rows(conversations.reader(langfuse.convert), _json),
    "langsmith": _of_rows(conversations.reader(langsmith.convert), _json),
    "generator": generator.read,
    "functions": functions.read,
    "parquet": _of_table(tables.parquet_rows),
    "sql": _of_table(tables.sql_rows),
    "huggingface": _of_table(huggingface.rows),
}


@dataclass
class Read:
    """What a source holds: its examples and every finding, in the order of the lines, and how many lines were left out.

    `left_out` counts by reason: "by solved".
    """

    examples: list[Example] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def note(self) -> str:
        """Return a line for people: 812 examples; left out: 31 by solved, 4 by polite."""
        told = f"{len(self.examples):,} examples"
        counted = ", ".join(f"{n:,} {reason}" for reason, n in sorted(self.left_out.items()))
        return f"{told}; left out: {counted}" if counted else told


def read(content: bytes, name: str, source: Source) -> tuple[list[Example], list[Problem]]:
    """Return the examples of a source of one file and every finding, both in the order of the lines.

    `name` is the source's name in the config.
    """
    found = read_files([(source.path, content)], name, source)
    return found.examples, found.problems


def read_files(files: Contents, name: str, source: Source) -> Read:
    """Return what the files of a source hold, file after file; an example's path is that of its own file."""
    done = Read()
    last = ""
    if source.kind == "huggingface":
        shards = huggingface.shards(files, source)
        if isinstance(shards, Problem):
            done.problems.append(shards)
            return done
        files = shards
    for path, content in files:
        for found in _found(content, name, source if path == source.path else source.model_copy(update={"path": path})):
            if isinstance(found, Example):
                done.examples.append(found)
            elif found.rule == filters.LEFT_OUT:
                done.left_out[found.what] += 1
                last = found.fix
            else:
                done.problems.append(found)
    if not done.examples and not any(problem.severity == "error" for problem in done.problems):
        said = done.note().partition("; ")[2]
        what = "no example is left" if done.problems or said else "no examples in the file"
        done.problems.append(
            Problem(f"{what}{f': {said}' if said else ''}", source.path, fix=last, rule="empty-source")
        )
    return done


def _found(content: bytes, name: str, source: Source) -> Found:
    try:
        content = packed.unpacked(content)
    except packed.TornError as error:
        yield Problem(f"cannot be unpacked: {error}", source.path, rule=f"not-{error.form}")
        return
    yield from READERS[source.kind](content, name, source)
