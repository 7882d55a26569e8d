"""Launch once: the protocol that keeps a job from being paid twice.

    known in the journal -> attach
    remembered elsewhere (a lock file in git), and the provider still has it under our key -> adopt
    found at the provider by our key -> adopt
    intent on the disk -> one POST -> id on the disk

An answer that is lost (no answer, or 5xx, which may come after the commit) leaves the intent: the
provider's list is asked until `settle_seconds` after the loss, and only when the job is not in it
then is it launched again, once more within one call. Where a dead client left only its intent, the
loss is taken to be now, at most as late as its request could have lasted. Any other 4xx is a
refusal: nothing was launched. Cancelling is never a side effect of a dying client.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ftbuild.errors import ProviderError
from ftbuild.ledger.journal import Journal, JournalState
from ftbuild.ledger.port import CREATE_TIMEOUT_SECONDS, JobProvider, JobRequest, JobState

KEY = "ftbuild_key"
ATTEMPT = "ftbuild_attempt"
LOOK_SECONDS = 1.0
CREATES_AT_MOST = 2


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
    remembered: str | None = None,
) -> Launched:
    """Return the one job of this key; `make_request` gets the metadata that the job must carry.

    `remembered` is the id of a job that may be it.

    Raises:
        ProviderError: the provider refused the job, cannot be asked, or lost the answer twice.
        StoreError: the journal cannot be read or written; nothing was sent then.
    """
    with journal.lock():
        state = journal.state()
        if state.job_id is not None:
            return Launched(state.job_id, "attached")
        metadata = {KEY: journal.key, ATTEMPT: str(state.attempt)}
        if remembered is not None and state.attempt == 1 and (known := _known(provider, remembered, metadata)):
            return _adopt(journal, clock, known)
        lost_at = _lost_at(state, clock.now())
        if found := _look(provider, metadata, clock, None if lost_at is None else lost_at + settle_seconds):
            return _adopt(journal, clock, found)
        request = make_request(metadata)
        creates = 0
        while True:
            creates += 1
            journal.append(
                clock.now(), "intent", request=request.to_json(), command=list(command), experiment=experiment
            )
            try:
                job = provider.create_job(request)
            except ProviderError as error:
                if not _may_have_happened(error):
                    journal.append(clock.now(), "refused", error=str(error))
                    raise
                lost_at = clock.now()
                journal.append(lost_at, "lost", error=str(error))
                if found := _look(provider, metadata, clock, lost_at + settle_seconds):
                    return _adopt(journal, clock, found)
                if creates == CREATES_AT_MOST:
                    raise
            else:
                journal.append(clock.now(), "launched", job_id=job.id, adopted=False)
                return Launched(job.id, "launched")


def _known(provider: JobProvider, job_id: str, metadata: dict[str, str]) -> JobState | None:
    """Return the job if the provider has it and it carries our key."""
    try:
        job = provider.retrieve_job(job_id)
    except ProviderError as error:
        if error.status != 404:
            raise
        return None
    return job if (job.raw.get("metadata") or {}).items() >= metadata.items() else None


def _lost_at(state: JournalState, now: float) -> float | None:
    """Return when the answer of the last intent was lost, None where no answer is missing."""
    if state.intent_at is None:
        return None
    return min(now, state.intent_at + CREATE_TIMEOUT_SECONDS) if state.lost_at is None else state.lost_at


def _look(provider: JobProvider, metadata: dict[str, str], clock: Clock, deadline: float | None) -> JobState | None:
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
    return error.status is None or error.status in (408, 409) or error.status >= 500
