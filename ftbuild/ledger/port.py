"""What a provider must offer so that jobs can be launched once and watched.

Names and statuses are OpenAI's; a status is an open string: only those that end a job and those in which it
waits for a person are known here, Azure's spellings among them. Any other is watched on.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

CANCELLED = frozenset({"cancelled", "canceled"})
TERMINAL = CANCELLED | {"succeeded", "failed"}
NO_ROUTE = (404, 405, 501)  # what a server answers that has no such route
LOST = "lost"  # the code of a job that ended because the provider did not know it when it was asked
PARKED = frozenset({"paused"})
CREATE_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class JobRequest:
    """A job to create. `metadata` holds our key, by which the job is found again.

    `integrations` are where the provider itself reports to; they change no result, so they are in no key. `extra_body`
    is what one provider takes besides the protocol.
    """

    model: str
    training_file: str
    validation_file: str | None
    method: Mapping[str, Any]
    seed: int
    suffix: str
    metadata: Mapping[str, str]
    integrations: Sequence[Mapping[str, Any]] = ()
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the body of the request."""
        body = {
            "model": self.model,
            "training_file": self.training_file,
            "method": dict(self.method),
            "seed": self.seed,
            "suffix": self.suffix,
            "metadata": dict(self.metadata),
            **self.extra_body,
        }
        body |= {"integrations": [dict(each) for each in self.integrations]} if self.integrations else {}
        return body if self.validation_file is None else {**body, "validation_file": self.validation_file}


@dataclass(frozen=True)
class JobState:
    """A job as the provider tells it; `raw` is its whole answer."""

    id: str
    status: str
    created_at: int
    fine_tuned_model: str | None
    error: str | None
    error_code: str | None = None
    estimated_finish: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Return whether the job will change no more."""
        return self.status in TERMINAL

    @property
    def parked(self) -> bool:
        """Return whether the job stands still until somebody resumes it."""
        return self.status in PARKED


@dataclass(frozen=True)
class JobEvent:
    """One event of a job: a message, or metrics in `data` (step, total_steps, train_loss, valid_loss ...)."""

    id: str
    created_at: int
    type: str
    message: str
    data: Mapping[str, Any]


class JobProvider(Protocol):
    """The port. Every method raises ProviderError.

    `create_job` sends exactly one request and waits for its answer at most CREATE_TIMEOUT_SECONDS.
    """

    def upload(self, path: Path, name: str) -> str:
        """Send a file and return its id."""
        ...

    def has_file(self, file_id: str) -> bool:
        """Return whether a file sent before is still there and can be used."""
        ...

    def file_content(self, file_id: str) -> bytes:
        """Return the bytes of a file, as the provider gives them."""
        ...

    def create_job(self, request: JobRequest) -> JobState:
        """Create a job with one POST, never repeated."""
        ...

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:
        """Return the jobs that carry `metadata`, and those of which no metadata is told, oldest first."""
        ...

    def retrieve_job(self, job_id: str) -> JobState:
        """Return the job as it is now."""
        ...

    def cancel_job(self, job_id: str) -> JobState:
        """Ask for the end of a job; asking twice does no harm."""
        ...

    def pause_job(self, job_id: str) -> JobState:
        """Ask a job to stand still; asking twice does no harm."""
        ...

    def resume_job(self, job_id: str) -> JobState:
        """Ask a paused job to go on; asking twice does no harm."""
        ...

    def job_events(self, job_id: str, known: Container[str] = ()) -> list[JobEvent]:
        """Return the events whose ids are not `known`, oldest first.

        The list is read from its newest end, and no further than to a page that holds nothing new: what the provider
        puts in late and far back is found with nothing known.
        """
        ...

    def job_checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        """Return the checkpoints, by step."""
        ...
