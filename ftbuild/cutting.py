"""The job of a point that goes no further: cancelled at its rung, and told so in its journal.

Where the profile says that a provider bills only what was trained, the rest of what was reserved is given back: the
share of the steps that it has not told of. Where that is not known all of it stays reserved.
"""

from ftbuild.errors import ProviderError
from ftbuild.ledger.budget import NO_LIMIT, Reservations, name_of
from ftbuild.ledger.launch import Clock
from ftbuild.ledger.port import NO_ROUTE, TERMINAL
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
        ended = steer("cancel", journal, remote, clock, state.job_id, f"cut at epoch {epoch} by a sweep").job
        steps = [event.data for event in remote.job_events(state.job_id) if event.type == "metrics"]
    except ProviderError as error:
        if error.status not in NO_ROUTE:
            raise
        return f"{state.job_id} runs to its end: the provider cannot cancel a job"
    finally:
        remote.hang_up()
    step = max((each.get("step") or 0 for each in steps), default=0)
    n_steps = max((each.get("total_steps") or 0 for each in steps), default=0)
    name, reservations = name_of(job.id, state.attempt), Reservations(ledger.folder)
    reserved = reservations.standing().get(name)
    if ended.status != "succeeded" and provider.bills_trained and n_steps and reserved:
        reservations.reserve({name: round(reserved * step / n_steps, 6)}, NO_LIMIT, clock.now())
    after = f" after step {step} of {n_steps}" if n_steps else ""
    return f"{state.job_id} {spoken(ended.status)}{after}"
