"""Tables: Parquet files, and what a query finds in a file of SQLite, DuckDB, Parquet or CSV.

A row counts as the line of its number in the table, or in what the query found. SQLite is read by Python itself, the
others by DuckDB (the extra `tables`), which takes files by name alone: the bytes are put into a scratch file for the
time of reading. A query sees the tables of a database; a file of Parquet or CSV is the table `source`, and all columns
of CSV are texts, so that 007 stays 007. It reads nothing else, neither other files nor a network, and writes nothing:
what it finds follows from the bytes of the file. One thread, so that ties come in the order of the file.
Source: DuckDB, "Securing DuckDB" and "Order preservation" (2026-11); sqlite.org/fileformat2.html, offset 18.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.rows import Row, decoded
from ftbuild.settings import Source
from ftbuild.sources import columns

SQLITE, PARQUET, DUCKDB = b"SQLite format 3\0", b"PAR1", b"DUCK"
AT_ONCE = 1000
CLOSED: dict[str, Any] = {
    "threads": 1,
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


def parquet_rows(content: bytes, source: Source) -> Iterator[Row]:
    """Yield the rows of a file of Parquet."""
    if not content.startswith(PARQUET):
        yield _wrong("not Parquet", fix="a file of Parquet begins with PAR1.", rule="not-parquet")
        return
    yield from _asked(content, "SELECT * FROM source", source)


def sql_rows(content: bytes, source: Source) -> Iterator[Row]:
    """Yield what the query of a source finds in a file."""
    query = str(source.query)
    if content.startswith(SQLITE):
        yield from _sqlite(content, query, source)
    elif content.startswith(PARQUET) or is_database(content) or _is_csv(source.path):
        yield from _asked(content, query, source)
    else:
        fix = "for lines of JSON take another kind, and keep: instead of a query."
        yield _wrong("neither SQLite, DuckDB, Parquet nor .csv", fix=fix, rule="not-a-table")


def is_database(content: bytes) -> bool:
    """Return whether a file is a database, so that nothing can be read of it without a query."""
    return content.startswith(SQLITE) or (content[8:12] == DUCKDB and not content.startswith(PARQUET))


def _is_csv(path: str) -> bool:
    return ".csv" in Path(path).suffixes


def _asked(content: bytes, query: str, source: Source) -> Iterator[Row]:
    duckdb = _duckdb(source)
    with TemporaryDirectory(prefix="ftbuild-") as folder:
        scratch = Path(folder) / "source"
        try:
            with _opened(duckdb, content, scratch) as connection:
                found = connection.execute(query)
                yield from columns.read(_records(found), [each[0] for each in found.description], source)
        except (duckdb.Error, UnicodeDecodeError) as error:
            yield _failed(str(error).replace(str(scratch), source.path))


def _duckdb(source: Source) -> Any:
    """Return the package.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import duckdb
    except ImportError:
        what = f"a source of the kind {source.kind} is read by DuckDB, which is not installed"
        raise ConfigError(Problem(what, source.path, fix="pip install 'ftbuild[tables]'")) from None
    return duckdb


@contextmanager
def _opened(duckdb: Any, content: bytes, path: Path) -> Iterator[Any]:
    """Open a connection that sees the tables of a file, written to `path`, and nothing else."""
    with closing(duckdb.connect(":memory:", config=CLOSED)) as opened:
        if is_database(content):
            path.write_bytes(content)
            opened.execute(f"ATTACH '{path}' AS source (READ_ONLY)")
            opened.execute("USE source")
        elif content.startswith(PARQUET):
            path.write_bytes(content)
            opened.execute(f"CREATE VIEW source AS SELECT * FROM read_parquet('{path}')")
        else:
            path.write_text(decoded(content) or "", encoding="utf-8", newline="")
            how = """header = true, delim = ',', quote = '"', escape = '"', all_varchar = true"""
            opened.execute(f"CREATE VIEW source AS SELECT * FROM read_csv('{path}', {how})")
        opened.execute(f"SET allowed_paths = ['{path}']")
        opened.execute("SET enable_external_access = false")
        opened.execute("SET lock_configuration = true")
        yield opened


def _records(cursor: Any) -> Iterator[Sequence[Any]]:
    while records := cursor.fetchmany(AT_ONCE):
        yield from records


def _sqlite(content: bytes, query: str, source: Source) -> Iterator[Row]:
    if content[18:20] != b"\x01\x01":
        why = "What was written last may stand in a second file, beside it."
        fix = f"sqlite3 {source.path} 'PRAGMA journal_mode=DELETE'"
        yield _wrong("a database of SQLite in WAL mode", why=why, fix=fix, rule="not-a-table")
        return
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.deserialize(content)
            connection.set_authorizer(_allowed)
            found = connection.execute(query)
            yield from columns.read(_records(found), [each[0] for each in found.description], source)
        except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:
            yield _failed(str(error))


def _allowed(action: int, _one: str | None, two: str | None, _database: str | None, _inner: str | None) -> int:
    return sqlite3.SQLITE_OK if action in READING and two != "load_extension" else sqlite3.SQLITE_DENY


def _failed(error: str) -> Row:
    said = error.split("\n", maxsplit=1)[0]
    return _wrong(f"cannot be read: {said}", fix="mend the query, or the file.", rule="query-failed")


def _wrong(what: str, *, why: str = "", fix: str, rule: str) -> Row:
    return Row(0, b"", problems=(Problem(what, why=why, fix=fix, rule=rule),))
