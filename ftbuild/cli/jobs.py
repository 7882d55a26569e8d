"""`ftbuild jobs`, `retry JOB`, `cancel JOB`: the jobs of this project, from their journals."""

from dataclasses import replace

from ftbuild.cli.build import build, composed_of, world_of
from ftbuild.cli.options import Options, parse
from ftbuild.errors import ConfigError, ExitCode, ProviderError
from ftbuild.ledger.journal import Journal, find_journal, journals
from ftbuild.ledger.port import TERMINAL
from ftbuild.problem import Problem, nearest
from ftbuild.world import World


def jobs(options: Options) -> int:
    """Print every job with its state; what the journal knows, without asking the provider."""
    rows = []
    for world in _worlds(options):
        for journal in journals(world.store / "ledger"):
            state = journal.state()
            rows.append(
                (state.job_id or "not launched", state.status or "intended", state.experiment, state.error or "")
            )
    if not rows:
        print("No jobs yet. Launch one: ftbuild +experiment=NAME")
    for job_id, status, experiment, error in rows:
        print(f"{job_id:32} {status:12} {experiment:20} {error}".rstrip())
    return int(ExitCode.DONE)


def retry(options: Options) -> int:
    """Launch a job that ended badly once more, by building again what asked for it."""
    world, journal = _named(options)
    with journal.lock():
        state = journal.state()
        if not state.ended_badly:
            raise ConfigError(
                Problem(
                    f"{state.job_id} is {state.status}, not failed or cancelled",
                    "command line",
                    fix="nothing to retry.",
                )
            )
        journal.append(world.now(), "retry")
    again = parse("build", state.command)
    return build(replace(again, folder=options.folder, yes=options.yes, max_cost=options.max_cost))


def cancel(options: Options) -> int:
    """Stop a job: the wish is written down first, then sent."""
    world, journal = _named(options)
    state = journal.state()
    if state.status in TERMINAL:
        print(f"{state.job_id} has ended already: {state.status}")
        return int(ExitCode.DONE)
    journal.append(world.now(), "cancel")
    from ftbuild.providers.connection import Connection

    again = parse("build", state.command)
    settings = composed_of(replace(again, folder=options.folder)).points[0].settings
    remote = Connection(settings.provider, None, world)
    try:
        job, said = remote.cancel_job(str(state.job_id)), ""
    except ProviderError as error:
        if error.status != 400:
            raise
        job, said = remote.retrieve_job(str(state.job_id)), "has ended already: "  # it was quicker than we
        if not job.ended:
            raise
    if job.ended:
        journal.append(world.now(), "ended", job_id=job.id, status=job.status, error=job.error)
    print(f"{job.id} {said}{job.status}")
    return int(ExitCode.DONE)


def _worlds(options: Options) -> list[World]:
    return [world_of(replace(options, smoke=smoke)) for smoke in (False, True)]


def _named(options: Options) -> tuple[World, Journal]:
    if len(options.words) != 1:
        raise ConfigError(Problem(f"{options.verb} takes the id of one job", "command line", fix="ftbuild jobs"))
    job_id = options.words[0]
    known = []
    for world in _worlds(options):
        if (journal := find_journal(world.store / "ledger", job_id)) is not None:
            return world, journal
        known += [state.job_id for each in journals(world.store / "ledger") if (state := each.state()).job_id]
    close = nearest(job_id, known)
    raise ConfigError(Problem(f"no job {job_id!r} here", "command line", fix=close or "ftbuild jobs lists them."))
