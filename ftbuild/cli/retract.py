"""`ftbuild retract SOURCE|PATH:LINE`: what must be made anew if a source or a line of one is withdrawn, and how.

Writes nothing: it lists the examples, datasets, jobs and models, the edit that withdraws it and the command after it.
No text of an example is printed.
"""

import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbuild.cli.blame import PLACE, at, job_json
from ftbuild.cli.build import world_of
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.options import Options
from ftbuild.descent import Found, Job, datasets, held_in, holding, of_it, read_at, sources_named
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.problem import Problem, nearest
from ftbuild.store.store import Store
from ftbuild.trees import shipped_conf
from ftbuild.world import World

SCHEMA_VERSION = 1
SHOWN_AT_MOST = 10
LINES = (".jsonl", ".ndjson")


def retract(options: Options) -> int:
    """Print what follows from a withdrawal.

    Raises:
        ConfigError: no word, or one that names no source and no line that the store has read.
    """
    if len(options.words) != 1:
        fix = "ftbuild retract NAME, as in dataset.sources.NAME"
        raise ConfigError(Problem("retract takes a source or PATH:LINE", "command line", fix=fix))
    [word] = options.words
    told = _withdrawal(word, world_of(options), options.folder)
    if options.format == "json":
        print(json.dumps(told.to_json(), ensure_ascii=False, indent=1))
    else:
        print(told.text(columns()))
    return int(ExitCode.DONE)


