"""What a provider must offer so that jobs can be launched once and watched.

Names and statuses are OpenAI's; a status is an open string, only the terminal ones are known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "canceled"})
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

    def create_job(self, request: JobRequest) -> JobState:
        """Create a job with one POST, never repeated."""
        ...

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:
        """Return the jobs that carry `metadata`, oldest first."""
        ...

    def retrieve_job(self, job_id: str) -> JobState:
        """Return the job as it is now."""
        ...

    def cancel_job(self, job_id: str) -> JobState:
        """Ask for the end of a job."""
        ...

    def job_events(self, job_id: str) -> list[JobEvent]:
        """Return all events so far, oldest first."""
        ...

    def job_checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        """Return the checkpoints, by step."""
        ...
