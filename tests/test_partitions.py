"""A large source is gone over in pieces, in one process or several: the same bytes, each finding at its line."""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_lines import supervised

from ftbuild import slots
from ftbuild.digest import Hashed, of_bytes
from ftbuild.errors import DataError
from ftbuild.example import USUAL
from ftbuild.partitions import SMALL_BYTES, OwnProcesses, mapped
from ftbuild.runners import data, rendering
from ftbuild.slots import Slots
from ftbuild.stream import PIECE_BYTES, Content, File, Gathered, Kept, Spool, lines, parts, pieces, whole
from ftbuild.workers import context

N = 9000
SOURCE = {"kind": "chat_jsonl", "path": "d/many.jsonl", "licence": "CC0-1.0", "origin": "here"}
RECIPE = {
    "split": {"validation": 0.1, "test": 0.2, "seed": 3},
    "limit": None,
    "system": "Be brief.",
    "language": "en",
    "expand": [],
    "licences": {"many": "CC0-1.0"},
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "many.jsonl"
    path.write_bytes(b"".join(json.dumps(supervised(f"City{n % 8000}")).encode() + b"\n" for n in range(N)))
    assert path.stat().st_size > 2 * PIECE_BYTES
    return path


def ingested(path: Path, jobs: int) -> Mapping[str, Content]:
    settings = {"source": SOURCE, "name": "many", "bytes": of_bytes(path.read_bytes())}
    return data.ingest(settings, {}, {"path": str(path), "jobs": jobs}).outputs


def digests(outputs: Mapping[str, Content]) -> dict[str, str]:
    found = {}
    for name, content in outputs.items():
        hashed = Hashed(pieces(content))
        list(hashed)
        found[name] = hashed.digest
    return found


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_how_many_processes_make_them(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("stream", "source_files"):  # what is held is one partition
        monkeypatch.setattr(f"ftbuild.{module}.HELD_BYTES", PIECE_BYTES)
    made = []
    for jobs in (1, 2):
        read = ingested(source, jobs)
        built = data.dataset(RECIPE, {"many": read["examples.jsonl"]}, {"jobs": jobs})
        rendered = rendering.render(
            {"method": "supervised"}, {split: built.outputs[f"{split}.jsonl"] for split in USUAL}, {"jobs": jobs}
        )
        assert json.loads(whole(built.outputs["dropped.json"])) == {"duplicate": 1000}
        made.append([digests(each) for each in (read, built.outputs, rendered.outputs)])
    assert made[0] == made[1]


def test_a_finding_in_a_later_piece_has_its_line(source: Path, tmp_path: Path) -> None:
    broken = source.read_bytes().splitlines(keepends=True)
    broken[N - 3] = b'{"messages": 5}\n'
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"".join(broken))
    with pytest.raises(DataError) as caught:
        ingested(path, 1)
    assert str(caught.value).startswith(f"d/many.jsonl:{N - 2}: messages: 5 is not a list of messages")


@pytest.mark.parametrize("held", [0, 1 << 40])
def test_a_source_that_is_not_the_one_planned_with_is_refused_whether_it_is_held_or_read_as_it_is_needed(
    source: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftbuild.source_files.HELD_BYTES", held)
    settings = {"source": SOURCE, "name": "many", "bytes": of_bytes(b"another")}
    with pytest.raises(DataError) as caught:
        data.ingest(settings, {}, {"path": str(source)})
    assert str(caught.value) == "d/many.jsonl: changed while the build began\n    Fix: the same command again."


@pytest.mark.parametrize("held", [0, 1 << 40])
def test_a_source_is_kept_byte_for_byte_as_it_was_read(
    source: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftbuild.source_files.HELD_BYTES", held)
    assert whole(ingested(source, 1)["source"]) == source.read_bytes()


@given(st.lists(st.binary(max_size=9), max_size=9), st.integers(1, 12))
def test_the_parts_of_a_file_are_its_lines_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, said: list[bytes], n_bytes: int
) -> None:
    content = b"\n".join(said)
    path = tmp_path_factory.mktemp("parts") / "lines"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ftbuild.stream.PIECE_BYTES", n_bytes)
        found = [(len(each), whole(each)) for each in parts(File(path))]
    assert [n for n, _ in found] == [len(each) for _, each in found]
    assert b"".join(each for _, each in found) == content
    assert all(each.find(b"\n", n_bytes - 1) == len(each) - 1 for _, each in found[:-1])


@pytest.mark.parametrize("held", [0, 1000])
def test_what_is_kept_as_it_passes_is_read_once_however_often_and_how_far_it_is_gone_over(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftbuild.stream.HELD_BYTES", held)

    class Once:
        n = 0

        def pieces(self) -> Iterator[bytes]:
            self.n += 1
            yield from (b"aa", b"b", b"cccc")

    once = Once()
    kept = Kept(once, str(tmp_path))
    assert next(kept.pieces()) == b"aa"
    assert [whole(kept), whole(kept), whole(kept.output())] == [b"aabcccc"] * 3
    assert (once.n, kept.output().digest) == (1, of_bytes(b"aabcccc"))
    assert whole(Kept(Once(), str(tmp_path)).output()) == b"aabcccc"


def test_results_come_in_the_order_of_the_partitions() -> None:
    expected = [n * n for n in range(20)]
    for n in (1, 3):
        assert list(mapped(square, iter(range(20)), OwnProcesses(n), large)) == expected
    assert list(mapped(square, iter(()), OwnProcesses(2), large)) == []
    with pytest.raises(ZeroDivisionError):
        list(mapped(upside_down, iter(range(3)), OwnProcesses(2), large))


def test_processes_are_started_for_what_is_large_alone() -> None:
    here = os.getpid()
    assert set(mapped(process, iter(range(20)), OwnProcesses(2), lambda _: SMALL_BYTES // 20)) == {here}
    assert set(mapped(process, iter(range(1)), OwnProcesses(2), large)) == {here}
    assert here not in set(mapped(process, iter(range(2)), OwnProcesses(2), large))


@pytest.mark.parametrize("in_memory", sorted({False, slots.IN_MEMORY}))
def test_what_is_handed_over_comes_back_whole_where_the_system_has_files_in_memory_and_where_not(
    in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "IN_MEMORY", in_memory)
    long, short = os.urandom(PIECE_BYTES), b"short"
    with Slots() as own, ProcessPoolExecutor(1, mp_context=context()) as pool:
        for each in (long, short, long):
            assert own.submit(pool, doubled, each)() == each + each
        waiting = [own.submit(pool, doubled, each) for each in (short, long)]
        assert [each() for each in waiting] == [short + short, long + long]


def doubled(content: bytes) -> bytes:
    return content + content


def large(_: int) -> int:
    return SMALL_BYTES + 1


def process(_: int) -> int:
    return os.getpid()


def square(n: int) -> int:
    return n * n


def upside_down(n: int) -> float:
    return 1 / n


def test_lines_are_never_cut() -> None:
    class Torn:
        def pieces(self) -> Iterator[bytes]:
            content = b"one\ntwo\n\nthree"
            yield from (content[at : at + 2] for at in range(0, len(content), 2))

    assert b"".join(lines(Torn())) == b"one\ntwo\n\nthree"
    assert [each[-1:] for each in lines(Torn())] == [b"\n", b"\n", b"\n", b"e"]
    assert list(lines(b"")) == []


@pytest.mark.parametrize("held", [0, 3, 1000])
def test_a_spool_gives_back_what_was_added_whole_or_in_another_order(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    monkeypatch.setattr("ftbuild.stream.HELD_BYTES", held)
    spool = Spool(str(tmp_path))
    for part in (b"aa", b"b", b"", b"cccc"):
        spool.add(part)
    assert whole(spool) == b"aabcccc"
    gathered = Gathered(spool, np.array([3, 0, 2]), np.array([4, 2, 1]))
    assert [whole(gathered), whole(gathered)] == [b"ccccaab"] * 2
    assert list(tmp_path.iterdir()) == []
