"""Jobs that are at their provider already though this store does not know them: a second clone, a deleted outputs/.

Nobody is asked to pay for them. What is taken over is reserved in the budget all the same, whatever its limit: it is
spent. The reservation comes first, so that a client that dies in between has counted too much, never too little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ftbuild import lockfile
from ftbuild.errors import ProviderError
from ftbuild.ledger.budget import NO_LIMIT, Reservations, name_of
from ftbuild.ledger.journal import Asked
from ftbuild.ledger.launch import Clock, Launched, adopt, allowed, attempt_of, look
from ftbuild.ledger.port import NO_ROUTE, JobState
from ftbuild.lookup import LedgerFolder, Planned
from ftbuild.plan.action import JOB
from ftbuild.plan.estimate import Estimate
from ftbuild.points import Point, owners
from ftbuild.providers.connection import Connection


def jobs(
    planned: Sequence[Planned],
    points: Sequence[Point],
    costs: Mapping[str, Estimate],
    ledger: LedgerFolder,
    *,
    hurried: bool = False,
) -> dict[str, list[JobState]]:
    """Return the jobs that are there, oldest first, by the action that would be paid for otherwise; writes nothing.

    Somebody `hurried` is not kept waiting by a provider that does not answer.

    Raises:
        ProviderError: a provider cannot be asked; one that has no list of jobs is not.
    """
    own, found = owners(points), {}
    for one in planned:
        if one.action.kind is not JOB or one.key is None or one.status != "RUN" or costs[one.action.id].cost_usd == 0:
            continue
        if there := _there(own[one.action.id], one.key, ledger, hurried=hurried):
            found[one.action.id] = there
    return found


def _there(point: Point, key: str, ledger: LedgerFolder, *, hurried: bool) -> list[JobState]:
    world = ledger.world
    path = lockfile.place(world.root, point)
    remembered = lockfile.job_of(lockfile.read(path), key) if path is not None else None
    remote = Connection(point.composed.settings.provider, None, world, hurried=hurried)
    try:
        return look(key, ledger.state(key), remote, Clock(world.now, world.sleep), remembered)
    except ProviderError as error:
        if error.status not in NO_ROUTE:
            raise
        return []
    finally:
        remote.hang_up()


def as_told(planned: Sequence[Planned], there: Mapping[str, Sequence[JobState]]) -> list[Planned]:
    """Return the plan as it will be when the jobs that are there have been taken over."""
    why = {name: f"{mine.id} is at the provider: adopted, not paid again" for name, (mine, *_) in there.items()}
    return [
        replace(one, status="ATTACH", reasons=[why[one.action.id]]) if one.action.id in why else one for one in planned
    ]


def take(
    ledger: LedgerFolder, key: str, work: str, usd: float | None, found: Sequence[JobState], asked: Asked
) -> Launched | None:
    """Take the oldest of some jobs as that of a key, at `usd` (None where nobody knows the price).

    None where the key has a job by now.

    Raises:
        StoreError: it cannot be written down.
    """
    journal, clock = ledger.journal(key), Clock(ledger.world.now, ledger.world.sleep)
    with journal.lock():
        state = allowed(journal, clock, ledger.retried)
        if state.job_id is not None:
            return None
        if usd != 0:
            name = name_of(work, max(attempt_of(found[0]), state.attempt))
            Reservations(ledger.folder).reserve({name: usd or 0.0}, NO_LIMIT, clock.now())
        return adopt(journal, clock, asked, found)
