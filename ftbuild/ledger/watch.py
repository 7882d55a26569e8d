"""Watch a job to its end: new events once, in order, and the state after each look."""

from collections.abc import Callable, Iterable
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
    """Poll until the job has ended; `show` gets the state and the events not shown before, oldest first.

    An event counts once, by its id, whatever the provider repeats, and is placed by its time, whatever
    order it comes in (those of one second in the order given). A look that fails for want of an
    answer, or because it came too soon (429), is repeated with a growing pause.

    Raises:
        ProviderError: the provider refused, or gave no answer more than twenty times in a row.
    """
    seen: dict[str, JobEvent] = {}
    lost = 0
    while True:
        try:
            job = provider.retrieve_job(job_id)
            events = provider.job_events(job_id)
        except ProviderError as error:
            lost += 1
            if not _passes(error) or lost > LOST_AT_MOST:
                raise
            clock.sleep(min(poll_seconds * 2**lost, BACK_OFF_AT_MOST))
            continue
        lost = 0
        fresh = {event.id: event for event in events if event.id not in seen}
        seen |= fresh
        show(job, _in_order(fresh.values()))
        if job.ended:
            return Watched(job, tuple(_in_order(seen.values())))
        clock.sleep(poll_seconds)


def _in_order(events: Iterable[JobEvent]) -> list[JobEvent]:
    return sorted(events, key=lambda event: event.created_at)


def _passes(error: ProviderError) -> bool:
    return error.status is None or error.status in (408, 409, 429) or error.status >= 500
