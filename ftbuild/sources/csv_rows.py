"""CSV with a head of column names: every record a row, its fields by name, each a text. Source: RFC 4180 (2005)."""

import csv
import io
from collections.abc import Iterator

from ftbuild.problem import Problem
from ftbuild.rows import Row, decoded

MORE = "\0more"


def rows(content: bytes) -> Iterator[Row]:
    """Yield the records; a record that begins on a line counts as that line, the head being line 1."""
    text = decoded(content)
    if text is None:
        yield Row(1, b"", problems=(Problem("not UTF-8", fix="save it as UTF-8.", rule="not-utf8"),))
        return
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey=MORE, strict=True)
    before = 1
    try:
        for record in reader:
            number, before = before + 1, reader.line_num
            names = reader.fieldnames or []
            if MORE in record or None in record.values():
                n = len(names) + len(record.get(MORE) or ()) - list(record.values()).count(None)
                fix = "put a field with commas or quotes into double quotes."
                what = f"{n} fields, and the head has {len(names)}"
                yield Row(number, b"", problems=(Problem(what, fix=fix, rule="ragged-record"),))
            else:
                yield Row(number, b"", dict(record))
    except csv.Error as error:
        fix = "mend it; what comes after it was not read."
        yield Row(before + 1, b"", problems=(Problem(f"not CSV ({error})", fix=fix, rule="not-csv"),))
