"""What a cancelled job has not trained: given back to the budget, where its provider bills only what was.

It is no part of cancelling, for whoever cancels may die before it is done: it is due for every cancelled job whose
price still stands whole, and whoever looks at the job next does it, once. What was trained is the share of the steps
that the provider tells of; while it tells of none, all of the price stays reserved.
"""

from ftbuild.ledger.budget import Reservations, name_of
from ftbuild.ledger.journal import JournalState
from ftbuild.ledger.port import CANCELLED, JobProvider


def is_due(state: JournalState, status: str | None, reservations: Reservations) -> bool:
    """Return whether the price of a job stands whole though it was cancelled, its status being that of now.

    Raises:
        StoreError: the reservations cannot be read.
    """
    return status in CANCELLED and reservations.is_whole(_name(state))


def give_back(
    state: JournalState, status: str | None, provider: JobProvider, reservations: Reservations, at: float
) -> None:
    """Give back what a job has not trained, where that is due.

    Raises:
        ProviderError: its events cannot be asked for.
        StoreError: the reservations cannot be read or written.
    """
    if not is_due(state, status, reservations):
        return
    step, n_steps = steps(provider, str(state.job_id))
    if n_steps:
        reservations.settle(_name(state), step / n_steps, at)


def steps(provider: JobProvider, job_id: str) -> tuple[int, int]:
    """Return how many steps a job has come, and of how many; 0 of 0 where it tells of none.

    Raises:
        ProviderError: its events cannot be asked for.
    """
    told = [event.data for event in provider.job_events(job_id) if event.type == "metrics"]
    step, n_steps = (max((each.get(name) or 0 for each in told), default=0) for name in ("step", "total_steps"))
    return step, n_steps


def _name(state: JournalState) -> str:
    return name_of(state.asked.action, state.attempt)
