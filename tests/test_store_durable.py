"""Writing that survives: whole or not at all, and no leftovers."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftbuild.errors import ExitCode, StoreError
from ftbuild.store import durable


@contextmanager
def disk_with_room_for(n_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond `n_bytes`: the kernel refuses the write, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_written_with_its_folders_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    durable.write(path, b"new", mode=0o444)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o444)
    durable.write(path, b"newer")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"newer", 0o644)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable.write(path, b"old")
    with disk_with_room_for(100), pytest.raises(StoreError) as caught:
        durable.write(path, b"x" * 1000)
    assert str(caught.value) == (
        f"{path}: cannot be written: file too large\n    Fix: free space or rights there, then again."
    )
    assert caught.value.exit_code == ExitCode.FAILED
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"file": b"old"}


@pytest.mark.parametrize(
    "write",
    [
        lambda path: durable.write(path, b"x"),
        lambda path: durable.append_line(path, b"x"),
        lambda path: durable.link("x", path),
        durable.claim,
    ],
    ids=["write", "append_line", "link", "claim"],
)
def test_a_folder_that_cannot_be_written_is_an_error_with_the_place(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "inside" / "deep"
    with pytest.raises(StoreError) as caught:
        write(path)
    assert str(caught.value) == (
        f"{path}: cannot be written: not a directory\n    Fix: free space or rights there, then again."
    )


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that nobody may write to")
def test_a_read_only_folder_is_an_error_also_for_root() -> None:
    with pytest.raises(StoreError, match=r"^/proc/self/file: cannot be written: "):
        durable.write(Path("/proc/self/file"), b"x")


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "log.jsonl"
    durable.append_line(path, b"one")
    durable.append_line(path, b"two")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_line_is_never_glued_to_one_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'one\n{"tor')
    durable.append_line(path, b"two")
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("whole", [b"", b"one\n", b"o" * (durable.TAIL_BYTES - 1) + b"\n"])
@pytest.mark.parametrize("torn", [1, durable.TAIL_BYTES, 3 * durable.TAIL_BYTES])
def test_a_line_cut_short_may_be_long(tmp_path: Path, whole: bytes, torn: int) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(whole + b"x" * torn)
    durable.append_line(path, b"two")
    assert path.read_bytes() == whole + b"two\n"


def test_a_line_that_does_not_fit_is_taken_off_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    durable.append_line(path, b"one")
    with disk_with_room_for(50), pytest.raises(StoreError, match=r"cannot be written: file too large"):
        durable.append_line(path, b"x" * 1000)
    durable.append_line(path, b"two")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    assert [durable.claim(tmp_path / "runs" / "one") for _ in range(2)] == [True, False]


def test_a_link_is_relative_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "latest"
    durable.link("first", path)
    durable.link("second", path)
    assert (os.readlink(path), os.listdir(path.parent)) == ("second", ["latest"])


def test_a_link_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "latest"
    path.mkdir()
    with pytest.raises(StoreError, match=r"^.*latest: cannot be written: is a directory"):
        durable.link("run", path)
    assert os.listdir(tmp_path) == ["latest"]
