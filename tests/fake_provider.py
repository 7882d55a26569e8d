"""A provider of jobs that lives in a folder, loses answers on demand, and dies where it is told.

Its jobs are files, so several processes see the same ones. A fault is named for where it strikes:

    lost_before    the request never arrives
    lost_after     the job is created, the answer is lost
    refused        400
    dies_before, dies_after    the client is killed before or after the provider has created the job
"""

import json
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ftbuild.errors import ProviderError
from ftbuild.ledger.launch import Clock
from ftbuild.ledger.port import JobEvent, JobRequest, JobState

LOST = ProviderError("fake: no answer")
BROKEN = ProviderError("fake: internal error", status=500)
REFUSED = ProviderError("fake: unknown model", status=400, code="model_not_found")


class Killed(BaseException):
    """The client dies here."""


class Script:
    """A clock that only `sleep` moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep, lambda: 0.5)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def request(metadata: Mapping[str, str]) -> JobRequest:
    return JobRequest(
        model="tiny",
        training_file="file-1",
        validation_file=None,
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}},
        seed=7,
        suffix="test",
        metadata=metadata,
    )


@dataclass
class FakeProvider:
    """Implements JobProvider. `faults` strike the creates in turn, `looks_late` hides that many looks' finds."""

    folder: Path
    faults: list[str] = field(default_factory=list)
    looks_late: int = 0
    looks: int = 0
    creates: int = 0
    script: Sequence[tuple[JobState | ProviderError, Sequence[JobEvent]]] = ()
    asked_anew: list[bool] = field(default_factory=list)

    def jobs(self) -> list[JobState]:
        """Return every job there is, oldest first; one is there with the line end of its file."""
        texts = [path.read_text() for path in self.folder.glob("ftjob-*.json")]
        found = sorted((json.loads(text) for text in texts if text.endswith("\n")), key=lambda job: job["created_at"])
        return [JobState(each["id"], "queued", each["created_at"], None, None, raw=each) for each in found]

    def create_job(self, request: JobRequest) -> JobState:
        self.creates += 1
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "dies_before":
            raise Killed
        if fault == "lost_before":
            raise LOST
        if fault == "refused":
            raise REFUSED
        job_id = self._commit(request)
        if fault == "dies_after":
            raise Killed
        if fault == "lost_after":
            raise BROKEN
        return next(job for job in self.jobs() if job.id == job_id)

    def _commit(self, request: JobRequest) -> str:
        for number in count(1):
            value = {"id": f"ftjob-{number}", "created_at": number, **request.to_json()}
            with suppress(FileExistsError), (self.folder / f"ftjob-{number}.json").open("x") as file:
                file.write(f"{json.dumps(value)}\n")
                break
        return f"ftjob-{number}"

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:
        self.looks += 1
        if self.looks <= self.looks_late:
            return []
        return [job for job in self.jobs() if job.raw["metadata"].items() >= metadata.items()]

    def retrieve_job(self, job_id: str) -> JobState:  # noqa: ARG002
        (state, _), *_rest = self.script
        if isinstance(state, ProviderError):
            self.script = self.script[1:]
            raise state
        return state

    def job_events(self, job_id: str, known: Container[str] = ()) -> list[JobEvent]:  # noqa: ARG002
        (_, events), *rest = self.script
        self.script = rest or self.script  # the last one is said for good
        self.asked_anew.append(not known)
        return list(events)

    def upload(self, path: Path, name: str) -> str:
        raise NotImplementedError

    def cancel_job(self, job_id: str) -> JobState:
        raise NotImplementedError

    def job_checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        raise NotImplementedError
