"""Every effect of a build, made to fail in turn: the build ends in order, the store stays whole, nothing is paid twice.

The loop of SQLite's tests: n = 1, 2, 3 ... until the build no longer comes to its n-th effect.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count, cycle
from pathlib import Path

import failpoints
import pytest
from failpoints import KILLED, Ended, Fault
from paying_fixture import Paying, Short, folder_in_memory
from project_fixture import Project, project_in
from rehearsal_fixture import PINNED, REHEARSED, artifacts, state, stop_server

from ftbuild import workers
from ftbuild.cli import dispatch
from ftbuild.errors import ExitCode, FtbuildError
from ftbuild.ledger.journal import journals
from ftbuild.store.verify import check

FAULTS: tuple[Fault, ...] = ("broken", "full", "killed")
EVERY = 71
AT_LEAST = {Short: 90, Paying: 200}
ALONE = (*REHEARSED, "--jobs", "1")  # a pool cannot be started in a forked child


@pytest.fixture
def in_memory() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


def build(toy: Paying) -> int:
    """Return the exit code that the command line would give."""
    try:
        toy.build_on()
    except FtbuildError as error:
        return int(error.exit_code)
    return int(ExitCode.DONE)


def outputs(toy: Paying) -> dict[str, bytes]:
    """Return the bytes of every action; all of them must have their record."""
    return {
        each.action.label: toy.store.get(each.record.outputs["out"]) for each in toy.plan() if each.record is not None
    }


def problems(toy: Paying, *, leftovers: bool) -> list[str]:
    """Return what is wrong with the store; leftovers count unless they are allowed."""
    checked = check(toy.store, ("pay",), full=True)
    told = [str(problem) for problem in checked.problems]
    for journal in journals(toy.ledger.folder):
        journal.state()  # raises where a line cannot be read
    return told if leftovers or not checked.n_leftovers else [*told, f"{checked.n_leftovers} leftovers"]


@pytest.mark.parametrize(
    ("kind", "fault", "every"),
    [
        (Short, "killed", 8),
        (Short, "broken", 10),
        (Short, "full", 10),
        pytest.param(Short, "killed", 1, marks=pytest.mark.slow),
        pytest.param(Short, "broken", 2, marks=pytest.mark.slow),
        pytest.param(Short, "full", 2, marks=pytest.mark.slow),
        *(pytest.param(Paying, fault, 3, marks=pytest.mark.slow) for fault in FAULTS),
    ],
)
def test_whatever_effect_fails_the_store_is_whole_and_the_next_build_ends_well(
    kind: type[Paying], fault: Fault, every: int, in_memory: Path
) -> None:
    reference = kind(in_memory / "reference")
    assert build(reference) == 0
    expected = outputs(reference)
    codes: Counter[int] = Counter()
    for n in count(1, every):
        folder = in_memory / "struck"
        ended = failpoints.run(partial(build, kind(folder)), n, fault)
        if not ended.struck:
            break
        said = f"{fault} at {n}, {ended.struck}: {ended.code} {ended.raised}"
        allowed = {KILLED} if fault == "killed" else {int(ExitCode.DONE), int(ExitCode.FAILED)}
        assert ended.code in allowed, said
        codes[ended.code] += 1
        assert problems(kind(folder), leftovers=fault == "killed") == [], said
        assert build(kind(folder)) == 0, said
        assert outputs(kind(folder)) == expected, said
        assert problems(kind(folder), leftovers=fault == "killed") == [], said
        assert list(kind(folder).launches().values()) == [1], said
        shutil.rmtree(folder)
    n_points = sum(codes.values())
    print(f"\n{fault}, {kind.__name__}: {n_points} points, exit codes {dict(codes)}")
    assert n_points * every >= AT_LEAST[kind]


@pytest.mark.slow
def test_the_command_ends_in_order_wherever_the_whole_experiment_is_struck(tmp_path: Path, cache: Path) -> None:
    codes: Counter[str] = Counter()
    for n, fault in zip(count(1, EVERY), cycle(FAULTS), strict=False):
        with project_in(tmp_path / str(n), cache) as project:
            try:
                ended, err = command(project, *ALONE, n=n, fault=fault)
                if not ended.struck:
                    break
                said = f"{fault} at {n}, {ended.struck}: {ended.code} {ended.raised}{err}"
                assert ended.code in ((KILLED,) if fault == "killed" else (0, 4, 5)), said
                assert "Traceback" not in err, said
                codes[f"{fault} {ended.code}"] += 1
                for arguments in (("verify", "--full", "--smoke"), ALONE, ("verify", "--full", "--smoke")):
                    after, err = command(project, *arguments)
                    assert after.code == 0, f"{said}\n{err}"
                assert artifacts(project) == PINNED, said
                assert len(list((state(project) / "jobs").iterdir())) == 1, said
            finally:
                stop_server(project)
    print(f"\nthe whole experiment, struck at every {EVERY}th of its effects up to the {n}th: {dict(codes)}")
    assert sum(codes.values()) >= 10


def command(project: Project, *arguments: str, n: int = 0, fault: Fault = "killed") -> tuple[Ended, str]:
    """Run a command in a child, with the pure actions in it so that their effects count; return what it said too."""
    err = project.folder / "err"
    err.write_text("")

    def work() -> int:
        os.chdir(project.folder)
        os.environ.update(project.environment)
        handle = os.open(err, os.O_WRONLY | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        workers.Processes = lambda _n: workers.Inline()  # type: ignore[assignment,misc]
        return dispatch.run(arguments)

    return failpoints.run(work, n, fault), err.read_text()
