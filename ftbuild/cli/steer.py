"""`ftbuild cancel JOB`, `pause JOB`, `resume JOB`: what is wished of a job, written down first, then sent."""

import shlex

from ftbuild.cli.named_job import NamedJob, connected, give_back_untrained, looked_up, named
from ftbuild.cli.options import Options
from ftbuild.digest import short
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.ledger.journal import Wish
from ftbuild.ledger.port import TERMINAL
from ftbuild.ledger.steer import Steered, steer
from ftbuild.problem import Problem
from ftbuild.report.progress import spoken


def cancel(options: Options) -> int:
    """Stop a job for good."""
    return _steer("cancel", options)


def pause(options: Options) -> int:
    """Let a job stand still until it is resumed."""
    return _steer("pause", options)


def resume(options: Options) -> int:
    """Let a paused job go on."""
    return _steer("resume", options)


def _steer(wish: Wish, options: Options) -> int:
    job = looked_up(named(options), options)
    if job.job_id is None:
        print(f"No job of {short(job.journal.key)} is at the provider: nothing to {wish}. The next build looks again.")
        return int(ExitCode.DONE)
    if ended := _ended(job):
        give_back_untrained(job, ended, options)
        return _said_ended(wish, job.job_id, ended, _successor(job))
    with connected(job.world, job.state.asked, options) as connection:
        done = steer(wish, job.journal, connection, job.clock, job.job_id)
    give_back_untrained(job, done.job.status, options)
    if done.job.ended and (done.before or wish != "cancel" or not done.job.status.startswith("cancel")):
        return _said_ended(wish, done.job.id, done.job.status)
    print(_words(wish, done, shlex.join(job.state.asked.command)))
    return int(ExitCode.DONE)


def _ended(job: NamedJob) -> str | None:
    """Return how the job ended, None where it has not or that is not known: of another job nobody wrote it down."""
    if job.job_id in job.state.past:
        return "failed or cancelled before it was retried"
    state = job.state
    return state.status if job.is_current and state.status in TERMINAL and not state.is_lost else None


def _successor(job: NamedJob) -> str | None:
    """Return the job that was launched in place of an earlier one, None where none was or it has ended too."""
    state = job.state
    return state.job_id if job.job_id in state.past and state.status not in TERMINAL else None


def _said_ended(wish: Wish, job_id: str, status: str, successor: str | None = None) -> int:
    """Say that the job has ended; one that was to be cancelled does not run, which was the wish.

    `successor` is the job that runs in its place.

    Raises:
        ConfigError: it was to be paused or resumed.
    """
    said = f"{job_id} has ended already: {spoken(status)}"
    if wish != "cancel":
        fix = f"ftbuild retry {job_id}" if status.startswith(("fail", "cancel")) else f"nothing to {wish}."
        if successor is not None:
            fix = f"{successor} runs in its place: ftbuild {wish} {successor}"
        raise ConfigError(Problem(said, "command line", fix=fix))
    print(said)
    return int(ExitCode.DONE)


def _words(wish: Wish, done: Steered, command: str) -> str:
    job_id, status = done.job.id, spoken(done.job.status)
    if not done.reached:
        return f"{job_id} {status}: it takes the provider a while. Follow it: ftbuild watch {job_id}"
    if wish == "cancel":
        return f"{job_id} {status}"
    already = f"{job_id} is {status} already" if done.before else f"{job_id} {status}"
    then = f"Let it go on: ftbuild resume {job_id}" if wish == "pause" else f"Come back to it: ftbuild {command}"
    return f"{already}. {then}"
