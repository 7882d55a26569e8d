"""Check a store without changing it: every record, every artifact, every second copy of what was paid for.

Quick: what is there, and has the stat the index remembers, is taken as whole; what the index does not
know is read. Full: everything is read. Knows nothing of jobs and runs: the caller says what was
paid for. A record that gc takes away meanwhile is no damage.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftbuild.digest import of_file, of_value, short
from ftbuild.errors import StoreError
from ftbuild.problem import Problem
from ftbuild.store.contents import Entry, files_below, is_name, leftovers, names_in, paid_keys
from ftbuild.store.store import Record, Store

CHECKED_WHEN_READ = "No build uses it as it is: bytes are checked whenever they are read."
PAID = "It was paid for."


@dataclass(frozen=True)
class Checked:
    """What a check saw. `sound` are the keys of the records that can be read and are what their names say.

    `n_bytes` counts artifacts; `n_orphans` are those that no record names, `n_leftovers` what writes left
    that were cut short: both harmless.
    """

    n_records: int
    n_artifacts: int
    n_bytes: int
    n_orphans: int
    n_leftovers: int
    sound: tuple[str, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Output:
    """One output of one record. `copy` is where its second copy belongs, None where nothing was paid."""

    digest: str
    called: str
    key: str
    command: str
    copy: Path | None
    known: Mapping[str, str]


def check(store: Store, paid_kinds: Collection[str], *, full: bool) -> Checked:
    """Return what is in the store and all that is wrong with it, by path.

    A record was paid for if it is of one of `paid_kinds` or the ledger knows its key.
    """
    ledger, paid = store.folder / "ledger", paid_keys(store.folder)
    problems: list[Problem] = []
    sound: list[str] = []
    outputs: list[_Output] = []
    named: set[str] = set()
    keys = store.keys()
    for key in keys:
        manifest = _manifest(store, key, paid=key in paid)
        if not isinstance(manifest, Problem):
            sound.append(key)
            copies = ledger / key if key in paid or manifest["kind"] in paid_kinds else None
            outputs += _outputs(store, manifest, copies, full)
        elif store.has(key):
            problems.append(manifest)
            named |= names_in(store.manifest_path(key))
    named |= {each.digest for each in outputs}
    artifacts = [entry for entry in files_below(store.folder / "artifacts") if not entry.is_leftover]
    orphans = [entry for entry in artifacts if entry.path.name not in named]
    expected = {each.copy for each in outputs}
    others = [entry for entry in files_below(ledger) if not entry.is_leftover and entry.path not in expected]
    problems += _lost(store, outputs, full)
    problems += _of_orphans(store, orphans, full)
    problems += _of_other_copies(others, full)
    if not store.index.sound():
        why = "Look-ups take longer without it; it holds nothing that the records do not."
        fix = "delete it; the next build makes it anew."
        problems.append(Problem("the index is damaged", str(store.folder / "index.db"), why=why, fix=fix))
    return Checked(
        n_records=len(keys),
        n_artifacts=len(artifacts),
        n_bytes=sum(entry.n_bytes for entry in artifacts),
        n_orphans=len(orphans),
        n_leftovers=len(leftovers(store.folder)),
        sound=tuple(sound),
        problems=tuple(sorted(problems, key=lambda problem: problem.path)),
    )


def is_whole(path: Path) -> bool:
    """Return whether SQLite finds a database whole; one that is not there is. Makes no file beside it."""
    if not path.exists():
        return True
    # Without a log nobody has it open, and only as immutable is it read without making one.
    in_use = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if in_use else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=30)) as database:
            return database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    except sqlite3.Error:
        return False


def _manifest(store: Store, key: str, *, paid: bool) -> dict[str, Any] | Problem:
    """Return the manifest of a key, or what is wrong with it."""
    path = str(store.manifest_path(key))
    if not is_name(key):
        return Problem("is no record: a record is named by its key", path, fix="move it away; nothing needs it.")
    fix = "delete it; its action runs again."
    if paid:
        fix = "delete it; the next build fetches the result of its job again and launches nothing."
    try:
        manifest = store.manifest(key)
    except StoreError as error:
        why = "Every build that needs it stops."
        return replace(error.problems[0], why=why, fix=fix)
    try:
        is_own = manifest["key"] == key == of_value(manifest["preimage"])
    except (ValueError, KeyError):
        is_own = False
    if is_own:
        return manifest
    why = "Its outputs may be those of another action; builds take them for those of this key."
    return Problem("the record does not hold what its key was made from", path, why=why, fix=fix)


def _outputs(store: Store, manifest: Mapping[str, Any], copies: Path | None, full: bool) -> list[_Output]:
    record = Record.from_json(manifest)
    row = None if full else store.index.record(record.key)
    return [
        _Output(
            digest=digest,
            called=f"{name} of {record.label}",
            key=record.key,
            command=manifest.get("command", "the same build"),
            copy=copies / digest if copies is not None else None,
            known=row.outputs if row is not None else {},
        )
        for name, digest in record.outputs.items()
    ]


def _lost(store: Store, outputs: Iterable[_Output], full: bool) -> list[Problem]:
    """Return what is wrong with the outputs of records and with their second copies; each file is told once."""
    problems: dict[str, Problem] = {}
    whole: set[str] = set()
    for each in sorted(outputs, key=lambda output: output.copy is None):  # a paid one knows a better remedy
        path = store.path(each.digest)
        if str(path) in problems and each.copy is None:
            continue
        said = None if each.digest in whole else store.fault(each.digest, each.known)
        if said is None:
            whole.add(each.digest)
        elif not store.has(each.key):
            continue
        n_bytes = None if said or full else path.stat().st_size
        said_of_copy = _fault_of(each.copy, n_bytes) if each.copy is not None else None
        if said is not None:
            problems.setdefault(str(path), _of_artifact(each, path, said, copy_is_whole=said_of_copy is None))
        if each.copy is not None and said_of_copy is not None:
            problems[str(each.copy)] = _of_copy(each, path, said_of_copy, first_is_whole=said is None)
    return list(problems.values())


def _of_artifact(output: _Output, path: Path, said: str, *, copy_is_whole: bool) -> Problem:
    first = "" if said == "is gone" else "delete it; "
    if output.copy is None:
        fix = f"{first}{output.command} makes it anew."
    elif copy_is_whole:
        fix = f"{first}{output.command} mends it from its second copy and launches nothing."
    else:
        fix = f"{first}{output.command} fetches it from the provider again and launches nothing."
    why = CHECKED_WHEN_READ if output.copy is None else PAID
    return Problem(f"{output.called} {said}", str(path), why=why, fix=fix)


def _of_copy(output: _Output, path: Path, said: str, *, first_is_whole: bool) -> Problem:
    assert output.copy is not None
    why = "It mends the first copy without asking the provider."
    fix = f"mkdir -p {output.copy.parent} && cp -f {path} {output.copy}"
    if not first_is_whole:
        fix = "what mends the first copy makes it anew."
    return Problem(f"the second copy of {output.called} {said}", str(output.copy), why=why, fix=fix)


def _of_orphans(store: Store, orphans: Iterable[Entry], full: bool) -> list[Problem]:
    """Return what is wrong with artifacts that no record names: a bad name, and on a full check bad bytes."""
    problems = []
    for path in (entry.path for entry in orphans):
        if not is_name(path.name) or path != store.path(path.name):
            what = "is no artifact: an artifact is named by its digest"
            problems.append(Problem(what, str(path), fix="move it away; nothing needs it."))
        elif full and (said := _fault_of(path)) not in (None, "is gone"):
            what = f"artifact {short(path.name)}, which no record names, {said}"
            problems.append(Problem(what, str(path), fix="delete it; nothing needs it."))
    return problems


def _of_other_copies(others: Iterable[Entry], full: bool) -> list[Problem]:
    """Return what is wrong with second copies whose record is gone."""
    problems = []
    for path in (entry.path for entry in others):
        if not is_name(path.name):
            what = "is no second copy: a second copy is named by its digest"
            problems.append(Problem(what, str(path), fix="move it away; nothing needs it."))
        elif full and (said := _fault_of(path)) is not None:
            what = f"second copy {short(path.name)}, whose record is gone, {said}"
            fix = "delete it; the build that asks for it fetches it from the provider again and launches nothing."
            problems.append(Problem(what, str(path), why=PAID, fix=fix))
    return problems


def _fault_of(path: Path, n_bytes: int | None = None) -> str | None:
    """Return what is wrong with a file named by its digest; with `n_bytes` its size is enough."""
    try:
        whole = path.stat().st_size == n_bytes if n_bytes is not None else of_file(path) == path.name
    except FileNotFoundError:
        return "is gone"
    except OSError:
        return "cannot be read"
    return None if whole else "is damaged"
