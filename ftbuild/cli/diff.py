"""`ftbuild diff RUN RUN`: what differs between two runs. Writes nothing."""

import json
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftbuild.chat import Message, said
from ftbuild.cli import diff_text
from ftbuild.cli.build import world_of
from ftbuild.cli.layout import columns
from ftbuild.cli.options import Options
from ftbuild.dataset.diff import Placed
from ftbuild.errors import ConfigError, ExitCode, StoreError
from ftbuild.example import SPLITS, splits_in
from ftbuild.history import Run, latest_id, listed, read
from ftbuild.problem import Problem, nearest
from ftbuild.run_diff import Side, compare
from ftbuild.runners.formats import parse_lines
from ftbuild.store.store import Record, Store
from ftbuild.world import World

LATEST = re.compile(r"latest(?:~(\d+))?")
NAMED_AT_MOST = 5


def diff(options: Options) -> int:
    """Print what differs between the two runs that the words name.

    Raises:
        ConfigError: there are not two words, or one names no run, or several.
        StoreError: the run.json of one cannot be read.
    """
    if len(options.words) != 2 or options.overrides:
        raise ConfigError(Problem("diff takes two runs", "command line", fix="ftbuild diff latest~1 latest"))
    world = world_of(options)
    old, new = (_side(find_run(word, options), world) for word in options.words)
    found = compare(old, new)
    if options.format == "json":
        print(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
    elif options.format == "md":
        print(diff_text.markdown(found, world.now()))
    else:
        print(diff_text.text(found, world.now(), columns()))
    return int(ExitCode.DONE)


def find_run(word: str, options: Options) -> Run:
    """Return the run that a word names: latest, latest~N (the Nth before it of its experiment), an id, a folder,
    or the beginning of one id. Smoke runs are found by id too.

    Raises:
        ConfigError: no run is named so, or several are.
        StoreError: the run.json of the one named cannot be read.
    """
    worlds = [world_of(replace(options, smoke=smoke)) for smoke in (False, True)]
    if named := LATEST.fullmatch(word):
        return _before_latest(worlds[0], word, int(named[1] or 0))
    folder = next((at for world in worlds if (at := world.outputs / "runs" / word).is_dir()), options.folder / word)
    if (folder / "run.json").is_file():
        return _read(folder.resolve())
    known = {run.run_id: run for world in worlds for run in listed(world)[0]}
    alike = sorted(run_id for run_id in known if run_id.startswith(word))
    if len(alike) == 1:
        return known[alike[0]]
    if alike:
        more = f" and {len(alike) - NAMED_AT_MOST} more" if len(alike) > NAMED_AT_MOST else ""
        there = f"{', '.join(alike[:NAMED_AT_MOST])}{more}"
        raise ConfigError(
            Problem(f"{len(alike)} runs begin with {word!r}", "command line", fix=f"say more of it: {there}")
        )
    if folder.is_dir():
        raise ConfigError(Problem("no run.json in this folder", word, fix="ftbuild runs lists the runs."))
    close = nearest(word, known)
    fix = f"the nearest is {close}; ftbuild runs lists them." if close else "ftbuild runs lists them."
    raise ConfigError(Problem(f"no run {word!r}", "command line", fix=fix))


def _before_latest(world: World, word: str, n: int) -> Run:
    """Return the run that the link points at, or the `n`th of its experiment before it."""
    runs = listed(world)[0]
    name = latest_id(world)
    last = next((run for run in runs if run.run_id == name), None)
    if last is None and name is not None and (world.outputs / "runs" / name / "run.json").is_file():
        last = _read(world.outputs / "runs" / name)
    if last is None:
        raise ConfigError(Problem(f"no run {word!r}", "command line", fix="make one: ftbuild +experiment=NAME"))
    experiment = last.told["experiment"]
    same = [run for run in runs if run.told["experiment"] == experiment]
    same = same[same.index(last) :]
    if n >= len(same):
        n_before = len(same) - 1
        what = f"no run {word!r}: {n_before or 'none'} of {experiment} came before {last.run_id}"
        raise ConfigError(Problem(what, "command line", fix=f"ftbuild runs --experiment {experiment}"))
    return same[n]


def _read(folder: Path) -> Run:
    found = read(folder)
    if isinstance(found, Problem):
        raise StoreError(replace(found, severity="error", why=""))
    return found


def _side(run: Run, world: World) -> Side:
    """Return a run as plain values, with what its report and its store still hold."""
    report = run.report()
    records = list(_records(run, _stores(run, world)))
    return Side(
        run_id=run.run_id,
        told=run.told,
        settings=report["run"]["settings_lines"] if report else None,
        examples=next((found for store, record in records if (found := _examples(store, record)) is not None), None),
        tested=[_tested(each) for each in report["examples"]] if report else None,
        versions=_versions(records),
        training=report["training"] if report else None,
    )


def _stores(run: Run, world: World) -> list[Store]:
    """Return the stores where the run's actions may be: the one of the outputs it lies in, then the project's."""
    outputs = run.folder.resolve().parent.parent
    inside = outputs.is_relative_to(world.root.resolve())
    own = World(root=world.root.resolve() if inside else outputs.parent, outputs=outputs, built=outputs)
    return [Store(folder) for folder in dict.fromkeys([own.store, world.store.resolve()]) if folder.is_dir()]


def _records(run: Run, stores: Sequence[Store]) -> Iterator[tuple[Store, Record]]:
    """Yield the records of the run's actions that are still there."""
    for action in run.told["actions"]:
        for store in stores:
            try:
                record = store.find(action["key"])
            except StoreError:
                continue
            if record is not None:
                yield store, record
                break


def _examples(store: Store, record: Record) -> list[Placed] | None:
    """Return the examples of a dataset with their places, None where the record is another kind's or bytes are gone."""
    if record.kind != "dataset":
        return None
    try:
        read = {name: list(parse_lines(store.get(digest))) for name, digest in record.outputs.items() if name in FILES}
    except StoreError:
        return None
    places: defaultdict[tuple[str, str], deque[Mapping[str, Any]]] = defaultdict(deque)
    for place in read["provenance.jsonl"]:
        places[place["split"], place["id"]].append(place)
    return [
        Placed(
            id=each["id"],
            split=split,
            **{name: place[name] for name in ("source", "path", "line")},
            raw=each["raw"],
            target=said(Message.from_json(each["messages"][-1])),
            **{name: each[name] for name in ("messages", "group", "slices")},
        )
        for split in splits_in(read)
        for each in read[f"{split}.jsonl"]
        for place in [places[split, each["id"]].popleft()]
    ]


FILES = ("provenance.jsonl", *(f"{split}.jsonl" for split in SPLITS))


def _tested(example: Mapping[str, Any]) -> Placed:
    """Return a test example as a report holds it."""
    told = {name: example[name] for name in ("id", "path", "line", "group", "slices", "target")}
    return Placed(split="test", source="", raw=example["input"], **told)


def _versions(records: Sequence[tuple[Store, Record]]) -> dict[str, Any] | None:
    """Return the version of each kind and scorer, and of ftbuild as of the last action; None without any record."""
    found: dict[str, Any] = {}
    for store, record in records:
        try:
            manifest = store.manifest(record.key)
        except StoreError:
            continue
        preimage = manifest["preimage"]
        found[f"{record.kind} actions"] = preimage["version"]
        found |= {f"scorer {name}": version for name, version, *_ in preimage["settings"].get("scorers", [])}
        found |= {name: version for name, version in manifest.get("versions", {}).items() if name == "ftbuild"}
    return found or None
