"""A provider of whole jobs that lives in a folder: files, statuses, events, checkpoints; lossy by chance.

Several processes see the same jobs. A job goes on by being looked at: queued, running, succeeded; it can be paused,
resumed and cancelled, and it makes STEPS steps. Its list of events is behind by one look and turned around.
"""

import json
import os
import random
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fake_provider import BROKEN, LOST, REFUSED, FakeProvider

from ftbuild.errors import ProviderError
from ftbuild.ledger.launch import KEY
from ftbuild.ledger.port import JobEvent, JobRequest, JobState

STEPS = 3
LOOKS_QUEUED, LOOKS_RUNNING = 1, 3
GONE = ProviderError("fake: no such object", status=404)


@dataclass
class FolderProvider(FakeProvider):
    """Implements Remote. `lossy` is the share of answers that are lost, a third of them of creates that were done."""

    lossy: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    status_on: str = ""  # in which jobs stay from the first look on; "" is none

    def create_job(self, request: JobRequest) -> JobState:
        if not self.faults and self.chance.random() < 2 * self.lossy:
            self.faults = [self.chance.choice(["lost_before", "lost_after"])]
        return super().create_job(request)

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:
        self._lose()
        return super().find_jobs(metadata)

    def retrieve_job(self, job_id: str) -> JobState:
        self._lose()
        job = next((each for each in self.jobs() if each.id == job_id), None)
        if job is None:
            raise GONE
        status = self._mark(job_id) or self._goes_on(job_id)
        tuned = f"ft:{job_id}" if status == "succeeded" else None
        raw = {**job.raw, "result_files": [f"result-{job_id}"], "trained_tokens": 100}
        return replace(job, status=status, fine_tuned_model=tuned, raw=raw)

    def _goes_on(self, job_id: str) -> str:
        looks = self.folder / f"{job_id}.looks"
        with looks.open("ab") as file:
            file.write(b".")
        if self.status_on:
            return self.status_on
        n = looks.stat().st_size
        return "queued" if n <= LOOKS_QUEUED else "running" if n <= LOOKS_RUNNING else "succeeded"

    def _mark(self, job_id: str) -> str:
        try:
            return (self.folder / f"{job_id}.mark").read_text()
        except FileNotFoundError:
            return ""

    def _set(self, job_id: str, mark: str) -> JobState:
        self._lose()
        if self.retrieve_job(job_id).ended:
            raise ProviderError(f"fake: {job_id} has already completed", status=400)
        (self.folder / f"{job_id}.mark").write_text(mark)
        return self.retrieve_job(job_id)

    def cancel_job(self, job_id: str) -> JobState:
        return self._set(job_id, "cancelled")

    def pause_job(self, job_id: str) -> JobState:
        return self._set(job_id, "paused")

    def resume_job(self, job_id: str) -> JobState:
        return self._set(job_id, "")

    def job_events(self, job_id: str, known: Container[str] = ()) -> list[JobEvent]:
        self._lose()
        looks = (self.folder / f"{job_id}.looks").stat().st_size
        n = min(max(looks - LOOKS_QUEUED - 1, 0), STEPS)
        steps = [_event(job_id, number) for number in range(n, 0, -1)]
        return [each for each in (*steps, *steps[:1]) if each.id not in known]

    def job_checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        self._lose()
        model = f"ft:{job_id}:ckpt-step-{STEPS}"
        return [{"step_number": STEPS, "metrics": {"valid_loss": 0.5}, "fine_tuned_model_checkpoint": model}]

    def upload(self, path: Path, name: str) -> str:  # noqa: ARG002
        self._lose()
        with (self.folder / "uploads").open("ab") as file:
            file.write(b".")
        file_id = f"file-{os.getpid()}-{(self.folder / 'uploads').stat().st_size}"
        (self.folder / file_id).write_bytes(path.read_bytes())
        return file_id

    def has_file(self, file_id: str) -> bool:
        self._lose()
        return (self.folder / file_id).exists()

    def file_content(self, file_id: str) -> bytes:  # noqa: ARG002
        self._lose()
        return b"step,train_loss\n" + b"".join(b"%d,%d\n" % (step, STEPS - step) for step in range(1, STEPS + 1))

    def hang_up(self) -> None: ...

    async def complete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    @property
    def n_uploads(self) -> int:
        """Return how many files were ever sent."""
        try:
            return (self.folder / "uploads").stat().st_size
        except FileNotFoundError:
            return 0

    def creates_by_key(self) -> dict[str, int]:
        """Return how many jobs there ever were, by key."""
        found: dict[str, int] = {}
        for job in self.jobs():
            key = str(job.raw["metadata"][KEY])
            found[key] = found.get(key, 0) + 1
        return found

    def _lose(self) -> None:
        if self.chance.random() < self.lossy:
            raise self.chance.choice([LOST, BROKEN])


class Denied(FolderProvider):
    """A provider whose list cannot be read."""

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:  # noqa: ARG002
        raise REFUSED


class Bare(FolderProvider):
    """A provider that has neither events nor checkpoints nor result files."""

    def job_events(self, job_id: str, known: Container[str] = ()) -> list[JobEvent]:  # noqa: ARG002
        raise GONE

    def job_checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:  # noqa: ARG002
        raise GONE

    def file_content(self, file_id: str) -> bytes:  # noqa: ARG002
        raise GONE


def _event(job_id: str, step: int) -> JobEvent:
    data = {"step": step, "total_steps": STEPS, "train_loss": float(STEPS - step)}
    return JobEvent(f"{job_id}-{step}", step, "metrics", json.dumps(data), data)
