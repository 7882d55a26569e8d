"""Bytes in some layout -> Examples: one module a layout.

Pure: gets bytes, returns examples and findings. Knows nothing of files, styles or splits. A reader yields what it finds
in the order of the lines.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import chain, islice

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
    fields,
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
from ftbuild.stream import Content, lines, whole

Found = Iterator[Example | Problem]
Reader = Callable[[bytes, str, Source], Found]
RowReader = Callable[[Iterable[Row], str, Source], Found]
OF_FIELDS = ("input", "target", "rejected", "group", "time")  # the keys of a source that name a field of every line
Contents = Sequence[tuple[str, Content]]


def _of_rows(reader: RowReader, listed: Callable[[bytes], Iterable[Row]]) -> Reader:
    def read(content: bytes, name: str, source: Source) -> Found:
        return _said(reader, listed(content), name, source)

    return read


def _said(reader: RowReader, listed: Iterable[Row], name: str, source: Source) -> Found:
    found: Iterable[Row] = (row for row in listed if not _is_blank(row))
    return reader(filters.kept(found, source.keep) if source.keep else found, name, source)


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
# Those whose rows are JSON values, each read by itself.
OF_LINES: Mapping[SourceKind, RowReader] = {
    "pairs": pairs.read,
    "chat_jsonl": LAYOUTS["chat_jsonl"],
    "dpo_jsonl": LAYOUTS["dpo_jsonl"],
    "sharegpt": LAYOUTS["sharegpt"],
    "alpaca": LAYOUTS["alpaca"],
    "bfcl": conversations.reader(bfcl.convert),
    "stored_completions": conversations.reader(stored_completions.convert),
    "langfuse": conversations.reader(langfuse.convert),
    "langsmith": conversations.reader(langsmith.convert),
}
READERS: Mapping[SourceKind, Reader] = {
    **{kind: _of_rows(reader, _json) for kind, reader in OF_LINES.items()},
    "csv": _of_rows(pairs.read, csv_rows.rows),
    "generator": generator.read,
    "functions": functions.read,
    "parquet": _of_table(tables.parquet_rows),
    "sql": _of_table(tables.sql_rows),
    "huggingface": _of_table(huggingface.rows),
}


@dataclass(frozen=True)
class Piece:
    """Some bytes of the file `path` of a source.

    `first` is the number of their first line in a file of JSON lines, 0 for a whole file; `problem` is what keeps the
    file from being read at all.
    """

    path: str
    content: bytes
    first: int = 0
    problem: Problem | None = None


@dataclass
class Read:
    """What a source holds: its examples and every finding, in the order of the lines, and how many lines were left out.

    `left_out` counts by reason: "by solved"; `hint` is what to do about the last of them.
    """

    examples: list[Example] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    hint: str = ""

    def note(self) -> str:
        """Return a line for people: 812 examples; left out: 31 by solved, 4 by polite."""
        return note(len(self.examples), self.left_out)


def note(n: int, left_out: Mapping[str, int]) -> str:
    """Return a line for people: 812 examples; left out: 31 by solved, 4 by polite."""
    counted = ", ".join(f"{n:,} {reason}" for reason, n in sorted(left_out.items()))
    return f"{n:,} examples; left out: {counted}" if counted else f"{n:,} examples"


def pieces(files: Contents, source: Source) -> Iterator[Piece]:
    """Yield the files of a source, one after the other: each whole, but a large one of JSON lines in many pieces."""
    if source.kind == "huggingface":
        shards = huggingface.shards([(path, whole(content)) for path, content in files], source)
        if isinstance(shards, Problem):
            yield Piece(source.path, b"", problem=shards)
            return
        files = shards
    for path, content in files:
        found = lines(content) if source.kind in OF_LINES else iter((whole(content),))
        head = list(islice(found, 2))
        if len(head) < 2 or packed.form(head[0]) is not None or not rows.are_lines(head[0]):
            yield Piece(path, b"".join(chain(head, found)))
            continue
        first = 1
        for each in chain(head, found):
            yield Piece(path, each, first)
            first += each.count(b"\n")


def read_piece(piece: Piece, name: str, source: Source) -> Read:
    """Return what a piece holds; an example's path is that of its file. `name` is the source's name in the config."""
    done = Read()
    for found in _found(piece, name, source.model_copy(update={"path": piece.path})):
        if isinstance(found, Example):
            done.examples.append(found)
        elif found.rule == filters.LEFT_OUT:
            done.left_out[found.what] += 1
            done.hint = found.fix
        else:
            done.problems.append(found)
    return done


def nothing(n: int, problems: Sequence[Problem], left_out: Mapping[str, int], hint: str, path: str) -> list[Problem]:
    """Return what is said of a source of which nothing is left; nothing for one with examples or with errors."""
    if n or any(problem.severity == "error" for problem in problems):
        return []
    said = note(n, left_out).partition("; ")[2]
    what = "no example is left" if problems or said else "no examples in the file"
    return [Problem(f"{what}{f': {said}' if said else ''}", path, fix=hint, rule="empty-source")]


def gathered(n: int, problems: Sequence[Problem], name: str, source: Source) -> list[Problem]:
    """Return the findings of a source; a field that no line of it has is one mistake in a config, and told once.

    `n` examples were made.
    """
    absent = Counter(each.what for each in problems if each.rule == fields.MISSING)
    keys = {fields.no_field(field): key for key in OF_FIELDS if (field := getattr(source, key))}
    if n or absent.total() < len(problems) or min(absent.values(), default=0) < 2 or not absent.keys() <= keys.keys():
        return list(problems)
    told = []
    for each in {each.what: each for each in problems}.values():
        at = f"dataset.sources.{name}.{keys[each.what]}"
        line_has = each.fix.partition(":")[0].partition(";")[0].replace("the line", "a line")
        what = f"{at}: {getattr(source, keys[each.what])!r} is a field of no line"
        told.append(replace(each, what=what, line=None, fix=f"{line_has}; {at}=FIELD."))
    return told


def read_files(files: Contents, name: str, source: Source) -> Read:
    """Return what the files of a source hold, file after file."""
    done = Read()
    for each in pieces(files, source):
        read = read_piece(each, name, source)
        done.examples += read.examples
        done.problems += read.problems
        done.left_out += read.left_out
        done.hint = read.hint or done.hint
    done.problems = gathered(len(done.examples), done.problems, name, source)
    done.problems += nothing(len(done.examples), done.problems, done.left_out, done.hint, source.path)
    return done


def read(content: bytes, name: str, source: Source) -> tuple[list[Example], list[Problem]]:
    """Return the examples of a source of one file and every finding, both in the order of the lines."""
    found = read_files([(source.path, content)], name, source)
    return found.examples, found.problems


def _found(piece: Piece, name: str, source: Source) -> Found:
    if piece.problem is not None:
        yield piece.problem
    elif piece.first:
        yield from _said(OF_LINES[source.kind], rows.lines(piece.content, piece.first), name, source)
    else:
        try:
            content = packed.unpacked(piece.content)
        except packed.TornError as error:
            what = f"cannot be unpacked: {error}"
            yield Problem(what, source.path, fix=packed.AGAIN, rule=f"not-{error.form}")
            return
        yield from READERS[source.kind](content, name, source)
