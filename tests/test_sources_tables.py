"""Tables become lines: Parquet, SQL over four kinds of files, saved datasets; a null of a struct is not believed."""

import io
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from conversations_fixture import CALL, WEATHER, examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc, parquet
from pydantic import ValidationError

from ftbuild.errors import ConfigError
from ftbuild.example import Example
from ftbuild.settings import Source
from ftbuild.source_files import Place, contents
from ftbuild.sources import Read, read_files

CHATS: list[dict[str, Any]] = [
    {
        "messages": [{"role": "user", "content": "Rain?"}, {"role": "assistant", "tool_calls": [CALL]}],
        "tools": [WEATHER],
    },
    {"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]},
]
TICKETS = [(2, "b", "B.", "007", 4.5), (1, "a", "A.", "008", 3.0), (3, "c", "C.", "009", None)]
COLUMNS = ["id", "asked", "answered", "code", "csat"]
QUERY = "SELECT asked, answered, code, csat FROM source ORDER BY id"


def found(kind: str, content: bytes, path: str = "d/x", **fields: Any) -> Read:
    given = {"kind": kind, "path": path, "licence": "CC0-1.0", "origin": "here", **fields}
    return read_files([(path, content)], "s", Source.model_validate(given))


def in_parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def tickets() -> pa.Table:
    return pa.table(dict(zip(COLUMNS, map(list, zip(*TICKETS, strict=True)), strict=True)))


def in_sqlite(*, wal: bool = False) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE source (id INTEGER, asked TEXT, answered TEXT, code TEXT, csat REAL)")
        connection.executemany("INSERT INTO source VALUES (?, ?, ?, ?, ?)", TICKETS)
        connection.commit()
        content = connection.serialize()
    return content[:18] + b"\x02\x02" + content[20:] if wal else content


def in_duckdb(folder: Path) -> bytes:
    with closing(duckdb.connect(str(folder / "a.duckdb"))) as connection:
        connection.execute("CREATE TABLE source (id INTEGER, asked TEXT, answered TEXT, code TEXT, csat REAL)")
        connection.executemany("INSERT INTO source VALUES (?, ?, ?, ?, ?)", TICKETS)
    return (folder / "a.duckdb").read_bytes()


def in_csv() -> bytes:
    lines = [COLUMNS, *([("" if each is None else str(each)) for each in ticket] for ticket in TICKETS)]
    return "".join(",".join(line) + "\r\n" for line in lines).encode("utf-16")


PAIRS = {"input": "asked", "target": "answered", "slices": {"code": "code"}}


def test_a_parquet_file_of_pairs_is_read_in_its_order() -> None:
    read = found("parquet", in_parquet(tickets()), keep={"it": {"field": "csat", "at_least": 3}}, **PAIRS)
    assert read.problems == []
    assert [(each.line, each.raw, each.target.content, each.slices["code"]) for each in read.examples] == [
        (1, "b", "B.", "007"),
        (2, "a", "A.", "008"),
    ]
    assert read.note() == "2 examples; left out: 1 by it"


@pytest.mark.parametrize("form", ["sqlite", "duckdb", "parquet", "csv"])
def test_a_query_finds_the_same_in_every_kind_of_file(form: str, tmp_path: Path) -> None:
    content = {
        "sqlite": in_sqlite,
        "duckdb": lambda: in_duckdb(tmp_path),
        "parquet": lambda: in_parquet(tickets()),
        "csv": in_csv,
    }[form]()
    read = found("sql", content, f"d/x.{form}", query=QUERY, **PAIRS)
    assert read.problems == []
    assert [(each.line, each.raw, each.target.content, each.slices["code"]) for each in read.examples] == [
        (1, "a", "A.", "008"),
        (2, "b", "B.", "007"),
        (3, "c", "C.", "009"),
    ]


@pytest.mark.parametrize("form", ["json text", "lists of json texts", "nested messages"])
def test_columns_hold_chat_lines(form: str) -> None:
    columns: dict[str, list[Any]] = {
        "messages": [each["messages"] for each in CHATS],
        "tools": [json.dumps(each["tools"]) if "tools" in each else None for each in CHATS],
        "ticket": ["t1", "t2"],
    }
    if form == "json text":
        columns["messages"] = [json.dumps(each) for each in columns["messages"]]
    elif form == "lists of json texts":
        columns["tools"] = [[json.dumps(tool) for tool in each.get("tools", ())] for each in CHATS]
    read = found("parquet", in_parquet(pa.table(columns)), group="ticket")
    assert [each for each in read.problems if each.severity == "error"] == []
    assert [each.conversation() for each in read.examples] == CHATS
    assert [each.group for each in read.examples] == ["t1", "t2"]


def test_a_null_inside_nested_tools_is_refused_and_one_in_json_text_kept() -> None:
    other = {
        "type": "function",
        "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "null"}}}},
    }
    nested = pa.table({"messages": [each["messages"] for each in CHATS], "tools": [[WEATHER], [other]]})
    read = found("parquet", in_parquet(nested))
    assert read.examples == []
    assert str(read.problems[0]) == (
        "d/x:1: tools[0].function.parameters.properties.city.default: null inside nested tools or arguments\n"
        "    A table gives every struct the fields of all others, so this null was maybe never written.\n"
        "    Fix: keep the column as JSON text: json.dumps(...) before the table is written.    table-null"
    )
    text = pa.table({"messages": [CHATS[0]["messages"]], "tools": [json.dumps([WEATHER])]})
    [example] = found("parquet", in_parquet(text)).examples
    assert example.tools[0].to_json() == WEATHER


def test_nested_tools_without_a_null_are_read() -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    tool["function"]["parameters"]["properties"] = {"a": {"type": "integer"}}  # type: ignore[index]
    read = found("parquet", in_parquet(pa.table({"messages": [CHATS[1]["messages"]], "tools": [[tool]]})))
    assert read.examples[0].tools[0].to_json() == tool


def test_other_layouts_stand_in_tables_too() -> None:
    turns = [{"from": "human", "value": "Hi."}, {"from": "gpt", "value": "Hello."}]
    table = pa.table({"conversations": [turns], "tools": ["[]"], "system": pa.array([None], pa.string())})
    assert [each.conversation() for each in found("parquet", in_parquet(table), layout="sharegpt").examples] == CHATS[
        1:
    ]
    table = pa.table({"instruction": ["Hi."], "input": pa.array([None], pa.string()), "output": ["Hello."]})
    assert [each.conversation() for each in found("parquet", in_parquet(table), layout="alpaca").examples] == CHATS[1:]
    line = {"input": {"messages": [{"role": "user", "content": "Hi."}], "tools": None}}
    outputs = {f"{name}_output": [{"role": "assistant", "content": name}] for name in ("preferred", "non_preferred")}
    table = pa.Table.from_pylist([{**line, **outputs}])
    [example] = found("parquet", in_parquet(table), layout="dpo_jsonl").examples
    assert (example.target.content, example.rejected and example.rejected.content) == ("preferred", "non_preferred")


def test_dates_decimals_and_bytes_become_texts() -> None:
    query = """SELECT 'a' AS asked, 'b' AS answered, DATE '2026-11-25' AS day, 1.50::DECIMAL(4, 2) AS price,
    'x'::BLOB AS raw, true AS done, TIMESTAMPTZ '2026-11-25 10:00:00+00' AS at ORDER BY 1"""
    slices = {name: name for name in ("day", "price", "raw", "done")}
    read = found("sql", in_parquet(tickets()), query=query, input="asked", target="answered", slices=slices)
    assert [dict(each.slices) for each in read.examples] == [
        {"source": "s", "day": str(date(2026, 11, 25)), "price": "1.50", "raw": "x", "done": "true"}
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM source", "query has no ORDER BY"),
        ("SELECT * FROM (SELECT * FROM source ORDER BY id)", "query has no ORDER BY"),
        ("SELECT 'ORDER BY' FROM source -- ORDER BY id", "query has no ORDER BY"),
        ("SELECT * FROM source ORDER BY random()", "query asks random, which gives something else each time"),
        ("SELECT current_date FROM source ORDER BY 1", "query asks current_date, which"),
        ("SELECT * FROM source USING  SAMPLE 3 ORDER BY id", "query asks USING SAMPLE, which"),
        ("DROP TABLE source", "query does not begin with SELECT, WITH or FROM"),
        ("SELECT 1 ORDER BY 1; DROP TABLE source", "query holds more than one statement"),
    ],
)
def test_a_query_that_need_not_find_the_same_again_is_refused(query: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        found("sql", b"", query=query)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("sql", {}, "a source of the kind sql needs query"),
        ("parquet", {"query": QUERY}, "a source of the kind parquet takes no query"),
        ("parquet", {"input": "a"}, "input and target go together, and rejected with them"),
        ("parquet", {"rejected": "a"}, "input and target go together, and rejected with them"),
        ("parquet", {**PAIRS, "layout": "alpaca"}, "pairs have no layout: say layout, or input and target"),
        ("sql", {"query": QUERY, "path": "d/*.csv"}, "a source of the kind sql is one file, no pattern"),
        ("huggingface", {"path": "d/*"}, "a source of the kind huggingface is one folder, no pattern"),
    ],
)
def test_what_does_not_fit_a_table_is_refused(kind: str, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        found(kind, b"", **fields)
    assert f"Value error, {said} [" in str(caught.value)


def test_a_query_may_order_speak_and_comment_as_it_likes() -> None:
    query = """-- now() and random() stand in comments
    WITH a AS (SELECT asked, answered, ';' AS c FROM source /* ; */)
    SELECT asked, answered FROM a WHERE c <> 'random()' order
    by asked DESC;"""
    for content in (in_sqlite(), in_parquet(tickets())):
        read = found("sql", content, query=query, input="asked", target="answered")
        assert [each.raw for each in read.examples] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("SELECT * FROM read_csv('/etc/passwd') ORDER BY 1", in_parquet(tickets())),
        ("SELECT * FROM glob('/*') ORDER BY 1", in_parquet(tickets())),
        ("WITH a AS (SELECT 1) SELECT load_extension('x') FROM a ORDER BY 1", in_sqlite()),
        ("SELECT * FROM pragma_database_list ORDER BY 1", in_sqlite()),
        ("WITH a AS (SELECT 1 AS b) INSERT INTO source SELECT b, b, b, b, b FROM a ORDER BY 1", in_sqlite()),
    ],
)
def test_a_query_sees_its_file_and_nothing_else(query: str, content: bytes) -> None:
    read = found("sql", content, query=query, input="a", target="b")
    assert read.examples == []
    [problem] = read.problems
    assert str(problem).startswith("d/x: cannot be read: ")
    assert problem.rule == "query-failed"


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("parquet", b"{}\n", "d/x: not Parquet\n    Fix: a file of Parquet begins with PAR1.    not-parquet"),
        ("parquet", b"PAR1", None),
        ("parquet", in_parquet(tickets())[:-9], None),
        ("sql", in_sqlite()[:200], None),
        (
            "sql",
            b"{}\n",
            "d/x: neither SQLite, DuckDB, Parquet nor .csv\n"
            "    Fix: for lines of JSON take another kind, and keep: instead of a query.    not-a-table",
        ),
        (
            "sql",
            in_sqlite(wal=True),
            "d/x: a database of SQLite in WAL mode\n"
            "    What was written last may stand in a second file, beside it.\n"
            "    Fix: sqlite3 d/x 'PRAGMA journal_mode=DELETE'    not-a-table",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(kind: str, content: bytes, said: str | None) -> None:
    read = found(kind, content, **PAIRS, **({"query": QUERY} if kind == "sql" else {}))
    assert read.examples == []
    [problem] = read.problems
    assert str(problem) == said or (said is None and str(problem).startswith("d/x: cannot be read: "))
    assert "/tmp" not in str(problem)


def test_a_wrong_column_and_a_wrong_cell_are_named_with_their_row() -> None:
    read = found(
        "sql", in_sqlite(), query="SELECT asked, csat AS answer FROM source ORDER BY id", input="asked", target="answer"
    )
    assert [str(each) for each in read.problems] == [
        f"d/x:{row}: answer: {value} is not a text    not-a-text" for row, value in ((1, 3.0), (2, 4.5), (3, None))
    ]
    read = found("sql", in_sqlite(), query="SELECT asked, answered AS asked FROM source ORDER BY id", **PAIRS)
    assert [str(each) for each in read.problems] == [
        "d/x: two columns 'asked'\n    Fix: give one of them another name: AS.    duplicate-column"
    ]
    read = found("parquet", in_parquet(pa.table({"messages": ['[{"role":']})))
    assert str(read.problems[0]).startswith("d/x:1: messages: not JSON (column 10: ")


@settings(max_examples=40, deadline=None)
@given(st.lists(examples(), min_size=1, max_size=4), st.booleans())
def test_what_is_read_out_of_a_table_says_what_was_written(written: list[Example], nested: bool) -> None:
    lines = [each.conversation() for each in written]
    flags = [each.get("parallel_tool_calls") for each in lines]
    columns = {
        "messages": [each["messages"] if nested else json.dumps(each["messages"]) for each in lines],
        "tools": pa.array([json.dumps(each["tools"]) if "tools" in each else None for each in lines], pa.string()),
        "parallel_tool_calls": pa.array(flags, pa.bool_()),
    }
    read = found("parquet", in_parquet(pa.table(columns)))
    wrong = {each.line for each in read.problems if each.severity == "error"}
    assert [each.conversation() for each in read.examples] == [
        line for number, line in enumerate(lines, 1) if number not in wrong
    ]


# --- saved datasets ---------------------------------------------------------------------------------


def saved(folder: Path, *tables: pa.Table) -> Place:
    """Write what `Dataset.save_to_disk` of the package datasets 5.2.0 writes."""
    folder.mkdir()
    names = [f"data-{n:05}-of-{len(tables):05}.arrow" for n in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        with ipc.new_stream(str(folder / name), table.schema) as writer:
            writer.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "f", "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")
    (folder / "cache-123.arrow").write_bytes(b"of a map() somebody tried")
    return Place(folder.parent, folder.name, folder=True)


def in_folder(place: Place, **fields: Any) -> Read:
    given = {"kind": "huggingface", "path": place.path, "licence": "CC0-1.0", "origin": "here", **fields}
    return read_files(contents(place.given(), place.path), "s", Source.model_validate(given))


def test_a_saved_dataset_is_read_shard_after_shard(tmp_path: Path) -> None:
    labels = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["good", "bad"]}}}}
    table = pa.table({"text": ["a", "b", "c"], "label": [0, 1, 0]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(labels)})
    place = saved(tmp_path / "d", table.slice(0, 2), table.slice(2))
    read = in_folder(place, input="text", target="label")
    assert read.problems == []
    assert [(each.path, each.line, each.raw, each.target.content) for each in read.examples] == [
        ("d/data-00000-of-00002.arrow", 1, "a", "good"),
        ("d/data-00000-of-00002.arrow", 2, "b", "bad"),
        ("d/data-00001-of-00002.arrow", 1, "c", "good"),
    ]
    chats = pa.table({"messages": [each["messages"] for each in CHATS], "tools": [json.dumps([WEATHER]), None]})
    assert [each.conversation() for each in in_folder(saved(tmp_path / "e", chats)).examples] == CHATS