@dataclass(frozen=True)
class Withdrawal:
    """What is withdrawn and what hangs on it.

    `path` and `line` say where a line is, `source` alone names a whole source. `read` is how many examples were read
    from it; `left` how many training examples each dataset would keep; `twins` where the same is said elsewhere;
    `changed` whether the file is no longer the one that was read; `file` is the path as a command here takes it. Of
    documents it is passages that were read, and what is found are the examples with them in their prompts.
    """

    word: str
    source: str | None
    path: str
    line: int | None
    read: int
    found: Sequence[Found]
    left: Sequence[int]
    twins: Sequence[str]
    changed: bool
    file: str
    is_documents: bool = False

    @property
    def experiments(self) -> list[str]:
        """Return the experiments whose data it is in."""
        return sorted({name for each in self.found for name in each.dataset.experiments})

    def edits(self) -> list[str]:
        """Return what a person changes in the files of the project."""
        if self.line is None:
            files = [f"conf/experiment/{name}.yaml" for name in self.experiments] or ["the experiment"]
            said = (
                "retrieval: {documents: null}"
                if self.is_documents
                else f"dataset: {{sources: {{{self.source}: null}}}}"
            )
            return [f"{file}: {said}" for file in files]
        if self.is_documents:
            return [f"{self.path}: delete the passage at line {self.line}, and what asks for it"]
        return [f"{self.path}: delete line {self.line}" + (" (a record may take several)" * (not self._is_lines))]

    def commands(self) -> list[str]:
        """Return the commands that come after: the edit where a command makes it, then the builds."""
        edit = f"sed -i {self.line}d {shlex.quote(self.file)}"
        return [
            *([edit] if self.line and self._is_lines else []),
            *self._builds(),
        ]

    def _builds(self) -> list[str]:
        """Return the commands that build it all again: those the jobs were launched by, else one an experiment."""
        jobs = [job for each in self.found for job in each.dataset.jobs if job.command]
        told = {job.experiment for job in jobs}
        others = [f"ftbuild +experiment={name}" for name in self.experiments if name not in told]
        return [*dict.fromkeys(job.command for job in jobs), *others]

    def without_editing(self) -> list[str]:
        """Return the builds that leave a source out by an override; there is none for a line."""
        if self.line is not None:
            return []
        said = "retrieval.documents=null" if self.is_documents else f"~dataset.sources.{self.source}"
        return [f"{command} {said}" for command in self._builds()]

    @property
    def _is_lines(self) -> bool:
        return self.path.endswith(LINES)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "schema_version": SCHEMA_VERSION,
            "asked": self.word,
            "source": self.source,
            "path": self.path,
            "line": self.line,
            "n_read": self.read,
            "changed_since": self.changed,
            "same_elsewhere": list(self.twins),
            "datasets": [
                {
                    "key": each.dataset.key,
                    "digest": each.dataset.digest,
                    "experiments": list(each.dataset.experiments),
                    "folders": list(each.dataset.folders),
                    "counts": each.counts(),
                    "left_to_learn_from": left,
                    "examples": [held.to_json() for held in each.held],
                    "jobs": [job_json(job, _worst(each)) for job in each.dataset.jobs],
                    "runs": [run.run_id for run in each.dataset.runs],
                }
                for each, left in zip(self.found, self.left, strict=True)
            ],
            "models": [model for model, _ in self._models()],
            "edits": self.edits(),
            "commands": self.commands(),
            "without_editing": self.without_editing(),
        }

    def text(self, width: int) -> str:
        """Return the withdrawal for people."""
        what = f"source {self.source}, {self.path}" if self.line is None else f"{self.path}:{self.line}"
        n = len({(each.place["id"], each.place["path"], each.place["line"]) for one in self.found for each in one.held})
        read = _count(self.read, "passage" if self.is_documents else "example")
        of_them = f"in the prompts of {_count(n, 'example')}" if self.is_documents else f"{n:,} of them"
        head = f"{what}: {read} read, {of_them} in {_count(len(self.found), 'dataset')}"
        rows = [row for each, left in zip(self.found, self.left, strict=True) for row in self._of(each, left)]
        rows += [("model", f"{model} {said}") for model, said in self._models()]
        lines = [hang(f"  {name:8}  ", text, width) for name, text in rows]
        return "\n".join([head, *lines, *self._notes(width)])

    @staticmethod
    def _of(found: Found, left: int) -> Iterator[tuple[str, str]]:
        counts = ", ".join(f"{n:,} {split}" for split, n in found.counts().items() if n)
        whose = ", ".join(found.dataset.experiments) or "no experiment known"
        rest = f"{left:,} left to learn from" if left else "nothing would be left to learn from"
        yield "dataset", f"{found.dataset.name} of {whose}: {counts}; {rest}"
        for job in found.dataset.jobs:
            yield "job", f"{job.job_id} {_follows(found, job)}"
        if found.dataset.runs:
            yield "runs", ", ".join(run.run_id for run in found.dataset.runs)

    def _models(self) -> list[tuple[str, str]]:
        found = [
            (job.model, "has learnt from it: delete it at its provider")
            for each in self.found
            if each.counts()["train"]
            for job in each.dataset.jobs
            if job.model
        ]
        found += [
            (job.model, "was chosen by it")
            for each in self.found
            if each.learnt and not each.counts()["train"]
            for job in each.dataset.jobs
            if job.model
        ]
        return list(dict.fromkeys(found))

    def _notes(self, width: int) -> Iterator[str]:
        if self.changed:
            yield hang("  note      ", f"{self.path} has changed since it was read: look for the line first", width)
        if self.twins:
            rest = f" and {len(self.twins) - SHOWN_AT_MOST:,} more" if len(self.twins) > SHOWN_AT_MOST else ""
            shown = ", ".join(self.twins[:SHOWN_AT_MOST])
            yield hang("  note      ", f"the same is said at {shown}{rest}, and would take its place", width)
        yield ""
        for number, edit in enumerate(self.edits()):
            yield f"{'Edit:' if number == 0 else '':6}{edit}"
        for number, command in enumerate(self.commands()):
            yield f"{'Then:' if number == 0 else '':6}{command}"
        for number, command in enumerate(self.without_editing()):
            yield f"{'Or without the edit:' if number == 0 else '':21}{command}"
        yield "Nothing was written. What lies at a provider, and copies of datasets/built, are not ours to delete."


def _follows(found: Found, job: Job) -> str:
    """Return what follows for a job."""
    if not found.learnt:
        return "stays: it never saw it, but its test results change"
    if job.status == "under way":
        return f"is under way and may be learning from it: ftbuild cancel {job.job_id}"
    return "must be trained again" if job.status == "succeeded" else f"{job.status}; its files may lie at the provider"


