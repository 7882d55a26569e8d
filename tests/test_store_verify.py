"""Verify: a whole store is whole, every damaged file is told once with its remedy, and the remedy works."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_fixture import Toy

from ftbuild.problem import Problem
from ftbuild.store.store import Record
from ftbuild.store.verify import Checked, check, is_whole

READ = "No build uses it as it is: bytes are checked whenever they are read."
PAID = "It was paid for."


class Built:
    """A built toy, and where its things lie."""

    def __init__(self, folder: Path) -> None:
        self.toy = Toy(folder)
        done = self.toy.build()
        self.records: dict[str, Record] = {ran.action.label: ran.record for ran in done.ran.values()}
        self.digests = {label: record.outputs["out"] for label, record in self.records.items()}

    def artifact(self, label: str) -> Path:
        return self.toy.store.path(self.digests[label])

    def manifest(self, label: str) -> Path:
        return self.toy.store.manifest_path(self.records[label].key)

    def copy(self) -> Path:
        return self.toy.ledger.folder / self.records["pay"].key / self.digests["pay"]

    def check(self, full: bool = False) -> Checked:
        return check(self.toy.store, (), full=full)


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path)


def spoil(path: Path) -> None:
    """Change a byte as a disk does: size and times stay."""
    stat = path.stat()
    path.chmod(0o644)
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def overwrite(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"something else")


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(each): (each.stat().st_size, each.stat().st_mtime_ns) for each in folder.rglob("*")}


@pytest.mark.parametrize("full", [False, True])
def test_a_whole_store_is_whole_and_nothing_is_written(full: bool, built: Built) -> None:
    before = listing(built.toy.folder)
    keys = tuple(sorted(record.key for record in built.records.values()))
    n_bytes = sum(len(content) for content in (b"a1", b"a1b1", b"a1b1pay1", b"c1", b"a1b1pay1c1d1"))
    assert built.check(full) == Checked(5, 5, n_bytes, 0, 0, keys, ())
    assert listing(built.toy.folder) == before


def test_a_store_that_is_not_there_is_whole(tmp_path: Path) -> None:
    assert check(Toy(tmp_path).store, (), full=True) == Checked(0, 0, 0, 0, 0, (), ())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "said", "first"),
    [(os.unlink, "is gone", ""), (overwrite, "is damaged", "delete it; ")],
)
def test_lost_bytes_are_told_and_the_next_build_makes_them_anew(
    damage: Callable[[Path], None], said: str, first: str, built: Built
) -> None:
    damage(built.artifact("c"))
    fix = f"{first}the same build makes it anew."
    assert built.check().problems == (Problem(f"out of c {said}", str(built.artifact("c")), why=READ, fix=fix),)
    built.toy.build()
    assert (built.toy.ran, built.check().problems) == (["c"], ())


def test_the_remedy_is_the_command_that_made_it_where_the_record_tells(built: Built) -> None:
    manifest = json.loads(built.manifest("c").read_bytes())
    built.manifest("c").write_text(json.dumps({**manifest, "command": "ftbuild +experiment=tone_formal"}))
    built.artifact("c").unlink()
    assert [problem.fix for problem in built.check().problems] == ["ftbuild +experiment=tone_formal makes it anew."]


def test_a_flipped_bit_is_found_by_a_full_check_and_mended_by_its_fix(built: Built) -> None:
    spoil(built.artifact("c"))
    assert built.check().problems == ()
    fix = "delete it; the same build makes it anew."
    assert built.check(full=True).problems == (
        Problem("out of c is damaged", str(built.artifact("c")), why=READ, fix=fix),
    )
    built.artifact("c").unlink()
    built.toy.build()
    assert (built.toy.ran, built.check(full=True).problems) == (["c"], ())


def test_bytes_that_the_index_does_not_know_are_read(built: Built) -> None:
    spoil(built.artifact("c"))
    os.unlink(built.toy.store.folder / "index.db")
    assert [problem.what for problem in built.check().problems] == ["out of c is damaged"]


def test_bytes_that_were_paid_for_are_mended_from_their_second_copy(built: Built) -> None:
    overwrite(built.artifact("pay"))
    fix = "delete it; the same build mends it from its second copy and launches nothing."
    assert built.check().problems == (Problem("out of pay is damaged", str(built.artifact("pay")), why=PAID, fix=fix),)
    built.toy.build()
    assert (built.toy.ran, built.check(full=True).problems) == ([], ())


def test_with_both_copies_gone_both_are_told_and_what_was_paid_for_is_fetched_again(built: Built) -> None:
    built.artifact("pay").unlink()
    built.copy().unlink()
    fix = "the same build fetches it from the provider again and launches nothing."
    why = "It mends the first copy without asking the provider."
    assert built.check().problems == (
        Problem("out of pay is gone", str(built.artifact("pay")), why=PAID, fix=fix),
        Problem(
            "the second copy of out of pay is gone",
            str(built.copy()),
            why=why,
            fix="what mends the first copy makes it anew.",
        ),
    )
    built.toy.build()
    assert (built.toy.ran, built.check(full=True).problems) == (["pay"], ())


@pytest.mark.parametrize(
    ("damage", "said", "full"),
    [(os.unlink, "is gone", False), (overwrite, "is damaged", False), (spoil, "is damaged", True)],
)
def test_a_second_copy_that_is_lost_is_told_with_the_command_that_mends_it(
    damage: Callable[[Path], None], said: str, full: bool, built: Built
) -> None:
    damage(built.copy())
    (problem,) = built.check(full).problems
    fix = f"mkdir -p {built.copy().parent} && cp -f {built.artifact('pay')} {built.copy()}"
    why = "It mends the first copy without asking the provider."
    assert problem == Problem(f"the second copy of out of pay {said}", str(built.copy()), why=why, fix=fix)
    assert os.system(problem.fix) == 0
    assert built.check(full=True).problems == ()


def test_a_quick_check_does_not_read_second_copies(built: Built) -> None:
    spoil(built.copy())
    assert built.check().problems == ()


def test_a_paid_record_without_ledger_misses_its_second_copy(built: Built) -> None:
    for path in built.toy.ledger.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    built.copy().parent.rmdir()
    assert [problem.what for problem in check(built.toy.store, ("pay",), full=False).problems] == [
        "the second copy of out of pay is gone"
    ]


def test_bytes_of_a_paid_and_a_free_record_are_told_once_with_the_better_remedy(tmp_path: Path) -> None:
    built = Built(tmp_path)
    built.toy.texts = {**built.toy.texts, "c": "a1b1pay1"}  # c and pay make the same bytes
    built.toy.build()
    built.artifact("pay").unlink()
    fix = "the same build mends it from its second copy and launches nothing."
    assert built.check().problems == (Problem("out of pay is gone", str(built.artifact("pay")), why=PAID, fix=fix),)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"type": "ftbuild.record.v9"}', b"\xff"])
def test_a_record_that_cannot_be_read_is_told_and_its_action_runs_again(content: bytes, built: Built) -> None:
    built.manifest("c").write_bytes(content)
    checked = built.check()
    assert checked.problems == (
        Problem(
            "the record cannot be read",
            str(built.manifest("c")),
            why="Every build that needs it stops.",
            fix="delete it; its action runs again.",
        ),
    )
    assert built.records["c"].key not in checked.sound
    built.manifest("c").unlink()
    built.toy.build()
    assert (built.toy.ran, built.check().problems) == (["c"], ())


def test_the_remedy_of_a_paid_record_says_that_nothing_is_launched(built: Built) -> None:
    built.manifest("pay").write_bytes(b"{")
    fix = "delete it; the next build fetches the result of its job again and launches nothing."
    assert [problem.fix for problem in built.check().problems] == [fix]


@pytest.mark.parametrize("field", ["preimage", "key"])
def test_a_record_that_is_not_what_its_name_says_is_told(field: str, built: Built) -> None:
    manifest = json.loads(built.manifest("c").read_bytes())
    manifest[field] = {"preimage": {**manifest["preimage"], "version": 2}, "key": "0" * 64}[field]
    built.manifest("c").write_text(json.dumps(manifest))
    assert built.check().problems == (
        Problem(
            "the record does not hold what its key was made from",
            str(built.manifest("c")),
            why="Its outputs may be those of another action; builds take them for those of this key.",
            fix="delete it; its action runs again.",
        ),
    )


def test_what_does_not_belong_in_a_store_is_told(built: Built) -> None:
    store = built.toy.store
    strays = {
        store.folder / "records" / "notes.json": "is no record: a record is named by its key",
        store.folder / "artifacts" / "ab" / "notes": "is no artifact: an artifact is named by its digest",
        store.folder / "artifacts" / "ab" / ("c" * 64): "is no artifact: an artifact is named by its digest",
        built.copy().with_name("notes"): "is no second copy: a second copy is named by its digest",
    }
    for path in strays:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"{}")
    assert built.check().problems == tuple(
        Problem(what, str(path), fix="move it away; nothing needs it.") for path, what in sorted(strays.items())
    )


def test_orphans_and_leftovers_are_counted_and_no_damage(built: Built) -> None:
    orphan = built.toy.store.put(b"orphan")
    (built.toy.store.path(orphan).parent / ".tmp-abc").write_bytes(b"half")
    (built.toy.store.folder / "records" / ".tmp-def").write_bytes(b"half")
    for full in (False, True):
        checked = built.check(full)
        assert (checked.n_artifacts, checked.n_orphans, checked.n_leftovers, checked.problems) == (6, 1, 2, ())


def test_a_full_check_reads_what_no_record_names_too(built: Built) -> None:
    orphan = built.toy.store.put(b"orphan")
    spoil(built.toy.store.path(orphan))
    spoil(built.copy())
    built.manifest("pay").unlink()
    assert built.check().problems == ()
    told = {problem.path: (problem.what, problem.fix) for problem in built.check(full=True).problems}
    assert told == {
        str(built.toy.store.path(orphan)): (
            f"artifact {orphan[:12]}, which no record names, is damaged",
            "delete it; nothing needs it.",
        ),
        str(built.copy()): (
            f"second copy {built.digests['pay'][:12]}, whose record is gone, is damaged",
            "delete it; the build that asks for it fetches it from the provider again and launches nothing.",
        ),
    }


def test_artifacts_of_a_record_that_cannot_be_read_are_no_orphans(built: Built) -> None:
    manifest = json.loads(built.manifest("c").read_bytes())
    built.manifest("c").write_text(json.dumps({**manifest, "type": "ftbuild.record.v9"}))
    assert built.check().n_orphans == 0


def test_a_damaged_index_is_told_and_builds_go_on_without_it(built: Built) -> None:
    index = built.toy.store.folder / "index.db"
    index.write_bytes(b"no database" * 100)
    assert built.check().problems == (
        Problem(
            "the index is damaged",
            str(index),
            why="Look-ups take longer without it; it holds nothing that the records do not.",
            fix="delete it; the next build makes it anew.",
        ),
    )


def test_a_database_is_looked_at_without_leaving_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    assert is_whole(path)
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE call (digest TEXT PRIMARY KEY, answer TEXT)")
    database.executemany("INSERT INTO call VALUES (?, ?)", [(str(n), "x" * 1000) for n in range(100)])
    database.commit()
    assert is_whole(path)  # while it is open elsewhere
    database.close()
    assert is_whole(path)
    assert [each.name for each in tmp_path.iterdir()] == ["calls.db"]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert not is_whole(path)
    assert [each.name for each in tmp_path.iterdir()] == ["calls.db"]
