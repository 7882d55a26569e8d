"""Run a job: launch it once, watch it to its end, keep what it gave.

The ledger owns the promise; this module tells people what happens and turns the end of a job into
a record or an error. Ctrl-C leaves the job running.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ftbuild.errors import Interrupted, JobError, ProviderError
from ftbuild.ledger.launch import Clock, launch_once
from ftbuild.ledger.port import TERMINAL, JobEvent, JobRequest, JobState
from ftbuild.ledger.watch import Watched, watch
from ftbuild.lookup import LedgerFolder
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.problem import Problem
from ftbuild.report.sparkline import sparkline
from ftbuild.runners.integrations import explained, integrations, notes
from ftbuild.runners.wording import learning, suffix
from ftbuild.runners.workshop import Remote, Workshop
from ftbuild.settings import Provider
from ftbuild.voice import Voice
from ftbuild.workers import Made
from ftbuild.world import World

FORBIDDEN = 403


def job(shop: Workshop, action: Action, key: str, done: Build, voice: Voice) -> Made:
    """Return the finished job's outputs.

    Raises:
        JobError: the job failed or was cancelled, now or in an earlier build.
        Interrupted: the user stopped watching; the job goes on.
    """
    before = LedgerFolder(shop.world).journal(key).state()
    if before.status in TERMINAL and before.status != "succeeded":
        raise _ended_badly(str(before.job_id), str(before.status), before.error)
    remote = shop.connect()
    try:
        return _run(shop, remote, action, key, done, voice)
    except ProviderError as error:
        if (told := _told_why(error, shop.settings.provider)) is not None:
            raise told from error
        raise
    finally:
        remote.hang_up()


def _run(shop: Workshop, remote: Remote, action: Action, key: str, done: Build, voice: Voice) -> Made:
    journal = LedgerFolder(shop.world).journal(key)
    clock = Clock(shop.world.now, voice.sleep)
    digests = done.digests(action)
    remembered = shop.remembered(key)
    try:
        launched = launch_once(
            journal,
            remote,
            lambda metadata: _request(shop, remote, action, digests, metadata),
            clock,
            shop.settings.provider.settle_seconds,
            shop.command,
            shop.experiment,
            remembered,
        )
    except ProviderError as error:
        raise explained(error, shop.settings.tracker) from error.__cause__
    if remembered is not None and launched.how == "launched":
        voice.say(f"{remembered}, which the lock file remembers, is gone at the provider: trained again")
    before_now = "" if launched.how == "launched" else f" before: {launched.how}, not paid again"
    voice.say(f"{launched.job_id} was launched{before_now}")
    progress = _Progress(shop.world, voice)
    try:
        ended = watch(remote, launched.job_id, clock, shop.settings.provider.poll_seconds, progress.show)
    except Interrupted as stopped:
        raise Interrupted(
            Problem(
                f"{launched.job_id} goes on without you ({progress.text or 'just launched'}). Nothing is lost.",
                why=f"Come back: ftbuild {shlex.join(shop.command)}     Stop it: ftbuild cancel {launched.job_id}",
            )
        ) from stopped
    except ProviderError as error:
        if error.status == 404:
            journal.append(
                shop.world.now(),
                "ended",
                job_id=launched.job_id,
                status="failed",
                error="the provider has lost the job",
            )
            raise _ended_badly(launched.job_id, "failed", "the provider has lost the job") from error
        raise
    state = ended.job
    journal.append(shop.world.now(), "ended", job_id=state.id, status=state.status, error=state.error)
    if state.status != "succeeded":
        raise _ended_badly(state.id, state.status, state.error)
    for note in notes(shop.settings.tracker, ended.events):
        voice.say(note)
    return _made(shop, remote, ended)


def _told_why(error: ProviderError, provider: Provider) -> ProviderError | None:
    """Return the error with what a 403 means where the provider no longer takes jobs from everybody, else None."""
    if error.status != FORBIDDEN or provider.ends is None or provider.ends.closed_to is None:
        return None
    why = f"It takes no new jobs from {provider.ends.closed_to} ({provider.ends.source})."
    fix = "another provider: provider=azure, provider=embedded model=smollm2, or provider=compatible."
    told = replace(error.problems[0], why=why, fix=fix)
    return ProviderError(told, status=error.status, code=error.code)


def _request(
    shop: Workshop, remote: Remote, action: Action, digests: Mapping[str, str], metadata: Mapping[str, str]
) -> JobRequest:
    files = {}
    for role, digest in digests.items():
        shop.store.get(digest)  # reads it whole and refuses damaged bytes before anything is paid for
        files[role] = remote.upload(shop.store.path(digest), f"{shop.experiment}-{role}-{digest[:12]}.jsonl")
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


def _made(shop: Workshop, remote: Remote, ended: Watched) -> Made:
    job = ended.job
    steps = [
        {name: event.data.get(name) for name in ("step", "train_loss", "valid_loss", "full_valid_loss")}
        for event in ended.events
        if event.type == "metrics" and event.data.get("step") is not None
    ]
    checkpoints = remote.job_checkpoints(job.id)
    method = job.raw.get("method") or {}
    learnt = method.get(method.get("type")) or job.raw
    value = {
        "schema_version": 1,
        "job_id": job.id,
        "status": job.status,
        "base_model": job.raw["model"],
        "fine_tuned_model": job.fine_tuned_model,
        "trained_tokens": job.raw.get("trained_tokens"),
        "seed": job.raw.get("seed"),
        "hyperparameters": learnt.get("hyperparameters") or {},
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
    losses = [step["train_loss"] for step in steps if step["train_loss"] is not None]
    curve = f"  loss {losses[0]:.2f} {sparkline(losses)} {losses[-1]:.2f}" if losses else ""
    return Made(
        {
            "job.json": json.dumps(value, indent=1).encode() + b"\n",
            "metrics.jsonl": b"".join(json.dumps(step).encode() + b"\n" for step in steps),
        },
        f"{job.id}  {len(losses)} steps{curve}",
    )


def _valid_loss(metrics: Mapping[str, Any]) -> Any:
    return metrics.get("full_valid_loss", metrics.get("valid_loss"))


class _Progress:
    """The live line of a job."""

    def __init__(self, world: World, voice: Voice) -> None:
        self._world = world
        self._voice = voice
        self._metrics: Mapping[str, Any] = {}
        self.text = ""

    def show(self, job: JobState, events: list[JobEvent]) -> None:
        """Say where the job stands."""
        for event in events:
            if event.type == "metrics":
                self._metrics = event.data
        step, loss = self._metrics.get("step"), self._metrics.get("train_loss")
        where = f"step {step} of {self._metrics.get('total_steps')}" if step is not None else None
        left = None
        if job.estimated_finish and not job.ended:
            left = max(job.estimated_finish - self._world.now(), 0.0)
        told = [where, None if left is None else _about(left)]
        self.text = ", ".join(part for part in told if part) or job.status.replace("_", " ")
        shown = [
            job.status.replace("_", " "),
            where,
            None if loss is None else f"loss {loss:.2f}",
            None if left is None else f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left",
        ]
        self._voice.progress(", ".join(part for part in shown if part))


def _about(seconds: float) -> str:
    return f"about {seconds / 60:.0f} minutes left" if seconds >= 90 else "about a minute left"


def _ended_badly(job_id: str, status: str, error: str | None) -> JobError:
    return JobError(
        Problem(
            f"{job_id} was cancelled"
            if status.startswith("cancel") and not error
            else f"{job_id} {status}: {error or 'the provider gives no reason'}",
            why="It is not launched again by itself: a job costs money and hours.",
            fix=f"ftbuild retry {job_id}",
        ),
        job_id=job_id,
    )
