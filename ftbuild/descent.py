"""What came of an example: the datasets that hold it, and the jobs, models and runs that came of those.

Reads the records of a store, its ledger and the runs, and joins them by digests: a job's training file is what
some render made, whose inputs are what some dataset made. Writes nothing. What gc has taken is no longer known.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftbuild.dataset import lineage
from ftbuild.digest import of_bytes, short
from ftbuild.errors import StoreError
from ftbuild.example import LEARNT_FROM, SPLITS, splits_in
from ftbuild.history import Run, listed
from ftbuild.ledger.journal import journals
from ftbuild.ledger.port import TERMINAL
from ftbuild.runners.formats import parse_lines
from ftbuild.store.store import Store
from ftbuild.world import World

Manifest = Mapping[str, Any]
TOLD_BY = "+experiment="
PASSAGES = "passages.jsonl"


@dataclass(frozen=True)
class Held:
    """An example as a dataset holds it: its line of provenance, and the number and digest of its training line.

    `digest` is None where the training lines are not in the store.
    """

    place: Mapping[str, Any]
    number: int
    digest: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        names = ("id", "split", "source", "path", "line", "group", "licence")
        return {
            **{name: self.place.get(name) for name in names},
            "transforms": list(self.place.get("transforms", ())),
            "redacted": dict(self.place.get("redacted", {})),
            "because": dict(self.place.get("because", {})),
            "number": self.number,
            "line_digest": self.digest,
        }


@dataclass(frozen=True)
class Job:
    """A job that was given a dataset's lines. `status` is that of its provider, `model` None where there is none.

    `command` is what it was launched by, "" where that is not known.
    """

    job_id: str
    status: str
    model: str | None
    base_model: str | None
    experiment: str
    command: str = ""


@dataclass(frozen=True)
class Dataset:
    """A dataset of the store: the key of its newest record, the digest of its lines, the experiments that made it.

    `lines` are the outputs of the render action over it, empty where there is none; `folders` are where its lines
    are written.
    """

    key: str
    outputs: Mapping[str, str]
    lines: Mapping[str, str]
    digest: str | None
    experiments: Sequence[str]
    folders: Sequence[str]
    jobs: Sequence[Job]
    runs: Sequence[Run]

    @property
    def name(self) -> str:
        """Return the twelve digits that people see."""
        return short(self.digest or self.key)


@dataclass(frozen=True)
class Found:
    """A dataset and those of its examples that were looked for, in its order."""

    dataset: Dataset
    held: Sequence[Held] = field(default_factory=tuple)

    def counts(self) -> dict[str, int]:
        """Return how many of them each split holds."""
        splits = splits_in(self.dataset.outputs)
        return {split: sum(each.place["split"] == split for each in self.held) for split in splits}

    @property
    def learnt(self) -> bool:
        """Say whether its jobs learnt from one of them, or chose a checkpoint by one."""
        counts = self.counts()
        return bool(counts["train"] or counts["validation"])


def datasets(store: Store, world: World) -> list[Dataset]:
    """Return the datasets of the store, the newest first; those of the same bytes are one, however often made."""
    by_kind: dict[str, list[Manifest]] = {}
    for manifest in store.manifests():
        by_kind.setdefault(manifest["kind"], []).append(manifest)
    known_runs = listed(world)[0]
    newest_first = sorted(by_kind.get("dataset", ()), key=lambda each: (-each["started_at"], each["key"]))
    alike: dict[frozenset[tuple[str, str]], list[Manifest]] = {}
    for each in newest_first:
        alike.setdefault(frozenset(each["outputs"].items()), []).append(each)
    return [_dataset(those, by_kind, known_runs, store, world) for those in alike.values()]


def holding(store: Store, listed_: Iterable[Dataset], wanted: Callable[[Held], bool]) -> list[Found]:
    """Return the datasets that hold a wanted example, with what they hold; bytes that are gone hold nothing."""
    found = []
    for each in listed_:
        with suppress(StoreError):
            if held := [one for one in held_in(store, each) if wanted(one)]:
                found.append(Found(each, held))
    return found


def held_in(store: Store, dataset: Dataset) -> Iterator[Held]:
    """Yield the examples of a dataset in its order.

    Raises:
        StoreError: its provenance is gone.
    """
    places = parse_lines(store.get(dataset.outputs["provenance.jsonl"]))
    try:
        splits = splits_in(dataset.outputs)
        lines: dict[str, bytes] = {split: store.get(dataset.lines[f"{split}.jsonl"]) for split in splits}
    except (StoreError, KeyError):
        numbers = dict.fromkeys(SPLITS, 0)
        for place in places:
            numbers[place["split"]] += 1
            yield Held(place, numbers[place["split"]], None)
        return
    for place in lineage.with_digests(places, lines):
        yield Held(place, place["number"], place["digest"])


def sources_named(store: Store) -> dict[str, str]:
    """Return the file of each source that the store has read, by the source's name."""
    found = {}
    for manifest in store.manifests():
        if manifest["kind"] == "ingest":
            settings = manifest["preimage"]["settings"]
            found[settings["name"]] = settings["source"]["path"]
    return dict(sorted(found.items()))


