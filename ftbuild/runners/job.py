"""Run a job: launch it once, watch it to its end, keep what it gave.

The ledger owns the promise; this module tells people what happens and turns the end of a job into
a record or an error. Ctrl-C leaves the job running.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ftbuild.digest import of_value, short
from ftbuild.errors import Interrupted, JobError, ProviderError
from ftbuild.ledger.budget import Reservations
from ftbuild.ledger.failures import CLOSED, ended_badly, failure, parked, refused
from ftbuild.ledger.journal import Asked, Journal
from ftbuild.ledger.launch import Clock, Launched, launch_once
from ftbuild.ledger.port import LOST, NO_ROUTE, JobEvent, JobRequest, JobState
from ftbuild.ledger.results import Row, merged, rows_of_events, rows_of_file
from ftbuild.ledger.steer import steer
from ftbuild.ledger.untrained import give_back
from ftbuild.ledger.uploads import Uploads
from ftbuild.ledger.watch import Watched, complete, watch
from ftbuild.lookup import LedgerFolder
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.problem import Problem
from ftbuild.report.progress import JobProgress, curve
from ftbuild.runners.head_room import room_said
from ftbuild.runners.integrations import explained, integrations, notes
from ftbuild.runners.wording import learning, suffix
from ftbuild.runners.workshop import Remote, Workshop
from ftbuild.settings import Provider
from ftbuild.voice import Voice
from ftbuild.workers import Made

REFUSALS = range(400, 500)
GONE = "the provider has lost the job"


def job(shop: Workshop, action: Action, key: str, done: Build, voice: Voice) -> Made:
    """Return the finished job's outputs.

    Raises:
        JobError: the job failed or was cancelled, now or in an earlier build, or it is paused.
        Interrupted: the user stopped watching; the job goes on.
    """
    ledger = LedgerFolder(shop.world)
    before = ledger.journal(key).state()
    if before.ended_badly and not before.is_lost and before.job_id != shop.retried:
        raise ended_badly(str(before.job_id), str(before.status), before.error, before.code)
    if (kept := ledger.kept(key)) is not None:
        return Made(*kept)
    if shop.judged and (said := room_said(shop.settings, action, done)):
        voice.say(said)
    remote = shop.connect()
    try:
        return _run(shop, remote, action, ledger.journal(key), done, voice)
    finally:
        remote.hang_up()


def _run(shop: Workshop, remote: Remote, action: Action, journal: Journal, done: Build, voice: Voice) -> Made:
    clock = Clock(shop.world.now, voice.sleep)
    job_id = launched(shop, remote, action, journal, done, voice)
    ended = watched(shop, remote, journal, job_id, clock, voice)
    if ended.job.parked and journal.state().is_held:
        let_go(remote, journal, clock, job_id, voice)
        ended = watched(shop, remote, journal, job_id, clock, voice)
    state = ended.job
    if state.parked:
        raise parked(state.id, state.status)
    note_end(journal, clock, state)
    if state.status != "succeeded":
        raise failed(shop, remote, journal, clock, state)
    if state.fine_tuned_model is None:
        raise unnamed(state.id)
    for note in notes(shop.settings.tracker, ended.events):
        voice.say(note)
    return _made(shop, remote, ended, voice)


def launched(shop: Workshop, remote: Remote, action: Action, journal: Journal, done: Build, voice: Voice) -> str:
    """Launch the job of an action once, tell where it comes from, and return its id.

    Raises:
        ProviderError: the provider refused it, or cannot be asked.
    """
    clock = Clock(shop.world.now, voice.sleep)
    digests = done.digests(action)
    remembered = shop.remembered(journal.key)
    try:
        found = launch_once(
            journal,
            remote,
            lambda metadata: _request(shop, remote, action, digests, metadata, voice),
            clock,
            shop.settings.provider.settle_seconds,
            asked_by(shop.settings.provider, shop.experiment, shop.command, action.id),
            remembered,
            lambda: voice.say(f"{action.label}: another ftbuild is launching it; its job is taken"),
            shop.retried,
        )
    except ProviderError as error:
        raise told_why(refused(explained(error, shop.settings.tracker)), shop.settings.provider) from error
    _tell(found, remembered, voice)
    return found.job_id


def let_go(remote: Remote, journal: Journal, clock: Clock, job_id: str, voice: Voice) -> None:
    """Let a job go on that a sweep has let stand still."""
    steer("resume", journal, remote, clock, job_id)
    voice.say(f"{job_id} goes on")


def _tell(launched: Launched, remembered: str | None, voice: Voice) -> None:
    """Say where the job comes from, and which others somebody pays for."""
    if remembered is not None and launched.how == "launched":
        voice.say(f"{remembered}, which the lock file remembers, is gone at the provider: trained again")
    if launched.how == "raced":
        voice.say(f"{launched.job_id} was launched elsewhere at the same moment, a little earlier: it is taken")
    else:
        before_now = "" if launched.how == "launched" else f" before: {launched.how}, not paid again"
        voice.say(f"{launched.job_id} was launched{before_now}")
    for line in others_told(launched):
        voice.say(line)


def others_told(launched: Launched) -> Iterator[str]:
    """Yield what is to be said of jobs that were found beside the one that was taken, when it was taken."""
    for other in launched.others if launched.how != "attached" else ():
        yield f"{other} is another job of the same key and costs money too. Stop it: ftbuild cancel {other}"


def asked_by(provider: Provider, experiment: str, command: tuple[str, ...], action: str) -> Asked:
    """Return who asks for a job, as its journal has it."""
    return Asked(command, experiment, provider.model_dump(mode="json", exclude_defaults=True), action)


def watched(
    shop: Workshop,
    remote: Remote,
    journal: Journal,
    job_id: str,
    clock: Clock,
    voice: Voice,
    enough: Callable[[JobState, Sequence[JobEvent]], bool] = lambda *_: False,
) -> Watched:
    """Return the job when it has ended, is parked or has come far `enough`; each of its statuses is in the journal."""
    progress = JobProgress()
    before = journal.state()
    status, page = before.status, None

    def show(job: JobState, events: list[JobEvent]) -> None:
        nonlocal status, page
        if job.status != status and not job.ended:
            journal.append(clock.now(), "status", job_id=job.id, status=job.status)
        status = job.status
        progress.add(job, events, clock.now())
        voice.progress(progress.line)
        curves.add(rows_of_events(events))
        if page is None and (page := curves.url()) is not None:
            voice.say(f"W&B: {page} grows while {job_id} trains")

    provider = shop.settings.provider
    settle_seconds = 0.0 if before.is_lost else provider.settle_seconds
    try:
        with shop.curves(job_id) as curves:
            return watch(remote, job_id, clock, provider.poll_seconds, show, settle_seconds, enough)
    except Interrupted as stopped:
        raise Interrupted(
            Problem(
                f"{job_id} goes on without you ({progress.text or 'just launched'}). Nothing is lost.",
                why=f"Come back: ftbuild {shlex.join(shop.command)}\n    Stop it:   ftbuild cancel {job_id}",
            )
        ) from stopped
    except ProviderError as error:
        if error.status == 404:
            note_end(journal, clock, JobState(job_id, "failed", 0, None, GONE, LOST))
            raise ended_badly(job_id, "failed", GONE, LOST) from error
        first = error.problems[0]
        told = Problem(
            first.what,
            first.path,
            first.line,
            why=first.why or f"{job_id} goes on at the provider; nothing is lost.",
            fix=first.fix or "the same command comes back to it.",
        )
        raise ProviderError(told, status=error.status, code=error.code, retry_after=error.retry_after) from error


def note_end(journal: Journal, clock: Clock, job: JobState) -> None:
    """Write down how a job has ended."""
    journal.append(clock.now(), "ended", job_id=job.id, status=job.status, error=job.error, code=job.error_code)


def failed(shop: Workshop, remote: Remote, journal: Journal, clock: Clock, job: JobState) -> JobError:
    """Return the error of a job that has ended badly; what one that was cancelled has not trained is given back."""
    if shop.settings.provider.bills_trained:
        with suppress(ProviderError):  # the next look at the job does it
            reservations = Reservations(LedgerFolder(shop.world).folder)
            give_back(journal.state(), job.status, remote, reservations, clock.now())
    return ended_badly(job.id, job.status, job.error, job.error_code)


def unnamed(job_id: str) -> JobError:
    """Return the error of a job that has succeeded, and whose provider does not say what the model is called."""
    what = f"{job_id} succeeded, and the provider does not name its model"
    return JobError(Problem(what, why="Nothing is lost.", fix="the same command asks again."), job_id=job_id)


def told_why(error: ProviderError, provider: Provider) -> ProviderError:
    """Return the error of a launch; of an account that may not, with whom the provider no longer takes jobs from."""
    first = error.problems[0]
    if failure(first.what, error.code, error.status) is not CLOSED or error.status not in REFUSALS:
        return error
    if provider.ends is None or provider.ends.closed_to is None:
        return error
    why = f"{first.why} It takes no new jobs from {provider.ends.closed_to} ({provider.ends.source})."
    told = replace(first, why=why.strip())
    return ProviderError(told, status=error.status, code=error.code, retry_after=error.retry_after)


def _request(
    shop: Workshop,
    remote: Remote,
    action: Action,
    digests: Mapping[str, str],
    metadata: Mapping[str, str],
    voice: Voice,
) -> JobRequest:
    """Send the files and return what is asked for.

    Raises:
        Interrupted: the user stopped it while the files were sent: nothing is launched any more.
    """
    uploads = Uploads(LedgerFolder(shop.world).folder, short(of_value(shop.settings.provider.keyed())))
    files = {}
    for role, digest in digests.items():
        shop.store.get(digest)  # reads it whole and refuses damaged bytes before anything is paid for
        name = f"{shop.experiment}-{role}-{digest[:12]}.jsonl"
        files[role] = uploads.file_id(remote, shop.store.path(digest), digest, name, shop.world.now())
    voice.sleep(0)
    method, provider = action.settings["method"], shop.settings.provider
    return JobRequest(
        model=shop.settings.model.id,
        training_file=files["training_file"],
        validation_file=files["validation_file"],
        method={"type": method["type"], method["type"]: learning(action.settings, provider)},
        seed=shop.settings.seed,
        suffix=suffix(shop.experiment, provider),
        metadata={**metadata, "ftbuild_experiment": shop.experiment},
        integrations=integrations(shop.settings.tracker, shop.experiment, shop.command),
        extra_body=provider.extra_body,
    )


def _made(shop: Workshop, remote: Remote, ended: Watched, voice: Voice) -> Made:
    job = ended.job
    steps = _steps(remote, ended, voice)
    checkpoints = checkpoints_of(remote, job.id)
    value = told(shop, job, job.fine_tuned_model, checkpoints)
    losses = [step["train_loss"] for step in steps if step["train_loss"] is not None]
    return Made(
        {
            "job.json": json.dumps(value, indent=1).encode() + b"\n",
            "metrics.jsonl": b"".join(json.dumps(step).encode() + b"\n" for step in steps),
        },
        "  ".join(part for part in (job.id, f"{len(losses)} steps", curve(losses)) if part),
    )


def told(shop: Workshop, job: JobState, model: str | None, checkpoints: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what job.json tells of a job and of the model that it has made."""
    return {
        "schema_version": 1,
        "job_id": job.id,
        "status": job.status,
        "base_model": job.raw.get("model") or shop.settings.model.id,
        "fine_tuned_model": model,
        "trained_tokens": job.raw.get("trained_tokens"),
        "seed": job.raw.get("seed"),
        "hyperparameters": used_by(job),
        "asked": shop.settings.method.hyperparameters.keyed(),
        "checkpoints": [
            {
                "step": each["step_number"],
                "valid_loss": _valid_loss(each.get("metrics") or {}),
                "model": each.get("fine_tuned_model_checkpoint"),
            }
            for each in checkpoints
        ],
        "chosen": "last",
    }


