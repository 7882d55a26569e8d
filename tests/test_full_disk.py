"""A disk that is full, read-only or far away: the build says so and ends with 5, and goes on once that is mended."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from paying_fixture import Paying
from project_fixture import HANGS_SECONDS, Project
from rehearsal_fixture import PINNED, REHEARSED, stop_server

from ftbuild.errors import ExitCode, StoreError
from ftbuild.store.verify import check
from ftbuild.workers import Processes

FIX = "    Fix: free space or rights there, then again."
BIG = "x" * 300_000


class Disk:
    """A small file system of its own, and a second way to it that is read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.view = folder / "disk", folder / "view"
        self._mounted: list[Path] = []

    def resize(self, size: str) -> None:
        """Give it so much room."""
        what = "remount," if self.folder in self._mounted else ""
        self._mount(self.folder, "-t", "tmpfs", "-o", f"{what}size={size}", "tmpfs")

    def show(self) -> None:
        """Make the read-only way to it."""
        self._mount(self.view, "--bind", str(self.folder))
        self._mount(self.view, "-o", "remount,bind,ro")

    def close(self) -> None:
        for folder in reversed(self._mounted):
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    def _mount(self, folder: Path, *arguments: str) -> None:
        folder.mkdir(exist_ok=True)
        done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"may not mount here: {done.stderr.strip()}")
        if folder not in self._mounted:
            self._mounted.append(folder)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    found = Disk(tmp_path)
    try:
        yield found
    finally:
        found.close()


def whole(toy: Paying) -> bool:
    checked = check(toy.store, ("pay",), full=True)
    return not checked.problems and not checked.n_leftovers


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_full_disk_ends_a_build_in_order_and_room_lets_it_go_on(disk: Disk) -> None:
    disk.resize("1m")
    toy = Paying(disk.folder / "project")
    toy.texts = {**toy.texts, "a": BIG}
    with pytest.raises(StoreError) as caught:
        toy.build_on()
    said = re.escape(f"{toy.store.folder}/") + r"\S+: cannot be written: no space left on device\n" + re.escape(FIX)
    assert re.fullmatch(said, str(caught.value))
    assert caught.value.exit_code == ExitCode.FAILED
    assert whole(toy)
    disk.resize("16m")
    assert toy.outputs(toy.build_on())["d"] == f"{BIG}b1pay1c1d1".encode()
    assert list(toy.launches().values()) == [1]
    assert whole(toy)


def test_a_read_only_store_can_be_planned_with_and_not_built_in(disk: Disk) -> None:
    disk.resize("16m")
    toy = Paying(disk.folder / "project")
    toy.build_on()
    disk.show()
    seen = replace(toy, folder=disk.view / "project")
    before = listing(disk.folder)
    assert set(seen.statuses().values()) == {"HIT"}
    assert {ran.status for ran in seen.build_on().ran.values()} == {"HIT"}
    seen.texts = {**toy.texts, "c": "c2"}
    assert seen.statuses() == {"a": "HIT", "b": "HIT", "pay": "HIT", "c": "RUN", "d": "MAYBE"}
    with pytest.raises(StoreError) as caught:
        seen.build_on()
    said = re.escape(f"{seen.store.folder}/live/") + r"\w+\.lock: cannot be written: read-only file system\n"
    assert re.fullmatch(said + re.escape(FIX), str(caught.value))
    assert caught.value.exit_code == ExitCode.FAILED
    assert listing(disk.folder) == before


@pytest.mark.slow
def test_a_file_that_may_not_grow_ends_the_command_with_5_and_the_place(project: Project) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-m", "ftbuild", *REHEARSED, "--jobs", "1"],
        cwd=project.folder,
        env=project.environment,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_SECONDS,
    )
    digest = PINNED["pairs"]["examples.jsonl"]
    path = f"outputs/smoke/.ftbuild/artifacts/{digest[:2]}/{digest}"
    assert (done.returncode, done.stdout) == (ExitCode.FAILED, "")
    assert done.stderr.endswith(f"{path}: cannot be written: file too large\n{FIX}\n"), done.stderr
    store = project.folder / "outputs" / "smoke" / ".ftbuild"
    assert [path for path in store.rglob("*") if path.name.startswith(".tmp-")] == []
    assert not (store / "records").exists()


def test_a_log_that_cannot_be_opened_ends_the_build_with_5_and_the_place(tmp_path: Path) -> None:
    toy = Paying(tmp_path / "project", workers=Processes(1))
    log = toy.store.folder / "logs" / f"{toy.plan()[0].key}.log"
    log.mkdir(parents=True)
    try:
        with pytest.raises(StoreError) as caught:
            toy.build_on()
    finally:
        toy.workers.stop()
    assert str(caught.value) == f"{log}: cannot be written: is a directory\n{FIX}"


@pytest.mark.slow
def test_the_command_goes_on_when_there_is_room_again(disk: Disk, project: Project) -> None:
    disk.resize("500k")
    os.symlink(disk.folder, project.folder / "outputs")
    try:
        full = project.run(*REHEARSED, "--jobs", "1")
        assert (full.code, full.out) == (ExitCode.FAILED, "")
        assert re.search(
            r"outputs/\S+: cannot be written: no space left on device\n" + re.escape(FIX) + "\n$", full.err
        )
        disk.resize("64m")
        assert project.run("verify", "--full", "--smoke").code == 0
        ended = project.run(*REHEARSED)
        assert ended.code == 0, ended.err
        assert project.run("verify", "--full", "--smoke").code == 0
        stop_server(project)
        disk.show()
        os.unlink(project.folder / "outputs")
        os.symlink(disk.view, project.folder / "outputs")
        before = listing(disk.folder)
        planned = project.run("plan", *REHEARSED, "--format", "json")
        assert planned.code == 0, planned.err
        assert {each["status"] for each in json.loads(planned.out)["actions"]} == {"HIT"}
        assert listing(disk.folder) == before
    finally:
        stop_server(project)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs mount namespaces")
def test_a_store_on_a_network_is_refused_by_the_command(project: Project, tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:26 / {project.folder} rw - nfs4 server:/home rw\n")
    # The table is laid over the process's own, in a name space of its own, then the process becomes ftbuild.
    script = 'mount --bind "$0" /proc/$$/mountinfo || exit 99; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(table), sys.executable, "-m", "ftbuild", *REHEARSED],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_SECONDS,
    )
    if done.returncode not in (0, ExitCode.FAILED) or "mount: " in done.stderr or "unshare: " in done.stderr:
        pytest.skip(f"may not mount here: {done.stderr.strip()}")
    assert (done.returncode, done.stdout, done.stderr) == (
        ExitCode.FAILED,
        "",
        f"{project.folder}/outputs/smoke/.ftbuild: lies on a network (nfs4), where locks cannot be trusted\n"
        "    Two machines could launch one job twice.\n"
        "    Fix: name a folder on a local disk in the environment: FTBUILD_STORE=FOLDER.\n",
    )
    assert list(project.folder.iterdir()) == []
