"""`ftbuild retry JOB`: launch a job that ended badly once more, by building again what asked for it.

That it may be launched is written down when it is, and not before: whoever is refused at the gate, or says no there,
has allowed nothing.
"""

from dataclasses import replace

from ftbuild.cli.build import build
from ftbuild.cli.named_job import NamedJob, give_back_untrained, named
from ftbuild.cli.options import Options, parse
from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.report.progress import spoken


def retry(options: Options) -> int:
    """Build with the job to be launched once more. Repeated, it goes on with the job that it launched.

    Raises:
        ConfigError: the job has not ended badly.
    """
    job = named(options)
    if job.job_id is None:
        _take_for_not_launched(job)
    elif job.job_id not in job.state.past and not (job.is_current and job.state.ended_badly):
        fix = f"ftbuild resume {job.job_id}" if job.state.status == "paused" else "nothing to retry."
        what = f"{job.job_id} is {spoken(str(job.state.status))}, not failed or cancelled"
        raise ConfigError(Problem(what, "command line", fix=fix))
    give_back_untrained(job, job.state.status, options)
    again = parse("build", job.state.asked.command)
    allowed = replace(again, yes=options.yes, max_cost=options.max_cost, retried=job.job_id)
    return build(replace(allowed, folder=options.folder))


def _take_for_not_launched(job: NamedJob) -> None:
    """Write down what somebody has seen at the provider: that the create whose answer was lost launched nothing."""
    with job.journal.lock():
        if job.journal.state().phase == "intent":
            job.journal.append(job.world.now(), "refused", error="taken for not launched, by ftbuild retry")
