"""What goes to a machine that trains a job for the server, and what comes back from it.

All bytes go by their digests, so that what the other machine has is not sent again. What the trainer there makes of the
job's folder is told in pieces, each read the other way round than it was written: a record before what it speaks of.
Written down here in the trainer's own order, every moment is a good one to be killed, as it is where the trainer is.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftbuild.digest import of_bytes, of_file
from ftbuild.embedded.state import PAUSED, TERMINAL, Record, State, append_lines, remove, whole
from ftbuild.embedded.weights import Base

BASE = "base"  # the folder of the base model, beside those of a server
MADE = ("adapters", "training")  # of a job: folders of folders that appear when they are whole, in this order
EVENTS = "events.jsonl"


@dataclass(frozen=True)
class Parcel:
    """A job for another machine: its record, its base model's name and digest, and the digests of all files by path."""

    job: Record
    base: tuple[str, str] | None
    files: Mapping[str, str]


@dataclass(frozen=True)
class News:
    """What has changed since the last time; `code` is the trainer's exit code once it has ended, with what it `said`.

    `folders` are new ones by their paths, each with the digests of its files; `gone` are paths of others.
    """

    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    events: bytes = b""
    record: bytes | None = None
    gone: Sequence[str] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)
    code: int | None = None
    said: str = ""


class ChangedError(Exception):
    """Bytes are not those of their digest."""


def packed(state: State, job: Record) -> tuple[Parcel, Mapping[str, Path]]:
    """Return what a machine needs to begin a job or to go on with it, and where the bytes of each digest lie here.

    What is gone here is not among it, and the trainer says so. W&B is written to from here.
    """
    found = state.model(job["model"])
    paths = [state.folder / "files" / str(job[kind]) for kind in ("training_file", "validation_file") if job[kind]]
    if found is not None and found[1] is not None:  # it goes on from a fine-tuned model
        paths += [found[1], found[1].parents[1] / "job.json"]
    own = state.job_folder(job["id"])
    paths += [own / EVENTS, *(path for name in MADE for path in own.glob(f"{name}/step-*"))]
    named = {str(path.relative_to(state.folder)): path for path in _files(paths)}
    if found is not None:
        named |= {f"{BASE}/{path.name}": path for path in _files([found[0].folder])}
    digests = {name: of_file(path) for name, path in named.items()}
    base = (found[0].model, found[0].digest) if found is not None else None
    return Parcel({**job, "integrations": []}, base, digests), {digests[name]: path for name, path in named.items()}


def unpacked(parcel: Parcel, kept: Path, folder: Path) -> State:
    """Return a server's folder with the job and what it needs; the bytes of a digest lie in `kept` under its name.

    What is not the job's own is not copied.
    """
    state = State(folder)
    for name, digest in parcel.files.items():
        path = state.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith(f"jobs/{parcel.job['id']}/"):
            shutil.copyfile(kept / digest, path)
        else:
            path.symlink_to(kept / digest)
    if parcel.base is not None:
        model, made_by = parcel.base
        state.register(Base(model, state.folder / BASE, made_by))
    state.write_job(parcel.job)
    return state


def _files(paths: Sequence[Path]) -> list[Path]:
    within = [each for path in paths for each in (sorted(path.iterdir()) if path.is_dir() else [path])]
    return [path for path in within if path.is_file() and not path.name.startswith(".")]


def written(state: State, job: Record, news: News) -> None:
    """Write down what another machine told of a job.

    Raises:
        ChangedError: bytes are not those of their digests; nothing was written.
    """
    if any(of_bytes(content) != digest for digest, content in news.contents.items()):
        raise ChangedError("bytes changed on their way from the machine that trains")
    for path, files in news.folders.items():
        with whole(state.folder / path) as making:
            for name, digest in files.items():
                (making / name).write_bytes(news.contents[digest])
    if news.events:
        append_lines(state.job_folder(job["id"]) / EVENTS, news.events)
    if news.record is not None:
        record = {**json.loads(news.record), "integrations": job["integrations"]}
        state.write_job(record, durable=record["status"] in (*TERMINAL, PAUSED))
    for path in news.gone:
        remove(state.folder / path)


class Changes:
    """What somebody else changes in a job's folder, and adds to the files."""

    def __init__(self, state: State, job_id: str) -> None:
        """Know what is there already."""
        self._state, self._own = state, state.job_folder(job_id)
        self._seen = {path: _stamp(path) for path in self._folders()}
        self._n_told = len(self._events())
        self._record = b""

    def since(self) -> News:
        """Return what has changed since the last time."""
        record = (self._own / "job.json").read_bytes()
        new = {path: files for path in self._folders() if (files := self._new(path)) is not None}
        gone = [path for path in self._seen if not path.exists()]
        for path in gone:
            del self._seen[path]
        events = self._events()[self._n_told :]
        self._n_told += len(events)
        changed, self._record = record if record != self._record else None, record
        contents = {of_bytes(content): content for files in new.values() for content in files.values()}
        return News(
            folders={
                self._named(path): {name: of_bytes(content) for name, content in new[path].items()}
                for path in reversed(new)
            },
            events=events,
            record=changed,
            gone=[self._named(path) for path in gone],
            contents=contents,
        )

    def _folders(self) -> Iterator[Path]:
        """Yield the folders that appear when they are whole, each kind looked for when its turn is."""
        yield from (path.parent for path in self._state.folder.glob("files/*/file.json"))
        for name in reversed(MADE):
            yield from self._own.glob(f"{name}/step-*")

    def _new(self, path: Path) -> Mapping[str, bytes] | None:
        """Return the files of a folder that is new, None where it is not, or is going as we read."""
        stamp = _stamp(path)
        if stamp is None or self._seen.get(path) == stamp:
            return None
        try:
            files = {each.name: each.read_bytes() for each in path.iterdir()}
        except FileNotFoundError:
            return None
        if _stamp(path) != stamp:
            return None
        self._seen[path] = stamp
        return files

    def _events(self) -> bytes:
        """Return the events so far, those that are whole lines."""
        content = (self._own / EVENTS).read_bytes()
        return content[: content.rfind(b"\n") + 1]

    def _named(self, path: Path) -> str:
        return str(path.relative_to(self._state.folder))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what is another once a folder is another, or has lost or got a file; None where it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
