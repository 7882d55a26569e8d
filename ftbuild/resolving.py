"""One composition becomes a graph: the settings are resolved with the digests of the sources' bytes."""

from ftbuild.answer_forms import forms_of
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError, DataError
from ftbuild.plan.graph import Graph
from ftbuild.plan.resolve import resolve
from ftbuild.problem import Problem
from ftbuild.scorers import versions
from ftbuild.store.store import Store
from ftbuild.tool_files import tools_of


def graph_of(composed: Composed, store: Store, *, judged: bool) -> Graph:
    """Return the graph of one composition.

    Raises:
        DataError: a source's file cannot be read.
        ConfigError: there is no source, or a tool cannot be read.
    """
    sources = composed.settings.dataset.sources
    if not sources:
        raise ConfigError(Problem("dataset.sources is empty", "command line", fix="take an experiment."))
    digests, problems = {}, []
    for name in sources:
        try:
            digests[name] = store.digest_of(composed.source_path(name))
        except OSError as error:
            origin = composed.origins.of(f"dataset.sources.{name}.path")
            problems.append(
                Problem(
                    f"dataset.sources.{name}.path: {composed.source_path(name)}: "
                    f"{(error.strerror or 'cannot be read').lower()}",
                    origin.path if origin else "",
                    origin.line if origin else None,
                    fix=f"put the file there, or say where it is: dataset.sources.{name}.path=FILE.",
                )
            )
    if problems:
        raise DataError(*problems)
    scorers = versions(composed.settings.evaluation.scorers, composed.settings.style)
    tools, forms = tools_of(composed), forms_of(composed)
    return resolve(composed.settings, digests, scorers, judged=judged, tools=tools, forms=forms)
