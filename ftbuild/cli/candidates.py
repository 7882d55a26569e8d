"""What can stand at the cursor of a half-typed command line, for shells that complete.

Read from the tables of verbs and options, from the config trees and from outputs/. Asked at every press of a key, so
nothing slow is imported, and a file that cannot be read is passed over in silence. A word that ends in `=` or `.`
goes on behind it; keys of settings are offered one level at a time.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from ftbuild.cli.help import OPTIONS
from ftbuild.cli.options import CHOICES, SHORT, VALUED
from ftbuild.cli.verbs import ALWAYS, VERBS, Verb
from ftbuild.errors import StoreError
from ftbuild.rules.pack import PACKS
from ftbuild.trees import GROUPS, experiments, find_root, group_options, trees
from ftbuild.world import World

SHELLS = ("bash", "zsh", "fish")
FIRST_VERB = "build"  # what no verb means
CHOSEN_ALONE = tuple(group for group in GROUPS if group not in ("experiment", "source", "schema"))
MOUNTED = re.compile(r"(\w+)@([\w.]+)\s*:\s*(\w+)")
LIST_ITEM = re.compile(r"\.\d+(\.|$)")
NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Candidate:
    """A whole word that can stand at the cursor, and what it is."""

    word: str
    about: str = ""


def candidates(before: Sequence[str], current: str, folder: Path) -> list[Candidate]:
    """Return what `current` can become, in the order of the tables; `before` are the words between it and ftbuild."""
    verb = before[0] if before and before[0] in VERBS else FIRST_VERB
    known = VERBS[verb]
    root = find_root(folder)
    option = SHORT.get(before[-1], before[-1]) if before else ""
    named, equals, _ = current.partition("=")
    if option in VALUED:
        found = _values(option, known, root)
    elif current.startswith("-") and equals:
        found = _prefixed(f"{named}=", _values(named, known, root))
    elif current.startswith("-"):
        found = [Candidate(name, _said(name)) for name in (*known.options, *ALWAYS)]
    else:
        found = [Candidate(name, each.what) for name, each in VERBS.items()] if not before else []
        found += _names(verb, before, root)
        found += _overrides(current, root) if "--multirun" in known.options or verb == "adopt" else []
    return [each for each in found if each.word.startswith(current)]


def _values(option: str, known: Verb, root: Path) -> list[Candidate]:
    """Return what an option of ours takes; nothing for files and numbers."""
    if option == "--format":
        return [Candidate(each) for each in known.formats]
    if option == "--experiment":
        return _described(experiments(root))
    if option == "--provider":
        return [Candidate(name, each.source) for name, each in PACKS.items()]
    return [Candidate(each) for each in CHOICES.get(option, ())]


def _said(option: str) -> str:
    """Return what --help says of an option."""
    return next((said for names, said in OPTIONS if option in re.split(r"[ ,]+", names)), "")


def _names(verb: str, before: Sequence[str], root: Path) -> list[Candidate]:
    """Return the names that the verb takes at this place: points, runs, jobs, sources or shells."""
    given = [
        word
        for earlier, word in pairwise(before)
        if SHORT.get(earlier, earlier) not in VALUED and "=" not in word and not word.startswith(("-", "+", "~"))
    ]
    wanted = VERBS[verb].words.split()[len(given) :]
    match wanted[:1]:
        case ["RUN" | "POINT" as what]:
            best = _best(World.at(root)) if what == "POINT" else []
            return [*best, *(each for each in _runs(World.at(root)) if each.word not in given)]
        case ["JOB"]:
            return list(_jobs(verb, root))
        case ["SOURCE|PATH:LINE"]:
            return _sources(World.at(root))
        case ["stored_completions"]:
            return [Candidate("stored_completions", "chat completions asked for with store=True")]
        case ["SHELL"]:
            return [Candidate(each) for each in SHELLS]
    return []


def _sources(world: World) -> list[Candidate]:
    """Return the sources that were ever read here, with their files."""
    from ftbuild.descent import sources_named
    from ftbuild.store.store import Store

    return [Candidate(name, path) for name, path in sources_named(Store(world.store)).items()]


def _runs(world: World) -> Iterator[Candidate]:
    """Yield the finished runs, newest first."""
    from ftbuild.report.words import headline

    for path in sorted((world.outputs / "runs").glob("*/run.json"), reverse=True):
        if not path.parent.is_symlink():
            with suppress(OSError, ValueError, KeyError, TypeError):
                yield Candidate(path.parent.name, headline(json.loads(path.read_bytes())))


def _best(world: World) -> list[Candidate]:
    """Return the best of the newest sweep, if it has one."""
    from ftbuild.sweep_report import latest

    sweep = latest(world)
    return [Candidate("best", f"of {sweep.name}: {sweep.points[sweep.best - 1].name}")] if sweep and sweep.best else []


def _jobs(verb: str, root: Path) -> Iterator[Candidate]:
    """Yield the jobs with which the verb can do something."""
    from ftbuild.ledger.journal import journals

    world = World.at(root)
    for place in (world, replace(world, outputs=world.outputs / "smoke")):
        for journal in journals(place.store / "ledger"):
            with suppress(StoreError):
                state = journal.state()
                wanted = state.ended_badly if verb == "retry" else state.phase == "running" and verb != "adopt"
                if state.job_id and wanted:
                    yield Candidate(state.job_id, f"{state.asked.experiment}: {state.status}")


def _overrides(current: str, root: Path) -> list[Candidate]:
    """Return what Hydra's grammar allows: an experiment, an option of a group, the key of a setting."""
    mark = current[: len(current) - len(current.lstrip("+~"))]
    key, equals, value = current.removeprefix(mark).partition("=")
    if equals:
        group = key.partition("@")[0]
        earlier = value[: value.rfind(",") + 1]
        return _prefixed(f"{mark}{key}={earlier}", _described(group_options(root, group))) if group in GROUPS else []
    level = key.rpartition(".")[0]
    found = list(_keys(level, mark, root))
    if not level and "~" not in mark:
        plus = "" if current and "experiment=".startswith(current) else "+"
        found.insert(0, Candidate(f"{plus}experiment=", ", ".join(experiments(root))))
        found += [Candidate(f"{mark}{group}=", ", ".join(group_options(root, group))) for group in CHOSEN_ALONE]
    return found


