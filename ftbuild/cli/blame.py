"""`ftbuild blame DIGEST|FILE:LINE`: where an example came from, what was done to it, and what learnt from it.

Reads records and provenance. Writes nothing, and prints no text of an example.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbuild.cli.build import world_of
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.options import Options
from ftbuild.descent import Dataset, Found, Held, datasets, holding, of_it, read_at
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.example import LEARNT_FROM, SPLITS
from ftbuild.problem import Problem
from ftbuild.runners.formats import parse_lines
from ftbuild.store.store import Store
from ftbuild.world import World

SCHEMA_VERSION = 1
DIGEST = re.compile(r"[0-9a-f]{8,64}")
PLACE = re.compile(r"(?P<path>.+):(?P<line>[1-9]\d*)")
EXAMPLES_AT_MOST = 20
USE = "ftbuild blame datasets/built/NAME/DIGEST/train.jsonl:1"


def blame(options: Options) -> int:
    """Print the examples that the word names.

    Raises:
        ConfigError: the word is neither a digest nor a place, or no dataset of the store holds it.
    """
    if len(options.words) != 1:
        raise ConfigError(Problem("blame takes a digest or FILE:LINE", "command line", fix=USE))
    world = world_of(options)
    store = Store(world.store)
    [word] = options.words
    known = datasets(store, world)
    found = holding(store, known, wanted(word, world, options.folder))
    place = PLACE.fullmatch(word)
    twins = _same_elsewhere(word, store, known, world, options.folder) if place and not found else []
    if not found and not twins:
        raise _unknown(word, known)
    if options.format == "json":
        told = {
            "schema_version": SCHEMA_VERSION,
            "asked": word,
            "held": bool(found),
            "examples": [each.to_json() for each in _examples(found or twins)],
        }
        print(json.dumps(told, ensure_ascii=False, indent=1))
        return int(ExitCode.DONE)
    if not found:
        print(f"{word} is in no dataset itself: the same is said elsewhere, and an example is kept once.\n")
    shown = _examples(found or twins)
    print("\n\n".join(each.text(columns()) for each in shown[:EXAMPLES_AT_MOST]))
    if len(shown) > EXAMPLES_AT_MOST:
        print(f"\n... and {len(shown) - EXAMPLES_AT_MOST:,} more; --format json has all of them")
    return int(ExitCode.DONE)


def wanted(word: str, world: World, folder: Path) -> Callable[[Held], bool]:
    """Return what says whether an example is the one that `word` names, seen from `folder`.

    Raises:
        ConfigError: it names none.
    """
    if DIGEST.fullmatch(word):
        return lambda held: held.place["id"].startswith(word) or (held.digest or "").startswith(word)
    if (place := PLACE.fullmatch(word)) is None:
        why = "A digest has 8 to 64 of the digits 0-9 and a-f."
        raise ConfigError(Problem(f"{word!r} is neither a digest nor FILE:LINE", "command line", why=why, fix=USE))
    path, line = place["path"], int(place["line"])
    if (built := _built(folder / path, line)) is not None:
        return lambda held: (
            held.place["id"] == built["id"]
            and held.place["path"] == built["path"]
            and held.place["line"] == built["line"]
        )
    is_here = at(path, world, folder)
    return lambda held: of_it(lambda place: place["line"] == line and is_here(place["path"]), held.place)


def at(path: str, world: World, folder: Path) -> Callable[[str], bool]:
    """Return what says whether a path of provenance is the file that `path` names, seen from `folder`.

    A source's path is seen from the tree that holds its YAML; that may be another than the project, so the end of a
    path is enough.
    """
    whole = Path(os.path.abspath(folder / path))

    def is_here(told: str) -> bool:
        return path == told or whole == Path(os.path.abspath(world.root / told)) or str(whole).endswith(f"/{told}")

    return is_here


def _built(path: Path, line: int) -> dict[str, Any] | None:
    """Return the provenance of a line of a built dataset's file; None for any other file.

    Raises:
        ConfigError: the file has no such line.
    """
    beside = path.with_name("provenance.jsonl")
    if path.name not in {f"{split}.jsonl" for split in SPLITS} or not beside.is_file():
        return None
    places = [each for each in parse_lines(beside.read_bytes()) if each["split"] == path.stem]
    if line > len(places):
        raise ConfigError(Problem(f"no line {line}: the file has {len(places):,}", str(path), fix="check the number."))
    return places[line - 1]


@dataclass(frozen=True)
class Blamed:
    """One example, known by what it said at its source, and every dataset that holds it."""

    held: Held
    places: Sequence[tuple[Dataset, Held]]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            **self.held.to_json(),
            "datasets": [
                {
                    "key": dataset.key,
                    "digest": dataset.digest,
                    "experiments": list(dataset.experiments),
                    "folders": list(dataset.folders),
                    "split": held.place["split"],
                    "number": held.number,
                    "line_digest": held.digest,
                    "jobs": [job_json(each, held.place["split"]) for each in dataset.jobs],
                    "runs": [run.run_id for run in dataset.runs],
                }
                for dataset, held in self.places
            ],
        }

    def text(self, width: int) -> str:
        """Return the example for people: where from, what was done, what holds it, what came of it."""
        place = self.held.place
        rows = [("from", f"{place['path']}:{place['line']}, source {place['source']}, {_licensed(place)}")]
        if place.get("group"):
            rows.append(("group", str(place["group"])))
        for name in place.get("transforms", ()):
            rows.append(("done", _done(name, place)))
        for passage in place.get("passages", ()):
            gold = ", the gold one" if passage.get("gold") else ""
            rows.append(("given", f"{passage['path']}:{passage['line']}{gold}"))
        because = place.get("because", {}).get("split")
        rows.append(("split", place["split"] + (f", by {_listed(because)}" if because else "")))
        if mix := place.get("because", {}).get("mix"):
            rows.append(("kept", f"by {_listed(mix)}"))
        for dataset, held in self.places:
            rows += list(_of_dataset(dataset, held))
        left = [f"  {name:8}  " for name, _ in rows]
        lines = [hang(one, text, width) for one, (_, text) in zip(left, rows, strict=True)]
        return "\n".join([f"example {place['id']}", *lines])


def job_json(job: Any, split: str) -> dict[str, Any]:
    """Return the JSON form of a job, with what it did with an example of that split."""
    return {
        "job_id": job.job_id,
        "status": job.status,
        "model": job.model,
        "base_model": job.base_model,
        "experiment": job.experiment or None,
        "used_for": {"train": "learning", "validation": "validation"}.get(split),
    }


def _of_dataset(dataset: Dataset, held: Held) -> Iterator[tuple[str, str]]:
    split = held.place["split"]
    digest = f", sha256 {held.digest[:12]}" if held.digest else ""
    whose = f" of {_listed(dataset.experiments)}" if dataset.experiments else ""
    yield "dataset", f"{dataset.name}{whose}: {split}, line {held.number:,}{digest}"
    for job in dataset.jobs:
        yield "job", f"{job.job_id} {_used(split, job.status)}"
        if job.model and split in LEARNT_FROM:
            yield "model", job.model
    if dataset.runs:
        yield "runs", _listed([run.run_id for run in dataset.runs])


def _used(split: str, status: str) -> str:
    if status == "under way":
        return "is under way and may be learning from it" if split == "train" else "is under way"
    if status != "succeeded":
        return f"{status}; the provider may hold the line all the same"
    if split == "confirm":
        return "never saw it: it is kept to confirm the winner of a sweep"
    return {"train": "learnt from it", "validation": "was validated on it"}.get(split, "never saw it: it only tests")


def _done(name: str, place: Any) -> str:
    because = place.get("because", {}).get(name, ())
    how = f" ({', '.join(f'{n} {rule}' for rule, n in place['redacted'].items())})" if name == "redact" else ""
    return f"{name}{how}{f', by {_listed(because)}' if because else ''}"


def _licensed(place: Any) -> str:
    return f"licence {place['licence']}" if place.get("licence") else "licence not said"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _examples(found: Sequence[Found]) -> list[Blamed]:
    """Return the examples, each with the datasets that hold it: the newest first."""
    by_place: dict[tuple[str, str, int], list[tuple[Dataset, Held]]] = {}
    for each in found:
        for held in each.held:
            by_place.setdefault((held.place["id"], held.place["path"], held.place["line"]), []).append(
                (each.dataset, held)
            )
    return [Blamed(places[0][1], places) for places in by_place.values()]


def _same_elsewhere(word: str, store: Store, known: Sequence[Dataset], world: World, folder: Path) -> list[Found]:
    """Return what datasets hold in the place of a line of a source that is in none itself."""
    place = PLACE.fullmatch(word)
    assert place is not None
    is_here, line = at(place["path"], world, folder), int(place["line"])
    ids = {value["id"] for _, value in read_at(store, is_here) if value["line"] == line}
    return holding(store, known, lambda held: held.place["id"] in ids) if ids else []


def _unknown(word: str, known: Sequence[Dataset]) -> ConfigError:
    if not known:
        fix = "build one: ftbuild dataset +experiment=NAME"
        return ConfigError(Problem(f"no dataset in the store to look for {word!r} in", "command line", fix=fix))
    n = f"{len(known):,} dataset{'s' if len(known) > 1 else ''}"
    return ConfigError(
        Problem(
            f"{word!r} is in none of the {n} of the store",
            "command line",
            why="A line may be left out as a duplicate, by a limit or by a share, or its dataset was never built here.",
            fix="give more digits or the line's number, or build it: ftbuild dataset +experiment=NAME",
        )
    )
