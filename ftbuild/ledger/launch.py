"""Launch once: the protocol that keeps a job from being paid twice.

    known in the journal -> attach
    remembered elsewhere (a lock file in git), and the provider still has it under our key -> adopt
    found at the provider by our key -> adopt the oldest, tell of the others
    intent on the disk -> one POST -> id on the disk -> one more look: a client that knows nothing of this folder may
    have launched at the same moment, and then both take the older job and tell of the other

An answer that is lost (no answer, or 5xx, which may come after the commit) leaves the intent: the
provider's list is asked until `settle_seconds` after the loss, and only when the job is not in it
then is it launched again, once more within one call. Where a dead client left only its intent, the
loss is taken to be now, at most as late as its request could have lasted. Any other 4xx is a
refusal: nothing was launched. Cancelling is never a side effect of a dying client.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ftbuild.digest import short
from ftbuild.errors import ProviderError
from ftbuild.ledger.journal import Asked, Journal, JournalState
from ftbuild.ledger.port import CREATE_TIMEOUT_SECONDS, NO_ROUTE, JobProvider, JobRequest, JobState
from ftbuild.problem import Problem

KEY = "ftbuild_key"
ATTEMPT = "ftbuild_attempt"
LOOK_SECONDS = 1.0
CREATES_AT_MOST = 2
SKEW_SECONDS = 300.0  # of the provider's clock against ours


@dataclass(frozen=True)
class Clock:
    """Time as seen by the ledger, seconds since 1970; `chance` (0 to 1) keeps clients from asking in step."""

    now: Callable[[], float]
    sleep: Callable[[float], None]
    chance: Callable[[], float] = random.random


@dataclass(frozen=True)
class Launched:
    """A job that is ours. `how` says whether it was launched, attached (in the journal), adopted (found), or raced:
    launched elsewhere at the same moment, a little earlier than one that we launched.

    `others` are jobs that were found beside it under the same key: somebody pays for them too.
    """

    job_id: str
    how: str
    others: tuple[str, ...] = ()


def launch_once(
    journal: Journal,
    provider: JobProvider,
    make_request: Callable[[dict[str, str]], JobRequest],
    clock: Clock,
    settle_seconds: float,
    asked: Asked,
    remembered: str | None = None,
    waiting: Callable[[], None] = lambda: None,
    retried: str | None = None,
) -> Launched:
    """Return the one job of this key; `make_request` gets the metadata that the job must carry.

    `remembered` is the id of a job that may be it; `waiting` is called where another process is launching it;
    `retried` is a job that is launched once more if it is the one of this key and has ended badly.

    Raises:
        ProviderError: the provider refused the job, cannot be asked, or lost the answer twice.
        StoreError: the journal cannot be read or written; nothing was sent then.
    """
    with journal.lock(waiting):
        state = allowed(journal, clock, retried)
        if state.job_id is not None:
            return Launched(state.job_id, "attached", state.others)
        if remembered is not None and state.attempt == 1 and (known := _known(provider, remembered, journal.key)):
            return adopt(journal, clock, asked, [known])
        if found := _found(journal, provider, clock, settle_seconds):
            return adopt(journal, clock, asked, found)
        metadata = {KEY: journal.key, ATTEMPT: str(state.attempt)}
        return _create(journal, provider, make_request(metadata), clock, settle_seconds, asked)


def allowed(journal: Journal, clock: Clock, retried: str | None) -> JournalState:
    """Write down that the job of this key may be launched once more, where it is `retried` and has ended badly.

    Returns the state; whoever calls holds the lock.
    """
    state = journal.state()
    if retried is None or state.job_id != retried or not state.ended_badly:
        return state
    journal.append(clock.now(), "retry", job_id=retried)
    return journal.state()


def find_lost(journal: Journal, provider: JobProvider, clock: Clock, asked: Asked) -> JournalState:
    """Look once for the job of a key that has none in its journal, take it if it is there, and return the state.

    Raises:
        ProviderError: the provider cannot be asked.
        StoreError: the journal cannot be read or written.
    """
    with journal.lock():
        state = journal.state()
        if state.job_id is None and (found := look(journal.key, state, provider, clock)):
            adopt(journal, clock, asked, found)
            state = journal.state()
        return state


def look(
    key: str, state: JournalState, provider: JobProvider, clock: Clock, remembered: str | None = None
) -> list[JobState]:
    """Look once for the jobs of a key that has none in its journal, oldest first; writes nothing.

    Raises:
        ProviderError: the provider cannot be asked, or has no list of jobs.
    """
    if remembered is not None and state.attempt == 1 and (known := _known(provider, remembered, key)):
        return [known]
    return _look(provider, key, state, clock, None)


def _create(
    journal: Journal, provider: JobProvider, request: JobRequest, clock: Clock, settle_seconds: float, asked: Asked
) -> Launched:
    """Create the job, with a line before each request and after each answer."""
    creates = 0
    while True:
        creates += 1
        journal.append(clock.now(), "intent", request=request.to_json(), **asked.to_json())
        try:
            job = provider.create_job(request)
        except ProviderError as error:
            if not _may_have_happened(error):
                journal.append(clock.now(), "refused", error=str(error))
                raise
            journal.append(clock.now(), "lost", error=str(error))
            if found := _found(journal, provider, clock, settle_seconds):
                return adopt(journal, clock, asked, found)
            if creates == CREATES_AT_MOST:
                raise
        else:
            journal.append(clock.now(), "launched", job_id=job.id, adopted=False, **asked.to_json())
            return _raced(journal, provider, clock, asked, job.id)


def _raced(journal: Journal, provider: JobProvider, clock: Clock, asked: Asked, job_id: str) -> Launched:
    """Look once whether somebody launched a job of this key at the same moment; no answer is no news."""
    state = journal.state()
    wanted = {KEY: journal.key, ATTEMPT: str(state.attempt)}
    try:
        there = provider.find_jobs(wanted)
    except ProviderError:
        there = []
    found = [job for job in there if _is_ours(job, wanted, state) and (not job.ended or job.status == "succeeded")]
    if job_id not in [job.id for job in found] or len(found) == 1:
        return Launched(job_id, "launched")
    taken = adopt(journal, clock, asked, found)
    return replace(taken, how="launched" if taken.job_id == job_id else "raced")


def _known(provider: JobProvider, job_id: str, key: str) -> JobState | None:
    """Return the job if the provider has it and it carries our key."""
    try:
        job = provider.retrieve_job(job_id)
    except ProviderError as error:
        if error.status != 404:
            raise
        return None
    return job if (job.raw.get("metadata") or {}).get(KEY) == key else None


def _found(journal: Journal, provider: JobProvider, clock: Clock, settle_seconds: float) -> list[JobState]:
    """Return the jobs of the key; where an answer is missing, look until one must be in the list.

    Raises:
        ProviderError: the look gets no answer; or an answer is missing, and the provider has no list to look into.
    """
    state = journal.state()
    lost_at = _lost_at(state, clock.now())
    try:
        wait = None if lost_at is None else max(lost_at + settle_seconds - clock.now(), 0.0)
        return _look(provider, journal.key, state, clock, wait)
    except ProviderError as error:
        if error.status not in NO_ROUTE:
            raise
        if lost_at is not None:
            raise _unknown(journal.key, error) from error
        return []


def _unknown(key: str, error: ProviderError) -> ProviderError:
    return ProviderError(
        Problem(
            f"whether the job was launched is not known: its answer was lost ({error.problems[0].what})",
            why="This provider has no list of jobs to look into, and a second job would be paid too.",
            fix=f"see at the provider: if it is there, ftbuild adopt JOB +experiment=NAME; if not, "
            f"ftbuild retry {short(key)}",
        ),
        status=error.status,
        code=error.code,
    )


def _lost_at(state: JournalState, now: float) -> float | None:
    """Return when the answer of the last intent was lost, None where no answer is missing."""
    if state.intent_at is None:
        return None
    return min(now, state.intent_at + CREATE_TIMEOUT_SECONDS if state.lost_at is None else state.lost_at)


def _look(provider: JobProvider, key: str, state: JournalState, clock: Clock, wait: float | None) -> list[JobState]:
    """Return our jobs, oldest first, of the latest attempt; with a wait, ask until one is there or it is over.

    None is an answer only of a look that began when the wait was over; a look that gets no answer is repeated until
    then. Only our own pauses count as waited: a clock that is set forward has brought no job into the list. Where
    nothing was ever intended here, whatever attempt another clone has come to is ours.

    Raises:
        ProviderError: the last look got no answer, or one was refused.
    """
    wanted = {KEY: key}
    if state.attempt > 1 or state.intent_at is not None:
        wanted[ATTEMPT] = str(state.attempt)
    left = wait or 0.0
    while True:
        late = left <= 0
        try:
            found = [job for job in provider.find_jobs(wanted) if _is_ours(job, wanted, state)]
            if found or late:
                latest = max((attempt_of(job) for job in found), default=0)
                return [job for job in found if attempt_of(job) == latest]
        except ProviderError as error:
            if late or not passes(error):
                raise
        pause = min(LOOK_SECONDS, left)
        clock.sleep(pause)
        left -= pause


def _is_ours(job: JobState, wanted: Mapping[str, str], state: JournalState) -> bool:
    """Return whether a job carries our key.

    One of which no metadata is told is ours if it came after our intent and learns from the file that we sent.
    """
    if metadata := job.raw.get("metadata"):
        return dict(metadata).items() >= wanted.items()
    if state.request is None or state.intent_at is None:
        return False
    same = job.raw.get("training_file") == state.request.get("training_file")
    return same and job.created_at >= state.intent_at - SKEW_SECONDS


def attempt_of(job: JobState) -> int:
    """Return which attempt at its key a job is, as its metadata tells."""
    told = str((job.raw.get("metadata") or {}).get(ATTEMPT, "1"))
    return int(told) if told.isascii() and told.isdigit() else 1


def adopt(journal: Journal, clock: Clock, asked: Asked, found: Sequence[JobState]) -> Launched:
    """Take the oldest of some jobs as ours, and write down the others."""
    mine, *rest = found
    others = tuple(job.id for job in rest)
    attempt = max(attempt_of(mine), journal.state().attempt)
    told = {"job_id": mine.id, "created_at": mine.created_at, "attempt": attempt, "others": list(others)}
    journal.append(clock.now(), "launched", adopted=True, **told, **asked.to_json())
    return Launched(mine.id, "adopted", others)


def passes(error: ProviderError) -> bool:
    """Return whether the same question may be answered later: no answer, asked too soon, the other end broken."""
    return error.status is None or error.status in (408, 409, 429) or error.status >= 500


def _may_have_happened(error: ProviderError) -> bool:
    return error.status is None or error.status in (408, 409) or error.status >= 500
