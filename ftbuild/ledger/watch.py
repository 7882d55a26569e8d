"""Watch a job to its end: new events once, in order, and the state after each look."""

from collections.abc import Callable
from dataclasses import dataclass

from ftbuild.errors import ProviderError
from ftbuild.ledger.launch import Clock
from ftbuild.ledger.port import JobEvent, JobProvider, JobState

LOST_AT_MOST = 20
BACK_OFF_AT_MOST = 30.0


@dataclass(frozen=True)
class Watched:
    """A job that has ended, with all its events, oldest first."""

    job: JobState
    events: tuple[JobEvent, ...]


def watch(
    provider: JobProvider,
    job_id: str,
    clock: Clock,
    poll_seconds: float,
    show: Callable[[JobState, list[JobEvent]], None],
) -> Watched:
    """Poll until the job has ended; `show` gets the state and the events not shown before.

    A look that fails for want of an answer is repeated with a growing pause.

    Raises:
        ProviderError: the provider refused, or gave no answer twenty times in a row.
    """
    seen: dict[str, JobEvent] = {}
    lost = 0
    while True:
        try:
            job = provider.retrieve_job(job_id)
            events = provider.job_events(job_id)
        except ProviderError as error:
            lost += 1
            if (error.status is not None and error.status < 500) or lost > LOST_AT_MOST:
                raise
            clock.sleep(min(poll_seconds * 2**lost, BACK_OFF_AT_MOST))
            continue
        lost = 0
        fresh = [event for event in events if event.id not in seen]
        seen |= {event.id: event for event in fresh}
        show(job, fresh)
        if job.ended:
            return Watched(job, tuple(seen.values()))
        clock.sleep(poll_seconds)