def test_the_digest_of_a_saved_dataset_leaves_caches_out(tmp_path: Path) -> None:
    place = saved(tmp_path / "d", pa.table({"a": ["x"]}))
    assert [name for name, _ in place.files()] == ["d/data-00000-of-00001.arrow", "d/dataset_info.json", "d/state.json"]


def test_a_folder_that_is_no_dataset_is_named(tmp_path: Path) -> None:
    place = saved(tmp_path / "d", pa.table({"a": ["x"]}))
    (tmp_path / "d/data-00000-of-00001.arrow").write_bytes(b"torn")
    [torn] = in_folder(place).problems
    assert str(torn).startswith("d/data-00000-of-00001.arrow: cannot be read: ")
    (tmp_path / "d/data-00000-of-00001.arrow").unlink()
    assert [str(each) for each in in_folder(place).problems] == [
        "d: data-00000-of-00001.arrow is not in the folder, and state.json names it\n"
        "    Fix: copy the folder again, whole.    not-a-dataset"
    ]
    (tmp_path / "d/state.json").unlink()
    assert [str(each) for each in in_folder(place).problems] == [
        "d: no state.json in the folder\n    Fix: name the folder that save_to_disk wrote.    not-a-dataset"
    ]
    (tmp_path / "d/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert [str(each) for each in in_folder(place).problems] == [
        "d: a dataset of several splits: train, test\n    Fix: path: d/SPLIT    not-a-dataset"
    ]


