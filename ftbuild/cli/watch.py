"""`ftbuild watch JOB`: follow a job to its end from any terminal.

Owns nothing, and writes nothing down but what a cancelled job gives back.
"""

import sys
from datetime import UTC, datetime

from ftbuild.cli.named_job import connected, give_back_untrained, looked_up, named, provider_of
from ftbuild.cli.options import Options
from ftbuild.digest import short
from ftbuild.errors import ConfigError, ExitCode, Interrupted
from ftbuild.ledger.failures import ended_badly, parked
from ftbuild.ledger.port import TERMINAL, JobEvent, JobState
from ftbuild.ledger.watch import watch as follow
from ftbuild.problem import Problem
from ftbuild.report.progress import JobProgress

POLL_AT_LEAST = 0.5
CLEAR = "\r\x1b[K"


def watch(options: Options) -> int:
    """Print each event once, as it comes, and how the job ended; its end is the exit code.

    Raises:
        JobError: it failed, was cancelled, or is paused.
        Interrupted: Ctrl-C; the job goes on.
    """
    job = looked_up(named(options), options)
    if job.job_id is None:
        what = f"no job of {short(job.journal.key)} is at the provider"
        raise ConfigError(Problem(what, "command line", fix="build the experiment: it looks again, then launches."))
    state = job.state
    if job.is_current and state.status in TERMINAL and not state.is_lost:
        give_back_untrained(job, state.status, options)
        return _ended(job.job_id, str(state.status), state.error, state.code)
    screen, provider = _Screen(), provider_of(state.asked, options)
    poll_seconds = max(provider.poll_seconds, POLL_AT_LEAST)
    try:
        with connected(job.world, state.asked, options) as connection:
            ended = follow(connection, job.job_id, job.clock, poll_seconds, screen.show, provider.settle_seconds)
    except KeyboardInterrupt as stopped:
        what = f"{job.job_id} goes on without you ({screen.progress.text or 'under way'})."
        raise Interrupted(Problem(what, why=f"Come back: ftbuild watch {job.job_id}")) from stopped
    finally:
        screen.clear()
    if ended.job.parked:
        raise parked(job.job_id, ended.job.status)
    give_back_untrained(job, ended.job.status, options)
    return _ended(job.job_id, ended.job.status, ended.job.error, ended.job.error_code, ended.job.fine_tuned_model)


def _ended(job_id: str, status: str, error: str | None, code: str | None, model: str | None = None) -> int:
    if status != "succeeded":
        raise ended_badly(job_id, status, error, code)
    print(f"{job_id} succeeded" + (f": {model}" if model else ""))
    return int(ExitCode.DONE)


class _Screen:
    """Events as lines on stdout; on a terminal a live line on stderr below them."""

    def __init__(self) -> None:
        self.progress = JobProgress()
        self._live = sys.stderr.isatty()

    def show(self, job: JobState, events: list[JobEvent]) -> None:
        """Print the new events, then where the job stands."""
        self.progress.add(job, events, datetime.now(UTC).timestamp())
        self.clear()
        for event in events:
            print(f"{datetime.fromtimestamp(event.created_at, UTC):%H:%M:%S} {event.message}", flush=True)
        if self._live:
            sys.stderr.write(CLEAR + self.progress.line)
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the live line away."""
        if self._live:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