def used_by(job: JobState) -> Mapping[str, Any]:
    """Return the hyperparameters of a job as its provider tells them."""
    method = job.raw.get("method") or {}
    learnt = method.get(method.get("type")) or job.raw
    return learnt.get("hyperparameters") or {}


def _valid_loss(metrics: Mapping[str, Any]) -> Any:
    return metrics.get("full_valid_loss", metrics.get("valid_loss"))


def checkpoints_of(remote: Remote, job_id: str) -> list[Mapping[str, Any]]:
    """Return the checkpoints; none where the provider has no list of them."""
    try:
        return remote.job_checkpoints(job_id)
    except ProviderError as error:
        if error.status not in NO_ROUTE:
            raise
        return []


def _steps(remote: Remote, ended: Watched, voice: Voice) -> list[Row]:
    """Return the metrics of each step; from the result files too where the events do not tell of all."""
    steps = rows_of_events(ended.events)
    if complete(ended.job, ended.events):
        return steps
    found: list[Row] = []
    for file_id in ended.job.raw.get("result_files") or ():
        try:
            found = merged(found, rows_of_file(remote.file_content(str(file_id))))
        except ProviderError as error:
            voice.note(f"result file {file_id}: {error}")
    return merged(steps, found) if len(found) > len(steps) else steps
