"""Watch a job until it has ended or stands still: new events once, in order, and the state after each look.

Only what is new is asked for; when the job has ended all events are read once more, since a list may lag
behind the job and put an event in late.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.errors import ProviderError
from ftbuild.ledger.launch import Clock, passes
from ftbuild.ledger.port import NO_ROUTE, JobEvent, JobProvider, JobState

LOST_AT_MOST = 20
BACK_OFF_AT_MOST = 30.0
RETRY_AFTER_AT_MOST = 600.0
JITTER = 0.2
QUIET_LOOKS = 10  # that many without news, and the pauses begin to grow
GROWS, GROWN_AT_MOST = 1.3, 6.0
LAST_LOOKS = 3  # at the events of a job that has ended


@dataclass(frozen=True)
class Watched:
    """A job that has ended, is parked or has come far enough, with its events, oldest first."""

    job: JobState
    events: tuple[JobEvent, ...]


def watch(
    provider: JobProvider,
    job_id: str,
    clock: Clock,
    poll_seconds: float,
    show: Callable[[JobState, list[JobEvent]], None],
    settle_seconds: float = 0.0,
    enough: Callable[[JobState, Sequence[JobEvent]], bool] = lambda *_: False,
) -> Watched:
    """Poll until the job has ended, is parked, or has come far `enough` by its events; `show` gets the state and the
    events not shown before, oldest first.

    An event counts once, by its id, whatever the provider repeats, and is placed by its time, whatever
    order it comes in (those of one second in the order given). A look that fails for want of an
    answer, or because it came too soon (429), is repeated with a growing pause, at the earliest when the provider
    says; so is one that finds no job, in the first `settle_seconds`. Pauses grow while there is nothing new.

    Raises:
        ProviderError: the provider refused, or gave no answer more than twenty times in a row.
    """
    seen: dict[str, JobEvent] = {}
    began, lost, quiet, status = clock.now(), 0, 0, ""
    while True:
        everything = not seen
        try:
            job = provider.retrieve_job(job_id)
            events = _events(provider, job_id, seen.keys())
            over = job.ended or job.parked
            is_enough = not over and enough(job, [*seen.values(), *events])
        except ProviderError as error:
            lost += 1
            early = error.status == 404 and not status and clock.now() < began + settle_seconds
            if not (passes(error) or early) or lost > LOST_AT_MOST:
                raise
            _pause(clock, min(poll_seconds * 2**lost, BACK_OFF_AT_MOST), error)
            continue
        fresh = _new(events, seen)
        quiet = 0 if fresh or job.status != status else quiet + 1
        lost, status = 0, job.status
        show(job, fresh)
        if over:
            _read_the_rest(provider, job, seen, clock, poll_seconds, show, everything=everything)
        if over or is_enough:
            return Watched(job, tuple(_in_order(seen.values())))
        grown = min(GROWS ** max(quiet - QUIET_LOOKS, 0), GROWN_AT_MOST)
        _pause(clock, min(poll_seconds * grown, max(poll_seconds, BACK_OFF_AT_MOST)))


def _read_the_rest(
    provider: JobProvider,
    job: JobState,
    seen: dict[str, JobEvent],
    clock: Clock,
    poll_seconds: float,
    show: Callable[[JobState, list[JobEvent]], None],
    *,
    everything: bool,
) -> None:
    """Read all events once more, and again where steps are missing; what gets no answer is done without."""
    for looks in range(LAST_LOOKS):
        if everything and complete(job, seen.values()):
            return
        if looks or everything:
            _pause(clock, poll_seconds)
        everything = True
        try:
            fresh = _new(_events(provider, job.id, ()), seen)
        except ProviderError as error:
            if not passes(error):
                return
            continue
        if fresh:
            show(job, fresh)


def _events(provider: JobProvider, job_id: str, known: Container[str]) -> list[JobEvent]:
    """Return the new events of a job that is there; none where the provider has no list of them."""
    try:
        return provider.job_events(job_id, known)
    except ProviderError as error:
        if error.status not in NO_ROUTE:
            raise
        return []


def complete(job: JobState, events: Iterable[JobEvent]) -> bool:
    """Return whether the events tell of every step of a job that succeeded; of any other job they are what they are."""
    steps: list[Mapping[str, Any]] = [event.data for event in events if event.type == "metrics"]
    told = {each.get("step") for each in steps}
    total = max((each.get("total_steps") or 0 for each in steps), default=0)
    return job.status != "succeeded" or (total > 0 and told >= set(range(1, total + 1)))


def _new(events: Iterable[JobEvent], seen: dict[str, JobEvent]) -> list[JobEvent]:
    """Return the events not seen before, in order, and remember them."""
    fresh = {event.id: event for event in events if event.id not in seen}
    seen |= fresh
    return _in_order(fresh.values())


def _in_order(events: Iterable[JobEvent]) -> list[JobEvent]:
    return sorted(events, key=lambda event: event.created_at)


def _pause(clock: Clock, seconds: float, error: ProviderError | None = None) -> None:
    """Wait about so long, and at least as long as the provider asks for."""
    asked = min((error and error.retry_after) or 0.0, RETRY_AFTER_AT_MOST)
    clock.sleep(max(seconds * (1 - JITTER + 2 * JITTER * clock.chance()), asked))
