"""A run, found again: the graph of what it was built from, where its results are still those that it told of."""

from ftbuild.cli.export import is_smoke
from ftbuild.cli.options import Options
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError
from ftbuild.history import Run
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.plan.action import REPORT
from ftbuild.plan.graph import Graph
from ftbuild.problem import Problem
from ftbuild.resolving import graph_of
from ftbuild.store.store import Store
from ftbuild.world import World


def refuse_unjudged(run: Run, options: Options, so: str) -> None:
    """Say nothing of a run that was built and judged for real; `so` is what follows from answers that are made up.

    Raises:
        ConfigError: it is another.
    """
    build = f"build it: {run.told['command']}" if "command" in run.told else ""
    if run.told.get("rehearsed"):
        why = f"Its answers are made up, so {so}."
        raise ConfigError(Problem(f"{run.run_id} is a rehearsal", "command line", why=why, fix="build it for real."))
    if not is_smoke(run, options) and run.told["verdict"] is None and not run.told["jobs"]:
        what = f"{run.run_id} trained nothing, so nothing was judged"
        why = "With method=none a model is asked as it is: what it misses, no data of this experiment has taught it."
        raise ConfigError(Problem(what, "command line", why=why, fix="build it with a method: method=supervised"))
    if is_smoke(run, options) or run.told["verdict"] is None:
        why = "A smoke run has a tiny model and few examples, and is not judged."
        fix = build.replace(" --smoke", "")
        raise ConfigError(Problem(f"{run.run_id} was not judged", "command line", why=why, fix=fix))


def graph_of_judged(composed: Composed, world: World) -> Graph:
    """Return the graph of a composition that is judged."""
    return graph_of(composed, Store(world.store), judged=True)


def unchanged(run: Run, point: Composed, world: World) -> Graph:
    """Return the graph of a point, whose results are those of its run.

    Raises:
        ConfigError: they are not any more.
    """
    graph = graph_of_judged(point, world)
    made = {each["key"] for each in run.told["actions"]}
    for each in look_up(graph, Store(world.store), LedgerFolder(world)):
        if each.action.id in graph.borrowed:
            continue
        # The report of a winner that was asked once more is another than that of its point alone.
        if each.action.kind is not REPORT and (each.record is None or each.key not in made):
            what = f"what {run.run_id} was built from has changed since, or its results are gone: {each.action.label}"
            why = "What it came to is not what the experiment would come to."
            raise ConfigError(Problem(what, "command line", why=why, fix=f"build it anew: {run.told['command']}"))
    return graph
