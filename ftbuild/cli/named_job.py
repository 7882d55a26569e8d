"""Which job a word names, and the provider it is at."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.options import Options, parse
from ftbuild.errors import ConfigError, ProviderError, StoreError
from ftbuild.ledger.budget import Reservations
from ftbuild.ledger.journal import Asked, Journal, JournalState, journals
from ftbuild.ledger.launch import Clock, find_lost
from ftbuild.ledger.untrained import give_back, is_due
from ftbuild.problem import Problem, nearest
from ftbuild.world import World

if TYPE_CHECKING:
    from ftbuild.providers.connection import Connection
    from ftbuild.settings import Provider

KEY_AT_LEAST = 8  # letters of a key that name it


@dataclass(frozen=True)
class NamedJob:
    """A job, the journal that knows it and the world of that. `job_id` is None where a key has no job."""

    world: World
    journal: Journal
    state: JournalState
    job_id: str | None

    @property
    def is_current(self) -> bool:
        """Return whether it is the job of its key now: not one before a retry, nor another under the same key."""
        return self.job_id == self.state.job_id

    @property
    def clock(self) -> Clock:
        """Return the clock of its world."""
        return Clock(self.world.now, self.world.sleep)


def worlds(options: Options) -> list[World]:
    """Return the worlds of the project that have a ledger: its own, and that of smoke runs."""
    return [world_of(replace(options, smoke=smoke)) for smoke in (False, True)]


def known(options: Options) -> tuple[list[NamedJob], list[Problem]]:
    """Return the jobs of the project by key, each as it is now, and what is wrong with journals that cannot be read."""
    found: list[NamedJob] = []
    problems: list[Problem] = []
    for world in worlds(options):
        for journal in journals(world.store / "ledger"):
            try:
                state = journal.state()
            except StoreError as error:
                problems += error.problems
            else:
                found.append(NamedJob(world, journal, state, state.job_id))
    return found, problems


def named(options: Options) -> NamedJob:
    """Return the job that the command line names, by its id or by its key's first letters.

    Raises:
        ConfigError: it names none, or one that is not known here.
        StoreError: it is in no journal that can be read, and others cannot.
    """
    if len(options.words) != 1:
        raise ConfigError(Problem(f"{options.verb} takes the id of one job", "command line", fix="ftbuild jobs"))
    [word] = options.words
    found, problems = known(options)
    for each in found:
        if each.state.knows(word):
            return replace(each, job_id=word)
    by_key = [each for each in found if len(word) >= KEY_AT_LEAST and each.journal.key.startswith(word)]
    if len(by_key) == 1:
        return by_key[0]
    if problems:  # it may be in one of those
        raise StoreError(*problems)
    close = nearest(word, [each.job_id for each in found if each.job_id])
    fix = f"ftbuild {options.verb} {close}" if close else "ftbuild jobs lists them."
    raise ConfigError(Problem(f"no job {word!r} here", "command line", fix=fix))


def looked_up(job: NamedJob, options: Options) -> NamedJob:
    """Return the job, asked for at the provider where only its key is known; `job_id` stays None where it has none."""
    if job.job_id is not None:
        return job
    with connected(job.world, job.state.asked, options) as connection:
        state = find_lost(job.journal, connection, job.clock, job.state.asked)
    return replace(job, state=state, job_id=state.job_id)


def is_due_back(job: NamedJob, status: str | None) -> bool:
    """Return whether a job was cancelled, and nothing of its price was given back: where it is the job of its key now.

    Raises:
        StoreError: the reservations cannot be read.
    """
    return job.is_current and is_due(job.state, status, Reservations(job.world.store / "ledger"))


def give_back_untrained(job: NamedJob, status: str | None, options: Options) -> None:
    """Give back what a cancelled job has not trained, where that is due; without an answer the next look does it."""
    if not is_due_back(job, status) or not provider_of(job.state.asked, options).bills_trained:
        return
    with suppress(ProviderError), connected(job.world, job.state.asked, options) as connection:
        give_back(job.state, status, connection, Reservations(job.world.store / "ledger"), job.world.now())


@contextmanager
def connected(world: World, asked: Asked, options: Options) -> "Iterator[Connection]":
    """Give a connection to the provider that a job was asked of: as its journal says, else as its command does."""
    from ftbuild.providers.connection import Connection

    connection = Connection(provider_of(asked, options), None, world)
    try:
        yield connection
    finally:
        connection.hang_up()


def provider_of(asked: Asked, options: Options) -> "Provider":
    """Return the settings of the provider that a job was asked of."""
    from pydantic import ValidationError

    from ftbuild.settings import Provider

    if asked.provider is not None:
        with suppress(ValidationError):  # of another version of ftbuild
            return Provider.model_validate(dict(asked.provider), strict=False)
    again = parse("build", asked.command)
    return composed_of(replace(again, folder=options.folder)).points[0].settings.provider
