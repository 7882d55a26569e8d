"""Launch once: the protocol that keeps a job from being paid twice.

    known in the journal -> attach
    found at the provider by our key -> adopt
    intent on the disk -> one POST -> id on the disk

An answer that is lost (no answer, or 5xx, which may come after the commit) leaves the intent:
the provider's list is asked until `settle_seconds` after the intent; only then may it be
launched again. Cancelling is never a side effect of a dying client.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ftbuild.errors import ProviderError
from ftbuild.ledger.journal import Journal
from ftbuild.ledger.port import JobProvider, JobRequest, JobState

KEY = "ftbuild_key"
ATTEMPT = "ftbuild_attempt"
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Clock:
    """Time as seen by the ledger, seconds since 1970."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Launched:
    """A job that is ours. `how` says whether it was launched, attached (in the journal) or adopted (found)."""

    job_id: str
    how: str


def launch_once(
    journal: Journal,
    provider: JobProvider,
    make_request: Callable[[dict[str, str]], JobRequest],
    clock: Clock,
    settle_seconds: float,
    command: tuple[str, ...],
    experiment: str,
) -> Launched:
    """Return the one job of this key; `make_request` gets the metadata that the job must carry.

    Raises:
        ProviderError: the provider refused the job, or cannot be asked.
    """
    with journal.lock():
        state = journal.state()
        if state.job_id is not None:
            return Launched(state.job_id, "attached")
        metadata = {KEY: journal.key, ATTEMPT: str(state.attempt)}
        deadline = None if state.intent_at is None else state.intent_at + settle_seconds
        if found := _look(provider, metadata, clock, deadline):
            return _adopt(journal, clock, found)
        request = make_request(metadata)
        journal.append(
            clock.now(), "intent", request=request.to_json(), command=list(command), experiment=experiment
        )
        intent_at = clock.now()
        try:
            job = provider.create_job(request)
        except ProviderError as error:
            if not _may_have_happened(error):
                journal.append(clock.now(), "refused", error=str(error))
                raise
            if found := _look(provider, metadata, clock, intent_at + settle_seconds):
                return _adopt(journal, clock, found)
            raise
        journal.append(clock.now(), "launched", job_id=job.id, adopted=False)
        return Launched(job.id, "launched")


def _look(
    provider: JobProvider, metadata: dict[str, str], clock: Clock, deadline: float | None
) -> JobState | None:
    """Return the oldest job with our key; with a deadline, ask until then."""
    while True:
        if found := provider.find_jobs(metadata):
            return found[0]
        if deadline is None or clock.now() >= deadline:
            return None
        clock.sleep(min(LOOK_SECONDS, max(deadline - clock.now(), 0.0)))


def _adopt(journal: Journal, clock: Clock, job: JobState) -> Launched:
    journal.append(clock.now(), "launched", job_id=job.id, adopted=True)
    return Launched(job.id, "adopted")


def _may_have_happened(error: ProviderError) -> bool:
    return error.status is None or error.status in (408, 409, 429) or error.status >= 500