def read_at(store: Store, is_here: Callable[[str], bool]) -> Iterator[tuple[Manifest, Mapping[str, Any]]]:
    """Yield every example or passage that was read from the files that `is_here` says, with the record of its reading.

    A passage has the digest of its text for an id, and the name of its source, as an example does.
    """
    for manifest in store.manifests():
        if manifest["kind"] == "ingest" and is_here(manifest["preimage"]["settings"]["source"]["path"]):
            outputs, name = manifest["outputs"], manifest["preimage"]["settings"]["name"]
            with suppress(StoreError, KeyError):
                if PASSAGES in outputs:
                    for value in parse_lines(store.get(outputs[PASSAGES])):
                        yield manifest, {**value, "source": name, "id": of_bytes(value["text"].encode())[:16]}
                else:
                    yield from ((manifest, value) for value in parse_lines(store.get(outputs["examples.jsonl"])))


def of_it(is_it: Callable[[Mapping[str, Any]], bool], place: Mapping[str, Any]) -> bool:
    """Say whether a line of provenance is of what `is_it` says, or has a passage of it in its prompt."""
    return is_it(place) or any(map(is_it, place.get("passages", ())))


def _dataset(
    made: Sequence[Manifest],
    by_kind: Mapping[str, Sequence[Manifest]],
    known: Sequence[Run],
    store: Store,
    world: World,
) -> Dataset:
    """Return the dataset that some records made, the newest first."""
    outputs, keys = made[0]["outputs"], {each["key"] for each in made}
    own = {split: outputs[f"{split}.jsonl"] for split in splits_in(outputs)}
    renders = [each for each in by_kind.get("render", ()) if dict(each["preimage"]["inputs"]) == own]
    runs = [run for run in known if not keys.isdisjoint(each["key"] for each in run.told["actions"])]
    lines = renders[0]["outputs"] if renders else {}
    digest = None
    with suppress(StoreError, KeyError, ValueError):
        digest = json.loads(store.get(lines["manifest.json"]))["digest"]
    folders = sorted(world.built.glob(f"*/{short(digest)}")) if digest else []
    made_by = [*(run.told["experiment"] for run in runs), *(folder.parent.name for folder in folders)]
    experiments = sorted({*made_by, *(name for each in made for name in _experiment(each))})
    return Dataset(
        key=made[0]["key"],
        outputs=outputs,
        lines=lines,
        digest=digest,
        experiments=experiments,
        folders=[_shown(folder, world.root) for folder in folders],
        jobs=[*_jobs(renders, by_kind, store), *_under_way(experiments, by_kind, store)],
        runs=runs,
    )


def _jobs(renders: Sequence[Manifest], by_kind: Mapping[str, Sequence[Manifest]], store: Store) -> Iterator[Job]:
    """Yield the finished jobs whose files one of the renders made."""
    files = [[each["outputs"][f"{split}.jsonl"] for split in LEARNT_FROM] for each in renders]
    for manifest in by_kind.get("job", ()):
        if _given(manifest, "training_file", "validation_file") in files:
            told: Mapping[str, Any] = {}
            with suppress(StoreError, KeyError, ValueError):
                told = json.loads(store.get(manifest["outputs"]["job.json"]))
            yield Job(
                job_id=told.get("job_id") or manifest["note"].partition(" ")[0],
                status=told.get("status", "succeeded"),
                model=told.get("fine_tuned_model"),
                base_model=told.get("base_model"),
                experiment=next(iter(_experiment(manifest)), ""),
                command=str(manifest.get("command", "")),
            )


def _under_way(experiments: Sequence[str], by_kind: Mapping[str, Sequence[Manifest]], store: Store) -> Iterator[Job]:
    """Yield the jobs of the experiments that have no record: under way, or ended badly.

    What they were given is not written down before they end well, so they are told with every dataset of theirs.
    """
    recorded = {each["key"] for each in by_kind.get("job", ())}
    for journal in journals(store.folder / "ledger"):
        with suppress(StoreError):
            state = journal.state()
            if journal.key not in recorded and state.job_id and state.asked.experiment in experiments:
                status = str(state.status) if state.status in TERMINAL else "under way"
                command = shlex.join(("ftbuild", *state.asked.command)) if state.asked.command else ""
                yield Job(state.job_id, status, None, None, state.asked.experiment, command)


def _given(manifest: Manifest, *roles: str) -> list[str | None]:
    inputs = dict(manifest["preimage"]["inputs"])
    return [inputs.get(role) for role in roles]


def _experiment(manifest: Manifest) -> list[str]:
    """Return the experiment that a record's command asked for, none where it says none."""
    words = str(manifest.get("command", "")).split()
    return [word.partition("=")[2] for word in words if word.startswith((TOLD_BY, TOLD_BY[1:]))][:1]


def _shown(folder: Path, root: Path) -> str:
    return str(folder.relative_to(root)) if folder.is_relative_to(root) else str(folder)
