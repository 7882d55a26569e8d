"""`ftbuild gc`: says first, deletes with --yes; what runs, lock files in git and living builds name stays."""

import json
import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from config_fixture import Ended, Own
from toy_fixture import Toy

from ftbuild.store.locks import Session
from ftbuild.store.store import Record

DAY = 86_400.0


class Project:
    """A built toy whose files are a day old; `labels` are those whose records are there."""

    def __init__(self, folder: Path) -> None:
        self.own, self.toy = Own(folder), Toy(folder)
        self.records: dict[str, Record] = {ran.action.label: ran.record for ran in self.toy.build().ran.values()}
        for path in self.toy.world.store.rglob("*"):
            self.age(path, 1)

    def age(self, path: Path, days: float) -> None:
        os.utime(path, (time.time() - days * DAY,) * 2)

    def run_of(self, label: str, name: str, experiment: str, days: float) -> None:
        began = datetime.fromtimestamp(time.time() - days * DAY, UTC).isoformat()
        run = {"experiment": experiment, "started_at": began, "actions": [{"key": self.records[label].key}]}
        self.own.write(f"outputs/runs/{name}/run.json", json.dumps(run))

    def gc(self, *options: str) -> Ended:
        return self.own.run("gc", *options)

    @property
    def labels(self) -> set[str]:
        return {label for label, record in self.records.items() if self.toy.store.has(record.key)}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_it_says_what_would_go_and_deletes_nothing(project: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.own.folder.rglob("*")}
    said = (
        "Would go: 4 records, 4 artifacts, 4 logs, 4 locks: 0.0 MB.\n"
        "To make it again: 10 s (4 make 10 s), no money.\n"
        "Kept: 1 record, 1 artifact, 0.0 MB; with it all that was paid for, and every cached call.\n"
        "Do it: ftbuild gc --yes\n"
    )
    assert project.gc() == Ended(0, said, "")
    assert {path: path.stat().st_mtime_ns for path in project.own.folder.rglob("*")} == before


def test_yes_deletes_it_and_the_next_build_makes_it_again(project: Project) -> None:
    ended = project.gc("--yes")
    assert ended.out.splitlines()[::2] == [
        "Deleted: 4 records, 4 artifacts, 4 logs, 4 locks: 0.0 MB.",
        "Kept: 1 record, 1 artifact, 0.0 MB; with it all that was paid for, and every cached call.",
    ]
    assert project.labels == {"pay"}
    assert project.gc("--yes") == Ended(0, "Nothing to delete. Kept: 1 record, 1 artifact, 0.0 MB.\n", "")
    assert project.own.run("verify", "--full").code == 0
    project.toy.build()
    assert project.toy.ran == ["a", "b", "c", "d"]


def test_the_command_it_offers_has_the_same_options(project: Project) -> None:
    assert project.gc("--keep-days", "7").out.splitlines()[-1] == "Do it: ftbuild gc --yes --keep-days 7"


def test_where_nothing_was_built_there_is_nothing_to_delete(tmp_path: Path) -> None:
    said = "Nothing to delete. Kept: 0 records, 0 artifacts, 0.0 MB.\n"
    assert Own(tmp_path).run("gc", "--yes") == Ended(0, said, "")
    assert list(tmp_path.iterdir()) == []


def test_json_tells_what_goes_what_it_would_take_and_what_stays(project: Project) -> None:
    ended = project.gc("--format", "json", "--keep-days", "9")
    told = json.loads(ended.out)
    n_bytes = {name: told[name].pop("n_bytes") for name in ("records", "artifacts", "logs")}
    assert (told.pop("n_bytes"), n_bytes["artifacts"]) == (sum(n_bytes.values()), 20)
    assert told == {
        "schema_version": 1,
        "deleted": False,
        "keep_days": 9,
        "records": {"n": 4},
        "artifacts": {"n": 4},
        "logs": {"n": 4},
        "locks": {"n": 4, "n_bytes": 0},
        "leftovers": {"n": 0, "n_bytes": 0},
        "damaged": {"n": 0, "n_bytes": 0},
        "again": {
            "seconds": 10.0,
            "cost_usd": 0.0,
            "kinds": {"make": {"n": 4, "seconds": 10.0, "cost_usd": 0.0}},
        },
        "kept": {"n_records": 1, "n_artifacts": 1, "n_bytes": 8},
    }


