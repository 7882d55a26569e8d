"""`ftbuild retry JOB`: launch a job that ended badly once more, by building again what asked for it."""

from dataclasses import replace

from ftbuild.cli.build import build
from ftbuild.cli.named_job import NamedJob, named
from ftbuild.cli.options import Options, parse
from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.report.progress import spoken


def retry(options: Options) -> int:
    """Write down that it may be launched again, then build. Repeated, it goes on with the job that it launched.

    Raises:
        ConfigError: the job has not ended badly.
    """
    job = named(options)
    if job.job_id not in job.state.past:
        with job.journal.lock():
            _allow(job)
    again = parse("build", job.state.asked.command)
    return build(replace(again, folder=options.folder, yes=options.yes, max_cost=options.max_cost))


def _allow(job: NamedJob) -> None:
    """Write down that the job may be launched once more; of a key without a job, that none was launched."""
    state, now = job.journal.state(), job.world.now()
    if job.job_id is None:
        if state.phase == "intent":
            job.journal.append(now, "refused", error="taken for not launched, by ftbuild retry")
    elif state.job_id == job.job_id and state.ended_badly:
        job.journal.append(now, "retry", job_id=job.job_id)
    elif job.job_id not in state.past:
        fix = f"ftbuild resume {job.job_id}" if state.status == "paused" else "nothing to retry."
        what = f"{job.job_id} is {spoken(str(state.status))}, not failed or cancelled"
        raise ConfigError(Problem(what, "command line", fix=fix))
