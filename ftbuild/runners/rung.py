"""A job up to an epoch: launched once for its full length, and let stand still where the checkpoint of that is there.

What comes of it decides whether the job goes on, so it waits meanwhile. Where a provider cannot pause, it runs on. The
job is that of the whole point, under its own key: whoever wants more of it later finds it, and it goes on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.errors import JobError, ProviderError
from ftbuild.ledger.failures import ended_badly, parked
from ftbuild.ledger.journal import Journal
from ftbuild.ledger.launch import Clock
from ftbuild.ledger.port import NO_ROUTE, JobEvent, JobState
from ftbuild.ledger.steer import steer
from ftbuild.lookup import LedgerFolder
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.plan.splits import job_of
from ftbuild.problem import Problem
from ftbuild.runners.job import checkpoints_of, failed, launched, let_go, note_end, told, used_by, watched
from ftbuild.runners.workshop import Remote, Workshop
from ftbuild.voice import Voice
from ftbuild.workers import Made


def checkpoint(shop: Workshop, action: Action, _key: str, done: Build, voice: Voice) -> Made:
    """Return what job.json tells of the checkpoint after an epoch, as if the job had ended there.

    Raises:
        JobError: the job has failed, was cancelled or paused, or has no checkpoint.
        Interrupted: the user stopped watching; the job goes on.
    """
    job, epoch = job_of(action), action.settings["epoch"]
    journal = LedgerFolder(shop.world).journal(job.key(done.digests(action)))
    before = journal.state()
    if before.ended_badly and not before.is_lost and before.job_id != shop.retried:
        raise ended_badly(str(before.job_id), str(before.status), before.error, before.code)
    clock, remote = Clock(shop.world.now, voice.sleep), shop.connect()
    try:
        job_id = launched(shop, remote, job, journal, done, voice)
        wanted = _Wanted(remote, epoch)
        ended = watched(shop, remote, journal, job_id, clock, voice, wanted.is_there)
        state = ended.job
        if state.parked and not wanted.look(state, ended.events):
            if not journal.state().is_held:
                raise parked(state.id, state.status)
            let_go(remote, journal, clock, job_id, voice)
            ended = watched(shop, remote, journal, job_id, clock, voice, wanted.is_there)
            state = ended.job
        if state.ended:
            note_end(journal, clock, state)
            if state.status != "succeeded":
                raise failed(shop, remote, journal, clock, state)
        elif not state.parked:
            state = _stopped(remote, state, f"held at epoch {epoch} by a sweep", journal, clock, voice)
        found = wanted.found or wanted.look(state, ended.events)
    finally:
        remote.hang_up()
    if found is None or not found.get("fine_tuned_model_checkpoint"):
        what = f"{job_id} has no checkpoint of epoch {epoch} to ask"
        fix = "a sweep with a later epoch in its rungs, or one without checkpoints."
        raise JobError(Problem(what, why="Who goes on is chosen by its answers.", fix=fix), job_id=job_id)
    if wanted.is_late:
        voice.say(f"{job_id}: the checkpoint of epoch {epoch} is gone; that of step {found['step_number']} is asked")
    value = told(shop, state, found["fine_tuned_model_checkpoint"], [found]) | {"epoch": epoch}
    note = f"{job_id}  step {found['step_number']}{f' of {wanted.n_steps}' if wanted.n_steps else ''}, {state.status}"
    return Made({"job.json": json.dumps(value, indent=1).encode() + b"\n"}, note)


def _stopped(remote: Remote, state: JobState, why: str, journal: Journal, clock: Clock, voice: Voice) -> JobState:
    """Let a job stand still, and return it as it is then: as it was, where the provider cannot pause."""
    try:
        return steer("pause", journal, remote, clock, state.id, why).job
    except ProviderError as error:
        if error.status not in NO_ROUTE:
            raise
        voice.say(f"{state.id} runs on while its checkpoint is asked: the provider cannot pause a job")
        return state


@dataclass
class _Wanted:
    """The checkpoint after an epoch, asked for until it is there; then it is `found`."""

    remote: Remote
    epoch: int
    n_steps: int | None = None
    found: Mapping[str, Any] | None = None
    is_late: bool = False

    def is_there(self, job: JobState, events: Sequence[JobEvent]) -> bool:
        """Return whether it is there; asks for the list where the steps told do not say that it cannot be."""
        step = max((event.data.get("step") or 0 for event in events), default=0)
        at = self._at(job, events)
        return (at is None or step >= at) and self.look(job, events) is not None

    def look(self, job: JobState, events: Sequence[JobEvent]) -> Mapping[str, Any] | None:
        """Return it, or the first after it where it is gone; None where there is neither."""
        at, listed = self._at(job, events), sorted(checkpoints_of(self.remote, job.id), key=_step)
        if at is None:  # one an epoch, and as yet all of them
            self.found = listed[self.epoch - 1] if len(listed) >= self.epoch else None
            return self.found
        half = at / self.epoch / 2  # providers round steps in their own ways
        self.found = next((each for each in listed if _step(each) > at - half), None)
        self.is_late = self.found is not None and _step(self.found) > at + half
        return self.found

    def _at(self, job: JobState, events: Sequence[JobEvent]) -> float | None:
        """Return after which step the epoch is over, None where that is not told."""
        self.n_steps = max((event.data.get("total_steps") or 0 for event in events), default=0) or None
        n_epochs = used_by(job).get("n_epochs")
        if self.n_steps is None or type(n_epochs) is not int:
            return None
        return self.n_steps * min(self.epoch / n_epochs, 1.0)


def _step(listed: Mapping[str, Any]) -> int:
    return int(listed["step_number"])
