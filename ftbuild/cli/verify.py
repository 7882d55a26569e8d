"""`ftbuild verify`: check what outputs/ holds, and export where it comes from. Repairs nothing."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ftbuild.cli.build import world_of
from ftbuild.cli.options import Options
from ftbuild.digest import of_file
from ftbuild.errors import ExitCode, StoreError
from ftbuild.history import listed
from ftbuild.ledger.journal import journals
from ftbuild.plan.action import KINDS
from ftbuild.problem import Problem, render
from ftbuild.report.words import duration
from ftbuild.store import attest, durable
from ftbuild.store.store import Store
from ftbuild.store.verify import Checked, check, is_whole
from ftbuild.world import World

PAID_KINDS = tuple(name for name, kind in KINDS.items() if kind.contract == "paid")


def verify(options: Options) -> int:
    """Print what is there and all that is damaged; 5 if anything is. With --attest also write a statement a record."""
    world = world_of(options)
    started = world.now()
    store = Store(Path(os.path.relpath(world.store)))
    checked = check(store, PAID_KINDS, full=options.full)
    problems = [
        *checked.problems,
        *_of_journals(store.folder / "ledger"),
        *_of_calls(store.folder / "calls.db"),
        *_of_runs(world),
    ]
    attested = _attest(store, checked.sound, Path(options.attest)) if options.attest is not None else None
    seconds = world.now() - started
    if options.format == "json":
        print(json.dumps(_contract(checked, problems, attested, seconds, full=options.full), indent=1))
    else:
        if problems:
            print(render(problems) + "\n")
        print(_said(checked, len(problems), seconds))
        if attested is not None:
            print(f"{counted(attested, 'statement')}: {options.attest}")
    return int(ExitCode.FAILED if problems else ExitCode.DONE)


def _of_journals(ledger: Path) -> Iterator[Problem]:
    for journal in journals(ledger):
        try:
            journal.state()
        except StoreError as error:
            yield from error.problems


def _of_calls(path: Path) -> Iterator[Problem]:
    if not is_whole(path):
        why = "It holds the answers that were asked for already; without it they are asked for, and paid, again."
        fix = "delete it, if no copy of it is at hand."
        yield Problem("the cached calls are damaged", str(path), why=why, fix=fix)


def _of_runs(world: World) -> Iterator[Problem]:
    """Yield the runs whose run.json cannot be read."""
    return (replace(problem, why="", severity="error") for problem in listed(world)[1])


def _attest(store: Store, keys: Sequence[str], folder: Path) -> int:
    """Write the statement of every sound record; return how many.

    Raises:
        StoreError: a file cannot be written.
    """
    for key in keys:
        content = attest.statement(store.manifest(key), of_file(store.manifest_path(key)))
        text = json.dumps(content, ensure_ascii=False, indent=1)
        durable.write(folder / attest.file_name(key), f"{text}\n".encode())
    return len(keys)


def _contract(
    checked: Checked, problems: Sequence[Problem], attested: int | None, seconds: float, *, full: bool
) -> dict[str, object]:
    return {
        "schema_version": 1,
        "full": full,
        "n_records": checked.n_records,
        "n_artifacts": checked.n_artifacts,
        "n_bytes": checked.n_bytes,
        "n_orphans": checked.n_orphans,
        "n_leftovers": checked.n_leftovers,
        "n_statements": attested,
        "seconds": round(seconds, 3),
        "problems": [
            {"path": each.path, "line": each.line, "message": each.what, "why": each.why, "fix": each.fix}
            for each in problems
        ],
    }


def _said(checked: Checked, n_problems: int, seconds: float) -> str:
    """Return one line: what was looked at, and how it is."""
    there = ", ".join(
        (counted(checked.n_records, "record"), counted(checked.n_artifacts, "artifact"), megabytes(checked.n_bytes))
    )
    harmless = [
        *([f"{counted(checked.n_orphans, 'artifact')} that no record names"] if checked.n_orphans else []),
        *([f"{counted(checked.n_leftovers, 'leftover')} of writes cut short"] if checked.n_leftovers else []),
    ]
    gc = f" Harmless: {' and '.join(harmless)}; ftbuild gc collects them." if harmless else ""
    how = f"{counted(n_problems, 'problem')} in" if n_problems else "All is well:"
    return f"{how} {there}.{gc}     {duration(seconds)}"


def counted(n: int, one: str) -> str:
    """Return a number of things: `1 record`, `1,204 records`."""
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def megabytes(n_bytes: int) -> str:
    """Return a size: `1,204.5 MB`."""
    return f"{n_bytes / 1e6:,.1f} MB"
