"""One composition becomes a graph: the settings are resolved with the digests of the sources' bytes."""

import errno
import shlex
from dataclasses import replace

from ftbuild.answer_forms import forms_of
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError, DataError
from ftbuild.judging import labelled_of
from ftbuild.plan.graph import Graph
from ftbuild.plan.resolve import resolve, resolve_job
from ftbuild.plan.rounds import Before
from ftbuild.problem import Problem
from ftbuild.rounds import looks
from ftbuild.scorers import versions
from ftbuild.store.store import Store
from ftbuild.tool_files import tools_of
from ftbuild.tool_results import keyed_results


def graph_of(composed: Composed, store: Store, *, judged: bool) -> Graph:
    """Return the graph of one composition.

    Raises:
        DataError: a source's file cannot be read, or the judge's labelled examples are none.
        ConfigError: there is no source, or a tool, or what runs it, cannot be read.
    """
    before = _job_of(composed, composed.before, store) if composed.before is not None else None
    digests, scorers = _digests(composed, store), _scorers(composed)
    return resolve(
        composed.settings,
        digests,
        scorers,
        judged=judged,
        tools=tools_of(composed),
        forms=forms_of(composed),
        results=keyed_results(composed, store.digest_of),
        labelled=labelled_of(composed),
        before=before,
    )


def _job_of(composed: Composed, before: Composed, store: Store) -> Before:
    """Return the job of the round before."""
    digests, scorers = _digests(before, store), _scorers(before)
    read = (tools_of(before), forms_of(before), keyed_results(before, store.digest_of))
    found = resolve_job(before.settings, digests, scorers, *read)
    return replace(found, number=len(composed.rounds), looks=looks(composed))


def _scorers(composed: Composed) -> dict[str, int]:
    return versions(composed.settings.evaluation.scorers, composed.settings.style)


def _digests(composed: Composed, store: Store) -> dict[str, str]:
    """Return the digest of each source's bytes."""
    if not composed.settings.dataset.of_examples:
        what = "is empty" if not composed.settings.dataset.sources else "has documents and no examples"
        raise ConfigError(Problem(f"dataset.sources {what}", "command line", fix="take an experiment."))
    digests, problems = {}, []
    for name in composed.settings.sources:
        try:
            digests[name] = composed.source_place(name).digest(store.digest_of)
        except OSError as error:
            problems.append(_unreadable(composed, name, error))
    if problems:
        raise DataError(*problems)
    return digests


def _unreadable(composed: Composed, name: str, error: OSError) -> Problem:
    place, key = composed.source_place(name), f"dataset.sources.{name}.path"
    path = place.base / place.path
    put, it, what = ("put files there", "they are", "PATTERN")
    if place.is_one or place.folder:
        what = "FOLDER" if place.folder else "FILE"
        put, it = f"put the {what.lower()} there", "it is"
    say = f"say where {it}: {key}={what}."
    fixes = {
        errno.ENOENT: f"{put}, or {say}",
        errno.EISDIR: f"name a file in it, or those that a pattern finds: {key}='{place.path}/*.jsonl'",
        errno.EACCES: f"chmod u+r {shlex.quote(str(path))}; or {say}",
        errno.ELOOP: f"the links lead round in a circle: {say}",
        errno.EINVAL: f"write what it says into a file, and {say}",
    }
    origin = composed.origins.of(key)
    return Problem(
        f"{key}: {path}: {(error.strerror or 'cannot be read').lower()}",
        origin.path if origin else "",
        origin.line if origin else None,
        fix=fixes.get(error.errno or 0, say),
    )