def test_young_runs_and_the_newest_of_each_experiment_keep_their_records(project: Project) -> None:
    project.run_of("a", "20250101-000000-tone", "tone", 100)
    project.run_of("b", "20250201-000000-tone", "tone", 60)
    project.run_of("c", "20250102-000000-tools", "tools", 99)
    project.run_of("d", "20250202-000000-tools", "tools", 29)
    project.gc("--yes")
    assert project.labels == {"pay", "b", "d"}


def test_keep_days_says_which_runs_are_young(project: Project) -> None:
    project.run_of("a", "20250101-000000-tone", "tone", 8)
    project.run_of("b", "20250102-000000-tone", "tone", 6)
    project.run_of("c", "20250103-000000-tone", "tone", 1)
    project.gc("--yes", "--keep-days", "7")
    assert project.labels == {"pay", "b", "c"}


def test_the_run_that_latest_points_at_keeps_its_records(project: Project) -> None:
    project.run_of("a", "20250101-000000-tone", "tone", 100)
    project.run_of("b", "20250102-000000-tone", "tone", 99)
    os.symlink("20250101-000000-tone", project.own.folder / "outputs" / "runs" / "latest")
    project.gc("--yes")
    assert project.labels == {"pay", "a", "b"}


def test_a_run_that_cannot_be_read_keeps_all_it_names(project: Project) -> None:
    project.own.write("outputs/runs/20250101-000000-tone/run.json", f'{{"key": "{project.records["a"].key}",')
    project.gc("--yes")
    assert project.labels == {"pay", "a"}


def test_a_lock_file_keeps_what_it_names_by_key_or_by_digest(project: Project) -> None:
    lock = {"schema_version": 1, "actions": {"x": {"key": project.records["a"].key}}}
    project.own.write("conf/experiment/mine.lock.json", json.dumps(lock))
    project.own.write("conf/experiment/other.lock.json", json.dumps({"out": project.records["c"].outputs["out"]}))
    project.gc("--yes")
    assert project.labels == {"pay", "a", "c"}


def test_a_lock_file_on_another_branch_or_tag_keeps_what_it_names(project: Project) -> None:
    folder = project.own.folder
    git(folder, "init")
    for label, name in (("a", "one"), ("c", "two"), ("d", "three")):
        project.own.write("conf/experiment/mine.lock.json", json.dumps({"key": project.records[label].key}))
        git(folder, "add", "conf")
        git(folder, "commit", "-m", name)
        if name == "one":
            git(folder, "tag", "-a", "v1", "-m", "v1")
        if name == "two":
            git(folder, "branch", "side")
    git(folder, "rm", "conf/experiment/mine.lock.json")
    git(folder, "commit", "-m", "without")
    project.gc("--yes")
    assert project.labels == {"pay", "a", "c"}


def test_what_was_touched_since_the_oldest_living_build_began_stays(project: Project) -> None:
    store = project.toy.store
    with Session(store.folder):
        (lock,) = (store.folder / "live").iterdir()
        project.age(lock, 0.5)
        project.age(store.manifest_path(project.records["c"].key), 0.4)
        project.gc("--yes")
    assert project.labels == {"pay", "c"}


def test_what_is_younger_than_an_hour_stays(project: Project) -> None:
    store = project.toy.store
    project.age(store.manifest_path(project.records["c"].key), 0.9 / 24)
    project.age(store.manifest_path(project.records["b"].key), 1.1 / 24)
    project.gc("--yes")
    assert project.labels == {"pay", "c"}


def test_in_a_store_that_checkouts_share_all_that_is_young_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "here")
    shared = tmp_path / "shared"
    (shared / "outputs").parent.mkdir()
    os.rename(project.toy.world.store, shared / "outputs")
    monkeypatch.setenv("FTBUILD_STORE", str(shared))
    (path,) = (shared / "outputs" / "records").glob(f"{project.records['c'].key}*")
    project.age(path, 31)
    project.gc("--yes")
    labels = {label for label, each in project.records.items() if (path.parent / f"{each.key}.json").exists()}
    assert labels == {"a", "b", "d", "pay"}
