"""The server's folder: where bases, files, jobs and adapters lie, and their records.

Owns the layout and the ids. Knows nothing of HTTP or tensors. A record is written whole and
atomically; events are lines, appended; a torn last line is not there. An id that comes from
outside must have the form of ours before it becomes part of a path. One writer per job at a
time: the server before its trainer starts and after it ended, the trainer in between.

    server.lock server.json requests.log
    requests.jsonl requests.1.jsonl faults.json strikes.json        of rehearsals alone
    bases/<model>.json                              {"folder", "digest"}
    files/<file id>/{file.json, content}
    jobs/<job id>/{job.json, events.jsonl, trainer.log, trainer.lock, adapters/step-<n>/}
    jobs/<job id>/training/step-<n>/{training.json, ...}            of a job that has not ended, to go on from
"""

import json
import os
import re
import secrets
import shutil
import string
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ftbuild.embedded.weights import MODEL_ID, Base, base_name

LETTERS = string.ascii_letters + string.digits
TERMINAL = ("succeeded", "failed", "cancelled")
PAUSED = "paused"
DIED = "trainer_died"  # the error code of a job whose process did not end it
CHECKPOINTS_KEPT = 3
TAIL_PART = 4  # of a name ft:<base>:ftbuild:<suffix>:<end of the job's id>
FILE_NAME_AT_MOST = 255  # bytes, what file systems take
IDS = {kind: re.compile(rf"{kind}-[A-Za-z0-9]{{8,32}}") for kind in ("file", "ftjob")}

Record = dict[str, Any]


def new_id(prefix: str, letters: int = 24) -> str:
    """Return an id nobody else has: the prefix and random letters."""
    return prefix + "".join(secrets.choice(LETTERS) for _ in range(letters))


