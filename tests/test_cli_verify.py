"""`ftbuild verify`: one line when all is well, every damaged file with its remedy, JSON, and statements for others."""

import json
import os
import re
from pathlib import Path

import pytest
from config_fixture import Ended, Own
from toy_fixture import Toy

from ftbuild.digest import of_file
from ftbuild.evaluate.calls import Calls
from ftbuild.store.store import Record

RUN = {
    "schema_version": 1,
    "run_id": "20261101-000000-tone",
    "result_id": "0" * 64,
    "experiment": "tone",
    "overrides": [],
    "started_at": "2026-11-01T00:00:00Z",
    "seconds": 1.0,
    "cost_usd": 0,
    "actions": [],
    "dataset": {"digest": "0" * 64, "counts": {}},
    "jobs": [],
    "metrics": [],
    "goal": [],
    "verdict": None,
    "ending": None,
}


class Project(Own):
    """A built toy with what a build leaves beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        object.__setattr__(self, "toy", Toy(folder))

    toy: Toy

    def built(self) -> dict[str, Record]:
        records = {ran.action.label: ran.record for ran in self.toy.build().ran.values()}
        Calls(self.toy.world.store / "calls.db").close()
        self.write("outputs/runs/20261101-000000-tone/run.json", json.dumps(RUN))
        os.symlink("20261101-000000-tone", self.folder / "outputs" / "runs" / "latest")
        return records

    def verify(self, *options: str) -> Ended:
        ended = self.run("verify", *options)
        return Ended(ended.code, re.sub(r"\d\.\d s$", "0.1 s", ended.out, flags=re.M), ended.err)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("options", [(), ("--full",)])
def test_a_whole_store_is_one_line_and_nothing_is_written(options: tuple[str, ...], project: Project) -> None:
    project.built()
    before = {path: path.lstat().st_mtime_ns for path in project.folder.rglob("*")}
    said = "All is well: 5 records, 5 artifacts, 0.0 MB.     0.1 s\n"
    assert project.verify(*options) == Ended(0, said, "")
    assert {path: path.lstat().st_mtime_ns for path in project.folder.rglob("*")} == before


def test_where_nothing_was_built_all_is_well(project: Project) -> None:
    assert project.verify() == Ended(0, "All is well: 0 records, 0 artifacts, 0.0 MB.     0.1 s\n", "")
    assert list(project.folder.iterdir()) == []


def test_damage_is_told_with_its_remedy_and_is_exit_code_5(project: Project) -> None:
    records = project.built()
    digest = records["c"].outputs["out"]
    project.toy.store.path(digest).unlink()
    said = (
        f"outputs/.ftbuild/artifacts/{digest[:2]}/{digest}: out of c is gone\n"
        "    No build uses it as it is: bytes are checked whenever they are read.\n"
        "    Fix: the same build makes it anew.\n\n"
        "1 problem in 5 records, 4 artifacts, 0.0 MB.     0.1 s\n"
    )
    assert project.verify() == Ended(5, said, "")


def test_a_line_of_a_journal_that_cannot_be_read_is_told(project: Project) -> None:
    key = project.built()["pay"].key
    journal = project.toy.ledger.folder / f"{key}.jsonl"
    journal.write_bytes(journal.read_bytes() + b"{\n")
    ended = project.verify()
    assert (ended.code, ended.out.partition("\n")[0]) == (
        5,
        f"outputs/.ftbuild/ledger/{key}.jsonl:3: the journal of a paid job cannot be read: this line is damaged",
    )


def test_damaged_cached_calls_are_told(project: Project) -> None:
    project.built()
    (project.toy.world.store / "calls.db").write_bytes(b"no database" * 100)
    said = (
        "outputs/.ftbuild/calls.db: the cached calls are damaged\n"
        "    It holds the answers that were asked for already; without it they are asked for, and paid, again.\n"
        "    Fix: delete it, if no copy of it is at hand.\n\n"
        "1 problem in 5 records, 5 artifacts, 0.0 MB.     0.1 s\n"
    )
    assert project.verify() == Ended(5, said, "")


@pytest.mark.parametrize("content", ["{", "[]", '{"run_id": "x"}'])
def test_a_run_that_cannot_be_read_is_told(content: str, project: Project) -> None:
    project.built()
    project.write("outputs/runs/20261101-000000-tone/run.json", content)
    said = (
        "outputs/runs/20261101-000000-tone/run.json: the run cannot be read\n"
        "    Fix: delete outputs/runs/20261101-000000-tone; the build that wrote it writes it again from the store.\n\n"
        "1 problem in 5 records, 5 artifacts, 0.0 MB.     0.1 s\n"
    )
    assert project.verify() == Ended(5, said, "")


def test_what_is_harmless_is_said_in_the_same_line(project: Project) -> None:
    project.built()
    project.toy.store.put(b"orphan")
    project.write("outputs/.ftbuild/records/.tmp-1", "half")
    project.write("outputs/.ftbuild/records/.tmp-2", "half")
    said = (
        "All is well: 5 records, 6 artifacts, 0.0 MB. "
        "Harmless: 1 artifact that no record names and 2 leftovers of writes cut short; ftbuild gc collects them."
        "     0.1 s\n"
    )
    assert project.verify() == Ended(0, said, "")


def test_json_tells_all_problems(project: Project) -> None:
    records = project.built()
    project.toy.store.path(records["c"].outputs["out"]).unlink()
    ended = project.run("verify", "--format", "json")
    told = json.loads(ended.out)
    digest = records["c"].outputs["out"]
    assert (ended.code, told.pop("seconds") < 60) == (5, True)
    assert told == {
        "schema_version": 1,
        "full": False,
        "n_records": 5,
        "n_artifacts": 4,
        "n_bytes": 26,
        "n_orphans": 0,
        "n_leftovers": 0,
        "n_statements": None,
        "problems": [
            {
                "path": f"outputs/.ftbuild/artifacts/{digest[:2]}/{digest}",
                "line": None,
                "message": "out of c is gone",
                "why": "No build uses it as it is: bytes are checked whenever they are read.",
                "fix": "the same build makes it anew.",
            }
        ],
    }


def test_attest_writes_a_statement_for_every_sound_record(project: Project) -> None:
    records = project.built()
    project.toy.store.manifest_path(records["c"].key).write_bytes(b"{")
    ended = project.verify("--attest", "provenance")
    assert (ended.code, ended.out.splitlines()[-1]) == (5, "4 statements: provenance")
    sound = {record.key for label, record in records.items() if label != "c"}
    written = {path.name: json.loads(path.read_bytes()) for path in (project.folder / "provenance").iterdir()}
    assert written.keys() == {f"{key}.intoto.json" for key in sound}
    key = records["d"].key
    predicate = written[f"{key}.intoto.json"]["predicate"]
    assert predicate["runDetails"]["byproducts"][0]["digest"] == {
        "sha256": of_file(project.toy.store.manifest_path(key))
    }


def test_the_store_of_smoke_runs_is_another(project: Project) -> None:
    project.built()
    assert project.verify("--smoke").out == "All is well: 0 records, 0 artifacts, 0.0 MB.     0.1 s\n"
