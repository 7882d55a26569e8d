"""`ftbuild adopt JOB +experiment=NAME`: take a job that is at the provider as the job of an experiment.

For a job that was launched elsewhere, or that the provider's list no longer finds. Builds the data, since the
key follows from it; launches nothing. What the job costs counts in the budget from then on.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.named_job import known
from ftbuild.cli.options import Options
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.cli.walk import walked
from ftbuild.digest import short
from ftbuild.elsewhere import take
from ftbuild.errors import ConfigError, ExitCode, ProviderError
from ftbuild.estimates import of_job
from ftbuild.ledger.launch import KEY
from ftbuild.ledger.port import JobState
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.plan.action import JOB, Action
from ftbuild.points import Point, one_graph
from ftbuild.problem import Problem
from ftbuild.report.progress import spoken
from ftbuild.runners.job import asked_by
from ftbuild.store.place import refuse_network
from ftbuild.store.store import Store


def adopt(options: Options) -> int:
    """Write the job into the journal of the experiment's key.

    Raises:
        ConfigError: it is not that experiment's job, or the key has another.
        ProviderError: the provider does not have it.
    """
    if len(options.words) != 1:
        raise ConfigError(Problem("adopt takes the id of one job", "command line", fix="ftbuild jobs"))
    [job_id] = options.words
    for each in known(options)[0]:
        if each.state.job_id == job_id:
            print(f"{job_id} is known here already, as the job of {each.state.asked.experiment or 'no experiment'}")
            return int(ExitCode.DONE)
    if not options.overrides:
        fix = f"ftbuild adopt {job_id} +experiment=NAME"
        raise ConfigError(Problem(f"no job {job_id!r} here, and no experiment to take it for", "command line", fix=fix))
    world = world_of(options)
    refuse_network(world.store)
    store = Store(world.store)
    graph, points = one_graph(composed_of(options), smoke_overrides(options), store, smoke=options.smoke)
    [point] = points
    action = next((graph.actions[name] for name in point.ids if graph.actions[name].kind is JOB), None)
    if action is None:
        raise ConfigError(Problem(f"{point.composed.experiment} trains nothing", "command line"))
    with walked(graph.up_to("render"), points, store, world, options) as done:
        key = action.key(done.digests(action))
    ledger = LedgerFolder(world)
    usd = of_job(point, look_up(graph, store, ledger), store).cost_usd
    _take(job_id, key, action, point, ledger, usd)
    return int(ExitCode.DONE)


def _take(job_id: str, key: str, action: Action, point: Point, ledger: LedgerFolder, usd: float | None) -> None:
    from ftbuild.providers.connection import Connection

    world = ledger.world
    settings = point.composed.settings
    remote = Connection(settings.provider, None, world)
    try:
        job = remote.retrieve_job(job_id)
    except ProviderError as error:
        if error.status != 404:
            raise
        what = f"{job_id}: the provider of this experiment does not have it"
        raise ProviderError(Problem(what, fix="another provider=NAME?"), status=404) from error
    finally:
        remote.hang_up()
    if problems := list(_differences(job, key, action, settings.model.id)):
        raise ConfigError(*problems)
    journal = ledger.journal(key)
    asked = asked_by(settings.provider, point.composed.experiment, point.command, action.id)
    state = journal.state()
    again = replace(ledger, retried=state.job_id if state.ended_badly else None)
    if take(again, key, action.id, usd, [job], asked) is None:
        state = journal.state()
        what = f"{short(key)} has a job already: {state.job_id}, {spoken(str(state.status))}"
        raise ConfigError(Problem(what, "command line", fix="one result a key; method, data or seed make another."))
    print(f"{job_id} is the job of {asked.experiment} now: {spoken(job.status)}")
    print(f"Go on: ftbuild {shlex.join(asked.command)}")


def _differences(job: JobState, key: str, action: Action, model: str) -> Iterator[Problem]:
    """Yield what shows that a job is not the one that the action would launch; its data is told by its key alone."""
    metadata: Mapping[str, Any] = job.raw.get("metadata") or {}
    theirs = metadata.get(KEY)
    if theirs is not None and theirs != key:
        what = f"{job.id} was launched for other settings or data: its key is {short(theirs)}, here it is {short(key)}"
        yield Problem(what, "command line", fix="adopt it where settings and data are as they were then.")
        return
    method = job.raw.get("method") or {}
    pairs = (
        ("model", job.raw.get("model"), model),
        ("method", method.get("type", "supervised"), action.settings["method"]["type"]),
        ("seed", job.raw.get("seed"), action.settings["seed"]),
    )
    for name, found, wanted in pairs:
        if found is not None and found != wanted:
            yield Problem(f"{job.id} has another {name}: {found!r}, here it is {wanted!r}", "command line")
