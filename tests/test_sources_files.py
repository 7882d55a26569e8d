"""Sources of several files, and compressed ones: what their key is, what their examples say, what `why` tells."""

import gzip
import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from config_fixture import Own
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from ftbuild.digest import of_bytes, of_file, of_value
from ftbuild.problem import Problem
from ftbuild.settings import Source
from ftbuild.source_files import Place, contents, digest, kept, kept_names
from ftbuild.sources import read, read_files

if sys.version_info >= (3, 14):  # the oracle: what Python has of its own from there on
    from compression import zstd
else:
    from backports import zstd

PATTERN = "data/support/*.jsonl*"


def lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"in": text, "out": f"Re {text}.", "t": text}).encode() + b"\n" for text in texts)


FILES = {"data/support/b.jsonl.zst": zstd.compress(lines("c", "d")), "data/support/a.jsonl": lines("a", "b")}


def pairs(path: str = "x") -> Source:
    return Source(kind="pairs", path=path, input="in", target="out", group="t", licence="CC0-1.0", origin="here")


@pytest.fixture
def own(tmp_path: Path) -> Own:
    found = Own(tmp_path)
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    found.write(
        "conf/source/ours.yaml",
        f"""
        # Ours.   ftbuild +experiment=mine
        kind: pairs
        path: {PATTERN}
        input: in
        target: out
        group: t
        licence: internal
        origin: us
        """,
    )
    found.experiment(
        "mine",
        """
        # Ours.   ftbuild +experiment=mine
        defaults:
          - tone_formal
          - /source@dataset.sources.ours: ours
        dataset: {sources: {pairs: null}}
        """,
    )
    return found


def test_one_file_has_the_digest_of_its_bytes_and_several_one_of_their_names_and_digests(tmp_path: Path) -> None:
    for path in ("a.jsonl", "b.jsonl", ".hidden.jsonl", "c.txt"):
        (tmp_path / path).write_text(path)
    assert Place(tmp_path, "a.jsonl").digest(of_file) == of_bytes(b"a.jsonl")
    named = [["a.jsonl", of_bytes(b"a.jsonl")], ["b.jsonl", of_bytes(b"b.jsonl")]]
    assert Place(tmp_path, "*.jsonl").digest(of_file) == of_value(["files.v1", named])
    assert Place(tmp_path, "*.jsonl").digest(of_file) == (
        "4e11ddebe23eb6a2231009838aa64ab400cf2e284971f3f82037e12baf07d8eb"
    )


def test_a_file_more_or_renamed_is_another_source(tmp_path: Path) -> None:
    place = Place(tmp_path, "**/*.jsonl")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.jsonl").write_text("a")
    one = place.digest(of_file)
    (tmp_path / "b.jsonl").write_text("b")
    two = place.digest(of_file)
    (tmp_path / "b.jsonl").rename(tmp_path / "c.jsonl")
    assert len({one, two, place.digest(of_file)}) == 3
    assert [name for name, _ in place.files()] == ["c.jsonl", "deep/a.jsonl"]