class State:
    """The folder of one server."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if it is not there."""
        self.folder = folder.absolute()
        for name in ("bases", "files", "jobs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    # --- bases ---

    def register(self, base: Base) -> None:
        """Say where a base model lies."""
        write_json(self._base_file(base.model), {"folder": str(base.folder), "digest": base.digest})

    def base(self, model: str) -> Base | None:
        """Return the base model of that name, None if it is not registered or its folder is gone."""
        place = self._base_file(model)
        if not MODEL_ID.fullmatch(model) or len(place.name) > FILE_NAME_AT_MOST:
            return None
        record = read_json(place)
        if record is None or not Path(record["folder"]).is_dir():
            return None
        return Base(model, Path(record["folder"]), record["digest"])

    def bases(self) -> list[Base]:
        """Return the registered base models by name."""
        names = sorted(unquote(path.stem) for path in (self.folder / "bases").glob("*.json"))
        return [base for name in names if (base := self.base(name))]

    def _base_file(self, model: str) -> Path:
        """Return where a base model is noted; a name may have slashes."""
        return self.folder / "bases" / f"{quote(model, safe='')}.json"

    # --- files ---

    def add_file(self, filename: str, purpose: str, content: bytes, file_id: str | None = None) -> Record:
        """Keep a file and return its record; with an id of its own, twice is once. "_" is not for the wire."""
        record: Record = {
            "id": file_id or new_id("file-"),
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
            "_at": time.time_ns(),
        }
        folder = self.folder / "files" / record["id"]
        folder.mkdir(exist_ok=file_id is not None)
        try:
            write_bytes(folder / "content", content)
            write_json(folder / "file.json", record)
        except OSError:  # the disk is full, say
            if not (folder / "file.json").exists():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return record

    def file(self, file_id: str) -> Record | None:
        """Return a file's record, None if there is none. What starts with "_" is not for the wire."""
        return read_json(self.folder / "files" / file_id / "file.json") if IDS["file"].fullmatch(file_id) else None

    def content(self, file_id: str) -> bytes:
        """Return the bytes of a file that is there."""
        return (self.folder / "files" / file_id / "content").read_bytes()

    def files(self) -> list[Record]:
        """Return the records of all files, newest first."""
        return newest_first(self.file(path.name) for path in (self.folder / "files").iterdir())

    def delete_file(self, file_id: str) -> None:
        """Remove a file that is there."""
        (self.folder / "files" / file_id / "file.json").unlink()
        shutil.rmtree(self.folder / "files" / file_id)

    # --- jobs ---

    def job_folder(self, job_id: str) -> Path:
        """Return the folder of a job; the id has the form of ours."""
        if not IDS["ftjob"].fullmatch(job_id):
            raise ValueError(f"not a job id: {job_id!r}")
        return self.folder / "jobs" / job_id

    def job(self, job_id: str) -> Record | None:
        """Return a job's record, None if there is none. What starts with "_" is not for the wire."""
        return read_json(self.job_folder(job_id) / "job.json") if IDS["ftjob"].fullmatch(job_id) else None

    def jobs(self) -> list[Record]:
        """Return the records of all jobs, newest first."""
        return newest_first(self.job(path.name) for path in (self.folder / "jobs").iterdir())

    def write_job(self, job: Mapping[str, Any], *, durable: bool = True) -> None:
        """Write a job's record; without `durable` it may be an older one after a power cut."""
        folder = self.job_folder(job["id"])
        folder.mkdir(exist_ok=True)
        write_json(folder / "job.json", job, durable=durable)

    def add_job(self, job: Mapping[str, Any]) -> None:
        """Keep a new job, with its first events."""
        try:
            self.write_job(job)
            self.add_event(job["id"], f"Created fine-tuning job: {job['id']}")
            self.add_event(job["id"], f"Validating training file: {job['training_file']}")
        except OSError:  # the disk is full, say: who asked is told that there is no job
            remove(self.job_folder(job["id"]))
            raise

    def take_up(self) -> list[str]:
        """Return the ids of the jobs that an earlier server left waiting or in training, whose turn is first, first.

        What it left of files and jobs that were coming or going is removed: nobody was told of them, or knows them
        any more.
        """
        for kind, record in (("files", "file.json"), ("jobs", "job.json")):
            for folder in (self.folder / kind).iterdir():
                if not (folder / record).exists():
                    shutil.rmtree(folder, ignore_errors=True)
        left: list[Record] = []
        for job in self.jobs():
            if job["status"] in TERMINAL:
                self.drop_training(job["id"])  # the server may have died just before it did
            elif job["status"] != PAUSED:
                left.append(job)
        return [job["id"] for job in sorted(left, key=lambda job: int(job.get("_queued_at") or job["_at"]))]

    def park_job(self, job_id: str, message: str) -> None:
        """Write that a job that nobody trains stands still."""
        job = self.job(job_id)
        if job is not None and job["status"] not in TERMINAL:
            self.add_event(job_id, message)
            self.write_job({**job, "status": PAUSED, "estimated_finish": None})

    def queue_job(self, job_id: str) -> None:
        """Write that a paused job waits for its turn, behind all that wait."""
        job = self.job(job_id)
        if job is not None and job["status"] == PAUSED:
            self.add_event(job_id, "Job resumed, moving job to queued state")
            self.write_job({**job, "status": "queued", "_queued_at": time.time_ns()})

    def add_event(
        self, job_id: str, message: str, *, level: str = "info", metrics: Mapping[str, Any] | None = None
    ) -> None:
        """Append an event; with `metrics` it is of type metrics."""
        event = {
            "id": new_id("ftevent-"),
            "object": "fine_tuning.job.event",
            "created_at": int(time.time()),
            "level": level,
            "message": message,
            "type": "message" if metrics is None else "metrics",
            "data": {} if metrics is None else dict(metrics),
        }
        append_line(self.job_folder(job_id) / "events.jsonl", event)

    def events(self, job_id: str) -> list[Record]:
        """Return a job's events, oldest first."""
        return read_lines(self.job_folder(job_id) / "events.jsonl")

    def end_job(
        self, job_id: str, status: str, message: str, code: str | None = None, param: str | None = None
    ) -> None:
        """Write the end of a job that did not succeed, unless it has ended."""
        job = self.job(job_id)
        if job is None or job["status"] in TERMINAL:
            return
        job |= {"status": status, "finished_at": int(time.time()), "estimated_finish": None}
        if code is not None:
            job["error"] = {"code": code, "message": message, "param": param}
        self.write_job(job)  # first: where the disk is full this fails, is tried again, and is told once
        self.add_event(job_id, message, level="info" if code is None else "error")
        self.drop_training(job_id)

    def training(self, job_id: str) -> tuple[int, Path | None]:
        """Return the step after which a job's training goes on, and the folder that says how; 0 and None at first."""
        found = [(int(path.name[5:]), path) for path in (self.job_folder(job_id) / "training").glob("step-*")]
        return max(found, default=(0, None))

    def drop_training(self, job_id: str) -> None:
        """Remove what the job's training would go on from, and models half written: it has ended."""
        remove(self.job_folder(job_id) / "training")
        for path in (self.job_folder(job_id) / "adapters").glob(".*"):
            shutil.rmtree(path, ignore_errors=True)

    # --- fine-tuned models ---

    def model(self, name: str) -> tuple[Base, Path | None] | None:
        """Return a base model, or a fine-tuned one as its base and its adapters; None if it or its base is gone."""
        if base := self.base(name):
            return base, None
        if (tuned := self.tuned_model(name)) is None:
            return None
        base = self.base(base_name(tuned[0]["model"]))
        return (base, tuned[1]) if base else None

    def tuned(self) -> dict[str, tuple[Record, Path]]:
        """Return the fine-tuned models, checkpoints among them: name -> job and folder of the adapters."""
        found: dict[str, tuple[Record, Path]] = {}
        for job in reversed(self.jobs()):
            found |= self._tuned_by(job)
        return found

    def tuned_model(self, name: str) -> tuple[Record, Path] | None:
        """Return one of `tuned`; reads no job but its own, whose id ends as its name says."""
        parts = name.split(":")
        for path in (self.folder / "jobs").iterdir() if len(parts) > TAIL_PART else ():
            job = self.job(path.name) if path.name.endswith(parts[TAIL_PART]) else None
            if job is not None and name in (by := self._tuned_by(job)):
                return by[name]
        return None

    def _tuned_by(self, job: Record) -> dict[str, tuple[Record, Path]]:
        found = {}
        for checkpoint in job["_checkpoints"]:
            folder = self.job_folder(job["id"]) / "adapters" / f"step-{checkpoint['step_number']}"
            if folder.is_dir():
                found[checkpoint["fine_tuned_model_checkpoint"]] = (job, folder)
                if job["status"] == "succeeded" and checkpoint is job["_checkpoints"][-1]:
                    found[job["fine_tuned_model"]] = (job, folder)
        return found


def newest_first(records: Iterator[Record | None]) -> list[Record]:
    """Return the records that are there, newest first."""
    found = [record for record in records if record is not None]
    return sorted(found, key=lambda record: (record["_at"], record["id"]), reverse=True)


def write_bytes(path: Path, content: bytes, *, durable: bool = True, mode: int = 0o644) -> None:
    """Write a file so that others see the old bytes or the new ones, nothing between; what fails leaves nothing."""
    making = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        making.replace(path)
    except OSError:
        making.unlink(missing_ok=True)
        raise


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Yield a folder to be filled, which becomes `folder` when it is whole and on the disk, in place of what was."""
    making = folder.with_name(f".{folder.name}")
    shutil.rmtree(making, ignore_errors=True)  # of a writer that was killed
    making.mkdir(parents=True)
    yield making
    for path in making.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    remove(folder)
    making.rename(folder)


def remove(folder: Path) -> None:
    """Remove a folder so that others see it whole or not at all; another process may do so at the same time."""
    going = folder.with_name(f".gone-{folder.name}")
    shutil.rmtree(going, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)


def write_json(path: Path, value: Mapping[str, Any], *, durable: bool = True, mode: int = 0o644) -> None:
    """Write a record."""
    write_bytes(path, json.dumps(value).encode() + b"\n", durable=durable, mode=mode)


def read_json(path: Path) -> Record | None:
    """Return a record, None if there is none."""
    try:
        return json.loads(path.read_bytes())  # type: ignore[no-any-return]
    except (FileNotFoundError, NotADirectoryError):
        return None


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON line."""
    append_lines(path, json.dumps(value).encode() + b"\n")


def append_lines(path: Path, lines: bytes) -> None:
    """Append whole lines; one that a dead writer left torn is closed first."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            torn = file.read(1) != b"\n"
        else:
            torn = False
        file.write((b"\n" if torn else b"") + lines)


def read_lines(path: Path) -> list[Record]:
    """Return the whole JSON lines of a file, none if there is no file."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