def _keys(level: str, mark: str, root: Path) -> Iterator[Candidate]:
    """Yield the keys right under the key `level`, a dot behind those that have keys of their own."""
    above = f"{level}." if level else ""
    places = dict(_written(level.partition(".")[0], root))
    names = dict.fromkeys(key.removeprefix(above).partition(".")[0] for key in places if key.startswith(above))
    for name in filter(NAME.fullmatch, names):
        key = f"{above}{name}"
        if not any(each.startswith(f"{key}.") for each in places) and key not in CHOSEN_ALONE:
            yield Candidate(f"{mark}{key}{'' if '~' in mark else '='}", places.get(key, ""))
            continue
        if "~" in mark and level:
            yield Candidate(f"{mark}{key}", places.get(key, ""))
        yield Candidate(f"{mark}{key}.")


def _written(top: str, root: Path) -> Iterator[tuple[str, str]]:
    """Yield every key that some file writes under `top`, with its place; for "" the topmost keys of all."""
    yield from ((group, "") for group in CHOSEN_ALONE)
    found = list(reversed(trees(root)))
    experiment_files = [path for tree in found for path in sorted(tree.glob("experiment/*.yaml"))]
    files = [*((tree / "config.yaml", "") for tree in found), *((path, "") for path in experiment_files)]
    if top:
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in experiment_files]
        mounted = sorted({each.groups() for text in texts for each in MOUNTED.finditer(text)})
        files += [(path, top) for tree in found for path in sorted(tree.glob(f"{top}/*.yaml"))]
        files += [(tree / group / f"{name}.yaml", place) for group, place, name in mounted for tree in found]
    for path, package in files:
        yield from _in_file(path, package, root)


def _in_file(path: Path, package: str, root: Path) -> Iterator[tuple[str, str]]:
    from yaml import YAMLError

    from ftbuild.yaml_marks import in_file

    shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    with suppress(OSError, UnicodeDecodeError, YAMLError):
        for key, origin in in_file(path, shown, root, package):
            if not LIST_ITEM.search(key):
                yield key, str(origin)


def _described(found: Mapping[str, str]) -> list[Candidate]:
    return [Candidate(name, about) for name, about in found.items()]


def _prefixed(prefix: str, found: Sequence[Candidate]) -> list[Candidate]:
    return [Candidate(f"{prefix}{each.word}", each.about) for each in found]