@given(st.dictionaries(st.text("ab[-", min_size=1, max_size=3), st.binary(max_size=3), min_size=1, max_size=4))
def test_what_is_read_has_the_digest_that_was_planned(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        for path in ("*", min(files)):
            place = Place(Path(folder), path)
            given = place.given()
            found = contents(given, path)
            assert digest(found, given) == place.digest(of_file)
            assert dict(found) == (files if path == "*" else {path: files[path]})
            outputs = {name: of_bytes(content) for name, content in kept(found, given).items()}
            assert kept_names(outputs, path) == {name: of_bytes(content) for name, content in found}
            assert Place.from_json(json.loads(json.dumps(place.to_json()))) == place


def test_a_file_with_a_star_in_its_name_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a*.jsonl").write_text("x")
    (tmp_path / "ab.jsonl").write_text("y")
    assert Place(tmp_path, "a*.jsonl").digest(of_file) == of_bytes(b"x")


def test_an_example_of_several_files_names_its_own(own: Own) -> None:
    place = Place(own.folder, PATTERN)
    found = read_files(contents(place.given(), PATTERN), "ours", pairs(PATTERN))
    assert found.problems == []
    assert [(each.path, each.line, each.raw) for each in found.examples] == [
        ("data/support/a.jsonl", 1, "a"),
        ("data/support/a.jsonl", 2, "b"),
        ("data/support/b.jsonl.zst", 1, "c"),
        ("data/support/b.jsonl.zst", 2, "d"),
    ]


def test_a_broken_line_is_named_with_its_own_file() -> None:
    found = read_files([("d/a", lines("a")), ("d/b", lines("b") + b"{}\n")], "s", pairs("d/*"))
    assert [(each.path, each.line, each.what) for each in found.problems] == [
        ("d/b", 2, "no field 'in'"),
        ("d/b", 2, "no field 'out'"),
        ("d/b", 2, "no field 't'"),
    ]


def test_a_pattern_that_finds_nothing_is_told_with_its_place(own: Own) -> None:
    ended = own.run("plan", "+experiment=mine", "dataset.sources.ours.path='data/*.jsonl'")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[:2] == [
        f"command line: dataset.sources.ours.path: {own.folder}/data/*.jsonl: no file is called so",
        "    Fix: put files there, or say where they are: dataset.sources.ours.path=PATTERN.",
    ]


def test_the_kept_graph_notices_a_file_that_comes_and_one_that_goes(own: Own) -> None:
    def ingest() -> str:
        actions = json.loads(own.run("plan", "+experiment=mine", "--format", "json").out)["actions"]
        return next(each["id"] for each in actions if each["label"] == "ours")

    first = ingest()
    assert ingest() == first
    (own.folder / "data/support/c.jsonl").write_bytes(lines("e"))
    assert ingest() != first
    (own.folder / "data/support/c.jsonl").unlink()
    assert ingest() == first


def test_why_tells_the_lines_of_each_file(own: Own) -> None:
    many = tuple(f"note {n}" for n in range(60))
    (own.folder / "data/support/a.jsonl").write_bytes(lines(*many))
    built = own.run("dataset", "+experiment=mine")
    assert built.code == 0, built.err
    (own.folder / "data/support/a.jsonl").write_bytes(lines(*many[:-1], "new"))
    (own.folder / "data/support/b.jsonl.zst").write_bytes(zstd.compress(lines("c")))
    (own.folder / "data/support/c.jsonl.gz").write_bytes(gzip.compress(lines("e")))
    told = own.run("why", "dataset", "+experiment=mine").out
    assert re.match(r"ours will run again, because one source changed since today \d\d:\d\d UTC:\n", told)
    assert told.partition("\n")[2].split("\n\n")[0] == "\n".join(
        [
            "    data/support/a.jsonl:60",
            '  - {"in": "note 59", "out": "Re note 59.", "t": "note 59"}',
            '  + {"in": "new", "out": "Re new.", "t": "new"}',
            "    data/support/b.jsonl.zst:2 is gone",
            '  - {"in": "d", "out": "Re d.", "t": "d"}',
            "    data/support/c.jsonl.gz:1 is new",
            '  + {"in": "e", "out": "Re e.", "t": "e"}',
        ]
    )
    [answer] = json.loads(own.run("why", "dataset", "+experiment=mine", "--format", "json").out)["actions"]
    assert [(each["path"], each["line"]) for each in answer["differences"][0]["lines"]] == [
        ("data/support/a.jsonl", 60),
        ("data/support/b.jsonl.zst", 2),
        ("data/support/c.jsonl.gz", 1),
    ]


def test_why_tells_of_a_table_that_it_changed(own: Own) -> None:
    def write(answer: str) -> None:
        columns = {"in": [f"q{n}" for n in range(60)], "out": [*(f"a{n}." for n in range(59)), answer]}
        parquet.write_table(pa.table({**columns, "t": columns["in"]}), own.folder / "a.parquet")

    write("old")
    words = ("+experiment=mine", "dataset.sources.ours.path=a.parquet", "dataset.sources.ours.kind=parquet")
    built = own.run("dataset", *words)
    assert built.code == 0, built.err
    write("new")
    assert own.run("why", "dataset", *words).out.splitlines()[1] == (
        "    a.parquet: the source's bytes changed; it is no text to be told line by line"
    )


@pytest.mark.parametrize(("pack", "rule"), [(gzip.compress, "not-gzip"), (zstd.compress, "not-zstd")])
def test_a_compressed_file_is_read_and_a_torn_one_named(pack: object, rule: str) -> None:
    packed = pack(lines("a", "b") * 50)  # type: ignore[operator]
    assert len(read(packed, "s", pairs())[0]) == 100
    assert len(read(packed + packed, "s", pairs())[0]) == 200
    for torn in (packed[:-9], packed[:12] + b"torn" + packed[16:]):
        assert read(torn, "s", pairs()) == (
            [],
            [Problem("cannot be unpacked: it is not whole", "x", fix="copy the file again, whole.", rule=rule)],
        )


def test_check_reads_zstd_and_names_a_torn_file(own: Own) -> None:
    line = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}).encode()
    packed = zstd.compress((line + b"\n") * 12)
    (own.folder / "chats.jsonl.zst").write_bytes(packed)
    assert "12 lines read" in own.run("check", "chats.jsonl.zst").out
    (own.folder / "chats.jsonl.zst").write_bytes(packed[:-5])
    ended = own.run("check", "chats.jsonl.zst")
    assert (ended.code, ended.err) == (
        1,
        "chats.jsonl.zst: cannot be read: it is not whole\n    Fix: copy the file again, whole.\n",
    )


def test_a_generator_takes_no_pattern() -> None:
    with pytest.raises(ValueError, match="a source of the kind generator is one file, no pattern"):
        Source(
            kind="generator",
            path="a/*.yaml",
            n=20,
            calls={"one": 1, "two": 0, "three": 0},  # type: ignore[arg-type]
            seed=1,
            licence="x",
            origin="x",
        )
