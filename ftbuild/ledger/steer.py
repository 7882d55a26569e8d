"""Cancel, pause and resume: the wish is written down first, then sent, then waited for. Each may be repeated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ftbuild.errors import ProviderError
from ftbuild.ledger.journal import Journal, Wish
from ftbuild.ledger.launch import Clock, passes
from ftbuild.ledger.port import NO_ROUTE, JobProvider, JobState
from ftbuild.problem import Problem

WAIT_SECONDS = 30.0
LOOK_SECONDS = 0.5
# what is so when the wish has come true
REACHED: Mapping[Wish, Callable[[JobState], bool]] = {
    "cancel": lambda job: job.ended,
    "pause": lambda job: job.parked or job.ended,
    "resume": lambda job: not job.parked and job.status != "pausing",
}


@dataclass(frozen=True)
class Steered:
    """The job after a wish. `before` is whether it was so before we asked, `reached` whether it has come true."""

    job: JobState
    before: bool
    reached: bool


def steer(wish: Wish, journal: Journal, provider: JobProvider, clock: Clock, job_id: str, why: str = "") -> Steered:
    """Ask for it unless it is so, and wait up to half a minute for it to come true.

    `why` is written down where no person wishes it.

    Raises:
        ProviderError: no answer, or a refusal; the wish is in the journal. Or the provider cannot do this: it is
            taken back there.
        StoreError: the wish cannot be written; nothing was sent then.
    """
    reached = REACHED[wish]
    journal.append(clock.now(), wish, job_id=job_id, **({"why": why} if why else {}))
    job = provider.retrieve_job(job_id)
    before = reached(job)
    if not before:
        try:
            job = _ask(wish, provider, job)
        except ProviderError as error:
            if error.status in NO_ROUTE:  # it will never come true
                journal.append(clock.now(), "status", job_id=job.id, status=job.status, answers=wish)
            raise
        deadline = clock.now() + WAIT_SECONDS
        while not reached(job) and clock.now() < deadline:
            clock.sleep(LOOK_SECONDS)
            job = _looked(provider, job)
    if job.ended:
        said = job.error or (why if job.status.startswith("cancel") else "") or None
        note = {"job_id": job.id, "status": job.status, "error": said, "code": job.error_code}
        journal.append(clock.now(), "ended", **note)
    else:
        journal.append(clock.now(), "status", job_id=job.id, status=job.status, answers=wish)
    return Steered(job, before, reached(job))


def _ask(wish: Wish, provider: JobProvider, job: JobState) -> JobState:
    """Send the wish; a job that was quicker than we is no error."""
    send = {"cancel": provider.cancel_job, "pause": provider.pause_job, "resume": provider.resume_job}[wish]
    try:
        return send(job.id)
    except ProviderError as error:
        if passes(error) and error.status != 409:
            raise
        now = provider.retrieve_job(job.id)
        if REACHED[wish](now) or now.ended:
            return now
        if error.status in NO_ROUTE:
            what = f"{error.problems[0].what} ({error.status}): this provider cannot {wish} a job"
            fix = f"ftbuild cancel {job.id} ends it; ftbuild watch {job.id} follows it."
            raise ProviderError(Problem(what, fix=fix), status=error.status, code=error.code) from error
        raise


def _looked(provider: JobProvider, job: JobState) -> JobState:
    """Return the job as it is now; as it was where there is no answer."""
    try:
        return provider.retrieve_job(job.id)
    except ProviderError as error:
        if not passes(error):
            raise
        return job
