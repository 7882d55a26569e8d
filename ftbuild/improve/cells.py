"""A table in the one form that every spreadsheet opens: CSV as RFC 4180 has it, with a mark that says UTF-8.

A cell that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV Injection), and loses it when
it is read; so a text comes back as it went. One that a spreadsheet saved may have `;` or tabs between its cells.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from ftbuild.problem import Problem
from ftbuild.rows import decoded

MARK = "\ufeff"
FORMULA = re.compile("'*(?:[\\t\\r\\n]|[ \u3000]*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Row:
    """The cells of a row by column; `line` is where it begins in the file, from 1."""

    line: int
    cells: Mapping[str, str]


def guarded(text: str) -> str:
    """Return a text as a cell that no spreadsheet computes."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """Return what a cell said before `guarded`; one that a person wrote is as it is."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell, 1) else cell


def written(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """Return a table with a head; a row has a text for every column."""
    table = StringIO(newline="")
    writer = csv.writer(table, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([guarded(row[name]) for name in columns] for row in rows)
    return (MARK + table.getvalue()).encode()


def read(content: bytes, needed: Sequence[str], path: str) -> tuple[list[Row], list[Problem]]:
    """Return the rows of a table, empty ones left out, and what is wrong with it; cells that are not there are ""."""
    text = decoded(content)
    if text is None:
        why, fix = "Letters beyond English would be lost.", 'save it again as "CSV UTF-8".'
        return [], [Problem("neither UTF-8 nor UTF-16", path, why=why, fix=fix, rule="not-utf-8")]
    head = _head(text, needed)
    if head is None:
        what = f"its first line does not name the columns {' and '.join(needed)}"
        return [], [Problem(what, path, 1, fix="put back the first line as it was.", rule="no-columns")]
    delimiter, columns = head
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    rows, line = [], 1
    try:
        for number, cells in enumerate(reader):
            if number and any(cells):
                named = dict(zip(columns, map(unguarded, cells), strict=False))
                rows.append(Row(line, {name: named.get(name, "") for name in columns}))
            line = reader.line_num + 1
    except csv.Error as error:
        return [], [Problem(f"no table: {error}", path, line, rule="not-csv")]
    return rows, []


def _head(text: str, needed: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return what stands between the cells, and the columns; None where none of it makes a head."""
    for delimiter in DELIMITERS:
        try:
            columns = [each.strip() for each in next(csv.reader(StringIO(text, newline=""), delimiter=delimiter), [])]
        except csv.Error:
            continue
        if set(needed) <= set(columns):
            return delimiter, columns
    return None
