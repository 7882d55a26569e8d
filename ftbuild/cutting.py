"""The job of a point that goes no further: cancelled at its rung, and told so in its journal.

Where the profile says that a provider bills only what was trained, the rest of what was reserved is given back: the
share of the steps that it has not told of. Where that is not known all of it stays reserved.
"""

from dataclasses import dataclass

from ftbuild.errors import ProviderError
from ftbuild.ledger.budget import NO_LIMIT, Reservations, name_of
from ftbuild.ledger.journal import Journal
from ftbuild.ledger.launch import Clock
from ftbuild.ledger.port import NO_ROUTE, TERMINAL, JobProvider
from ftbuild.ledger.steer import steer
from ftbuild.lookup import LedgerFolder
from ftbuild.plan.action import Action
from ftbuild.points import Point
from ftbuild.providers.connection import Connection
from ftbuild.report.progress import spoken
from ftbuild.world import World


def cut(point: Point, job: Action, key: str, epoch: int, world: World) -> str:
    """Cancel the job of a point unless it has ended, and return it in words; "" where there is nothing to cancel.

    Raises:
        ProviderError: no answer, or a refusal; the same command tries it again.
        StoreError: it cannot be written down; nothing was sent then.
    """
    ledger = LedgerFolder(world)
    journal = ledger.journal(key)
    state = journal.state()
    if state.job_id is None or state.status in TERMINAL:
        return ""
    provider = point.composed.settings.provider
    remote, clock = Connection(provider, None, world), Clock(world.now, world.sleep)
    try:
        ended = cancelled(remote, journal, clock, state.job_id, f"cut at epoch {epoch} by a sweep")
    finally:
        remote.hang_up()
    if provider.bills_trained and ended.share < 1:
        give_back(Reservations(ledger.folder), name_of(job.id, state.attempt), ended.share, clock.now())
    return ended.said


@dataclass(frozen=True)
class Cancelled:
    """How a job ended, in words, and the share of its steps that it has trained; 1 where that is not told."""

    said: str
    share: float = 1.0


def cancelled(remote: JobProvider, journal: Journal, clock: Clock, job_id: str, why: str) -> Cancelled:
    """Cancel a job; one that its provider cannot cancel runs on.

    Raises:
        ProviderError: no answer, or a refusal.
    """
    try:
        ended = steer("cancel", journal, remote, clock, job_id, why).job
    except ProviderError as error:
        if error.status not in NO_ROUTE:
            raise
        return Cancelled(f"{job_id} runs to its end: the provider cannot cancel a job")
    said = f"{job_id} {spoken(ended.status)}"
    try:
        steps = [event.data for event in remote.job_events(job_id) if event.type == "metrics"]
    except ProviderError:  # it is cancelled, and how far it came is a matter of money given back
        return Cancelled(said)
    step = max((each.get("step") or 0 for each in steps), default=0)
    n_steps = max((each.get("total_steps") or 0 for each in steps), default=0)
    if not n_steps or not ended.ended or ended.status == "succeeded":
        return Cancelled(said)
    return Cancelled(f"{said} after step {step} of {n_steps}", step / n_steps)


def give_back(reservations: Reservations, name: str, share: float, at: float) -> None:
    """Leave a share of what is reserved under a name, and give the rest back."""
    if reserved := reservations.standing().get(name):
        reservations.reserve({name: round(reserved * share, 6)}, NO_LIMIT, at)
