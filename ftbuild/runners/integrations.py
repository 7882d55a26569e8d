"""What a job asks its provider to report to, and what people hear when that is refused or comes to little."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ftbuild.errors import ProviderError
from ftbuild.ledger.port import JobEvent
from ftbuild.problem import Problem
from ftbuild.settings import Tracker
from ftbuild.trackers.wandb_run import run_name

NAMES = ("integration", "wandb", "weights")
TWO_STEPS = (
    "It takes two steps: an administrator stores a key of Weights & Biases in the provider's dashboard (our own server "
    "reads WANDB_API_KEY where it runs), then the job names the project."
)


def integrations(tracker: Tracker, experiment: str, command: Sequence[str]) -> list[dict[str, Any]]:
    """Return the integrations of a job, as the protocol spells them."""
    if not tracker.at_provider:
        return []
    asked: Mapping[str, Any] = {
        "project": tracker.project,
        "name": run_name(experiment, command),
        "entity": tracker.entity,
        "tags": tracker.tags,
    }
    return [{"type": "wandb", "wandb": {name: value for name, value in asked.items() if value}}]


def explained(error: ProviderError, tracker: Tracker) -> ProviderError:
    """Return the error; where the provider refused the integration, with the two steps that it takes."""
    said = str(error)
    refused = error.status is not None and 400 <= error.status < 500
    if not (tracker.at_provider and refused and any(name in said.lower() for name in NAMES)):
        return error
    fix = "store the key there, or write the run from here: tracker.from=client"
    told = Problem(said, why=TWO_STEPS, fix=fix)
    return ProviderError(told, status=error.status, code=error.code, retry_after=error.retry_after)


def notes(tracker: Tracker, events: Iterable[JobEvent]) -> Iterator[str]:
    """Yield what the provider says of the run it writes."""
    if tracker.at_provider:
        yield from (each.message for each in events if each.message.startswith("Weights & Biases"))
