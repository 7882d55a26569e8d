"""The job of a point that goes no further: cancelled at its rung, and told so in its journal.

Where the profile says that a provider bills only what was trained, the rest of what was reserved is given back.
"""

from contextlib import suppress

from ftbuild.errors import ProviderError
from ftbuild.ledger.budget import Reservations
from ftbuild.ledger.journal import Journal
from ftbuild.ledger.launch import Clock
from ftbuild.ledger.port import NO_ROUTE, TERMINAL, JobProvider
from ftbuild.ledger.steer import steer
from ftbuild.ledger.untrained import give_back, is_due, steps
from ftbuild.lookup import LedgerFolder
from ftbuild.points import Point
from ftbuild.providers.connection import Connection
from ftbuild.report.progress import spoken
from ftbuild.world import World


def cut(point: Point, key: str, epoch: int, world: World) -> str:
    """Cancel the job of a point unless it has ended, and return it in words; "" where there is nothing to cancel.

    Raises:
        ProviderError: no answer, or a refusal; the same command tries it again.
        StoreError: it cannot be written down; nothing was sent then.
    """
    ledger, provider = LedgerFolder(world), point.composed.settings.provider
    journal, reservations = ledger.journal(key), Reservations(ledger.folder)
    state = journal.state()
    has_ended = state.job_id is None or state.status in TERMINAL
    if has_ended and not (provider.bills_trained and is_due(state, state.status, reservations)):
        return ""
    remote, clock = Connection(provider, None, world), Clock(world.now, world.sleep)
    try:
        given_back = reservations if provider.bills_trained else None
        return cancelled(remote, journal, clock, f"cut at epoch {epoch} by a sweep", given_back)
    finally:
        remote.hang_up()


def cancelled(
    remote: JobProvider, journal: Journal, clock: Clock, why: str, reservations: Reservations | None = None
) -> str:
    """Cancel the job of a journal unless it has ended, and return how it ended, "" where it had; one that its provider
    cannot cancel runs on. With `reservations` what it has not trained is given back.

    Raises:
        ProviderError: no answer, or a refusal.
        StoreError: it cannot be written down.
    """
    state = journal.state()
    said = "" if state.status in TERMINAL else _ended(remote, journal, clock, str(state.job_id), why)
    if reservations is not None:
        state = journal.state()
        with suppress(ProviderError):  # it is cancelled; the next look at the job gives it back
            give_back(state, state.status, remote, reservations, clock.now())
    return said


def _ended(remote: JobProvider, journal: Journal, clock: Clock, job_id: str, why: str) -> str:
    try:
        job = steer("cancel", journal, remote, clock, job_id, why).job
    except ProviderError as error:
        if error.status not in NO_ROUTE:
            raise
        return f"{job_id} runs to its end: the provider cannot cancel a job"
    said = f"{job_id} {spoken(job.status)}"
    if not job.ended or job.status == "succeeded":
        return said
    with suppress(ProviderError):  # how far it came is told where that is known
        step, n_steps = steps(remote, job_id)
        said += f" after step {step} of {n_steps}" if n_steps else ""
    return said
