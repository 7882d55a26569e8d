"""`ftbuild gc`: say what nobody needs in the store, and delete it with --yes.

Needed is what is named by a young run, by the newest run of each experiment, by `latest`, or by a lock
file in the work tree or at the tip of any git ref; what was paid for; and what was touched since the
oldest build that lives now began, or in the last hour. A store that checkouts share (FTBUILD_STORE) is
used by runs that are not seen from here, so there everything touched within --keep-days is spared too.
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ftbuild.cli.build import world_of
from ftbuild.cli.options import Options
from ftbuild.cli.verify import PAID_KINDS, counted, megabytes
from ftbuild.errors import ExitCode
from ftbuild.report.words import cost, duration
from ftbuild.store.collect import Garbage, mark, summed, sweep
from ftbuild.store.contents import names, names_in
from ftbuild.store.locks import live_since, using
from ftbuild.store.place import refuse_network
from ftbuild.store.store import Store
from ftbuild.world import World

KEEP_DAYS = 30
DAY, HOUR = 86_400.0, 3_600.0
CLOCK_SECONDS = 1.0  # file systems stamp times a little late
LOCK_FILE = ".lock.json"
CALLED = {"leftovers": "leftover", "damaged": "damaged file"}


def gc(options: Options) -> int:
    """Print what would be deleted and what it would take to make again; with --yes delete it."""
    world = world_of(options)
    keep_days = options.keep_days or KEEP_DAYS
    store = Store(world.store)
    garbage = Garbage()
    if store.folder.exists():
        roots = _of_runs(world.outputs / "runs", world.now() - keep_days * DAY) | _of_lock_files(world.root)
        if options.yes:
            refuse_network(store.folder)
            with using(store.folder, alone=True):
                garbage = mark(store, roots, PAID_KINDS, _since(world, keep_days))
                sweep(store, garbage)
        else:
            garbage = mark(store, roots, PAID_KINDS, _since(world, keep_days))
    if options.format == "json":
        print(json.dumps(_contract(garbage, keep_days, deleted=options.yes), indent=1))
    else:
        print("\n".join(_said(garbage, options)))
    return int(ExitCode.DONE)


def _since(world: World, keep_days: int) -> float:
    """Return from when on (seconds since 1970) everything touched is spared."""
    shared = "FTBUILD_STORE" in world.environment
    spared = world.now() - (keep_days * DAY if shared else HOUR)
    began = live_since(world.store)
    return spared if began is None else min(spared, began - CLOCK_SECONDS)


def _of_runs(folder: Path, since: float) -> frozenset[str]:
    """Return what is named by the runs that began after `since`, the newest of each experiment, and `latest`.

    A run that cannot be read may need all that it names.
    """
    found = names_in(folder / "latest" / "run.json")
    seen: set[str] = set()
    paths = [path for path in folder.glob("*/run.json") if not path.parent.is_symlink()]
    for path in sorted(paths, reverse=True):
        try:
            run = json.loads(path.read_bytes())
            experiment, began = str(run["experiment"]), datetime.fromisoformat(run["started_at"]).timestamp()
        except (OSError, ValueError, KeyError, TypeError):
            found |= names_in(path)
            continue
        if began >= since or experiment not in seen:
            found |= names_in(path)
        seen.add(experiment)
    return found


def _of_lock_files(root: Path) -> frozenset[str]:
    """Return what is named by the lock files of the experiments: in the work tree, and in git at every ref."""
    found: frozenset[str] = frozenset()
    for path in (root / "conf" / "experiment").glob(f"*{LOCK_FILE}"):
        found |= names_in(path)
    for content in _in_git(root):
        found |= names(content)
    return found


def _in_git(root: Path) -> Iterator[bytes]:
    """Yield every lock file of the project at the tips of all refs, each content once; none without git."""
    tips = {"HEAD", *_git(root, "for-each-ref", "--format=%(objectname)").decode().split()}
    blobs: set[str] = set()
    for tip in tips:
        for entry in _git(root, "ls-tree", "-r", "-z", tip).decode(errors="replace").split("\0"):
            about, _, path = entry.partition("\t")
            if path.endswith(LOCK_FILE):
                blobs.add(about.split()[2])
    for blob in sorted(blobs):
        yield _git(root, "cat-file", "blob", blob)


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return b""
    return done.stdout if done.returncode == 0 else b""


def _contract(garbage: Garbage, keep_days: int, *, deleted: bool) -> dict[str, object]:
    return {
        "schema_version": 1,
        "deleted": deleted,
        "keep_days": keep_days,
        **{
            name: {"n": len(entries), "n_bytes": sum(entry.n_bytes for entry in entries)}
            for name, entries in garbage.parts.items()
        },
        "n_bytes": garbage.n_bytes,
        "again": {
            "seconds": round(sum(each.seconds for each in garbage.again.values()), 3),
            "cost_usd": summed(each.cost_usd for each in garbage.again.values()),
            "kinds": {
                kind: {"n": each.n, "seconds": round(each.seconds, 3), "cost_usd": each.cost_usd}
                for kind, each in garbage.again.items()
            },
        },
        "kept": {
            "n_records": garbage.n_records_kept,
            "n_artifacts": garbage.n_artifacts_kept,
            "n_bytes": garbage.n_bytes_kept,
        },
    }


def _said(garbage: Garbage, options: Options) -> list[str]:
    """Return what is said to people: what goes, what making it again would take, what stays."""
    stays = ", ".join(
        (
            counted(garbage.n_records_kept, "record"),
            counted(garbage.n_artifacts_kept, "artifact"),
            megabytes(garbage.n_bytes_kept),
        )
    )
    going = [
        counted(len(entries), CALLED.get(name, name.removesuffix("s")))
        for name, entries in garbage.parts.items()
        if entries
    ]
    if not going:
        return [f"Nothing to delete. Kept: {stays}."]
    lines = [f"{'Deleted' if options.yes else 'Would go'}: {', '.join(going)}: {megabytes(garbage.n_bytes)}."]
    if garbage.again:
        kinds = ", ".join(f"{each.n:,} {kind} {duration(each.seconds)}" for kind, each in garbage.again.items())
        seconds = sum(each.seconds for each in garbage.again.values())
        cost_usd = summed(each.cost_usd for each in garbage.again.values())
        lines.append(f"To make it again: {duration(seconds)} ({kinds}), {cost(cost_usd)}.")
    lines.append(f"Kept: {stays}; with it all that was paid for, and every cached call.")
    if not options.yes:
        days = ["--keep-days", str(options.keep_days)] if options.keep_days is not None else []
        lines.append(f"Do it: {' '.join(['ftbuild', 'gc', '--yes', *days, *(['--smoke'] if options.smoke else [])])}")
    return lines