def _worst(found: Found) -> str:
    """Return the split that says most of what a job did with the examples."""
    counts = found.counts()
    return next((split for split, n in counts.items() if n), "test")


def _withdrawal(word: str, world: World, folder: Path) -> Withdrawal:
    store = Store(world.store)
    place = PLACE.fullmatch(word)
    line = int(place["line"]) if place else None
    is_it = _asked(word, store, world, folder)
    everything = list(read_at(store, lambda _told: True))
    read = [(one, value) for one, value in everything if is_it(value)]
    if not read:
        raise _nothing_at(word, place["path"] if place else "", line or 0, store, world, folder)
    found = holding(store, datasets(store, world), lambda held: of_it(is_it, held.place))
    ids = {value["id"] for _, value in read}
    newest = max(read, key=lambda pair: pair[0]["started_at"])[0]
    is_documents = newest["preimage"]["settings"]["source"]["kind"] == "documents"
    path = ", ".join(sorted({value["path"] for _, value in read}))
    return Withdrawal(
        word=word,
        source=None if place else word,
        path=path,
        line=line,
        read=len({(value["path"], value["line"], value["id"]) for _, value in read}),
        found=found,
        left=[_n_learnt(store, each) - (0 if is_documents else each.counts()["train"]) for each in found],
        twins=sorted(
            {f"{value['path']}:{value['line']}" for _, value in everything if value["id"] in ids and not is_it(value)}
        ),
        changed=_changed(newest, store, world),
        file=_from_here(path, world, folder),
        is_documents=is_documents,
    )


def _from_here(path: str, world: World, folder: Path) -> str:
    """Return a source's path as a command in `folder` takes it: that of the project, or of our own data."""
    if (world.root / path).exists():
        return os.path.relpath(world.root / path, folder)
    ours = shipped_conf().parent / path
    return str(ours) if ours.exists() else path


def _asked(word: str, store: Store, world: World, folder: Path) -> Callable[[Mapping[str, Any]], bool]:
    """Return what says whether an example, or its line of provenance, is withdrawn by `word`.

    Raises:
        ConfigError: it is the name of no source that was ever read.
    """
    if (place := PLACE.fullmatch(word)) is not None:
        is_file, line = at(place["path"], world, folder), int(place["line"])
        return lambda value: value["line"] == line and is_file(value["path"])
    names = sources_named(store)
    if word not in names:
        raise _no_source(word, names)
    return lambda value: bool(value["source"] == word)


def _n_learnt(store: Store, found: Found) -> int:
    """Return how many training examples a dataset has."""
    return sum(held.place["split"] == "train" for held in held_in(store, found.dataset))


def _changed(manifest: Any, store: Store, world: World) -> bool:
    """Say whether a source's file is another than the one that was read; one that is not found here has not changed."""
    settings = manifest["preimage"]["settings"]
    try:
        return store.digest_of(world.root / settings["source"]["path"]) != str(settings["bytes"])
    except OSError:
        return False


def _nothing_at(word: str, path: str, line: int, store: Store, world: World, folder: Path) -> ConfigError:
    is_here = at(path, world, folder)
    if any(is_here(value["path"]) for _, value in read_at(store, lambda _told: True)):
        why = f"The file was read, and its line {line} holds no example and begins no passage."
        return ConfigError(
            Problem(f"nothing was learnt from {word!r}", "command line", why=why, fix="check the number.")
        )
    paths = sorted(set(sources_named(store).values()))
    close = nearest(path, paths)
    there = f"the store has read {', '.join(paths)}." if paths else "build a dataset: ftbuild dataset +experiment=NAME"
    fix = f"the nearest is {close}; {there}" if close else there
    return ConfigError(Problem(f"{path!r} was never read as a source", "command line", fix=fix))


def _no_source(word: str, names: Any) -> ConfigError:
    close = nearest(word, names)
    there = f"the store has read {', '.join(names)}." if names else "build a dataset: ftbuild dataset +experiment=NAME"
    fix = f"the nearest is {close}; {there}" if close else there
    return ConfigError(Problem(f"no source {word!r} was ever read", "command line", fix=fix))


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"
