"""CSV with a head of column names: every record a row, its fields by name, each a text. Source: RFC 4180 (2005)."""

import csv
import io
from collections.abc import Iterator

from ftbuild.problem import Problem
from ftbuild.rows import Row, decoded

csv.field_size_limit(2**31 - 1)  # a document is a field, too


def rows(content: bytes) -> Iterator[Row]:
    """Yield the records; a record that begins on a line counts as that line."""
    text = decoded(content)
    if text is None:
        fix = "save it as UTF-8."
        yield Row(_line_of_no_text(content), b"", problems=(Problem("not UTF-8", fix=fix, rule="not-utf8"),))
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] = []
    before = 0
    try:
        for fields in reader:
            number, before = before + 1, reader.line_num
            if not fields:
                continue
            if not names:
                names = fields
                if twice := [name for name in names if name and names.count(name) > 1]:
                    fix = "give each a name of its own."
                    problem = Problem(f"two columns {twice[0]!r}", fix=fix, rule="duplicate-column")
                    yield Row(number, b"", problems=(problem,))
                    return
            elif len(fields) != len(names):
                fix = "put a field with commas or quotes into double quotes."
                what = f"{len(fields)} fields, and the head has {len(names)}"
                yield Row(number, b"", problems=(Problem(what, fix=fix, rule="ragged-record"),))
            else:
                yield Row(number, b"", dict(zip(names, fields, strict=True)))
    except csv.Error as error:
        fix = "mend it; what comes after it was not read."
        yield Row(before + 1, b"", problems=(Problem(f"not CSV ({error})", fix=fix, rule="not-csv"),))


def _line_of_no_text(content: bytes) -> int:
    """Return the line of the first byte that is not UTF-8, the first where another encoding is begun."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1