# --- the extras -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "package", "extra", "reader"),
    [("parquet", "duckdb", "tables", "DuckDB"), ("huggingface", "pyarrow", "huggingface", "pyarrow")],
)
def test_a_missing_extra_is_told_with_how_to_get_it(kind: str, package: str, extra: str, reader: str) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None
from ftbuild.errors import ConfigError
from ftbuild.settings import Source
from ftbuild.sources import READERS
source = Source(kind={kind!r}, path="d/x", licence="x", origin="x")
try:
    list(READERS[{kind!r}](b"PAR1", "s", source))
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"d/x: a source of the kind {kind} is read by {reader}, which is not installed\n"
        f"    Fix: pip install 'ftbuild[{extra}]'\n"
    )


def test_what_is_heavy_is_imported_late() -> None:
    code = "import sys, ftbuild.sources; print(sorted({'duckdb', 'pyarrow', 'backports'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert ConfigError.exit_code == 2


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["parquet", "sql", "csv", "huggingface"]),
    st.integers(min_value=0, max_value=5000),
    st.binary(max_size=8),
)
def test_whatever_the_bytes_are_they_are_read_or_named(kind: str, at: int, torn: bytes) -> None:
    sink = io.BytesIO()
    with ipc.new_stream(sink, tickets().schema) as writer:
        writer.write_table(tickets())
    content = {"parquet": in_parquet(tickets()), "sql": in_sqlite(), "csv": in_csv(), "huggingface": sink.getvalue()}[
        kind
    ]
    at = at % len(content)
    broken = content[:at] + torn + content[at + len(torn) :]
    asked = {"query": QUERY} if kind in ("sql", "csv") else {}
    files = [("d/x.csv", broken)]
    if kind == "huggingface":
        files.append(("d/state.json", b'{"_data_files": [{"filename": "x.csv"}]}'))
    source = Source(
        kind="sql" if kind == "csv" else kind,  # type: ignore[arg-type]
        path="d/x.csv",
        licence="x",
        origin="x",
        input="asked",
        target="answered",
        **asked,  # type: ignore[arg-type]
    )
    read = read_files(files, "s", source)
    assert read.examples or read.problems
