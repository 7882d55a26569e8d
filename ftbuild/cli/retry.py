"""`ftbuild retry JOB`: launch a job that ended badly once more, by building again what asked for it."""

from dataclasses import replace

from ftbuild.cli.build import build
from ftbuild.cli.named_job import named
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
            state = job.journal.state()
            if job.job_id is not None and not state.ended_badly and job.job_id not in state.past:
                paused = f"ftbuild resume {job.job_id}" if state.status == "paused" else "nothing to retry."
                what = f"{job.job_id} is {spoken(str(state.status))}, not failed or cancelled"
                raise ConfigError(Problem(what, "command line", fix=paused))
            if state.job_id == job.job_id and job.job_id is not None:
                job.journal.append(job.world.now(), "retry", job_id=job.job_id)
    again = parse("build", job.state.asked.command)
    return build(replace(again, folder=options.folder))
