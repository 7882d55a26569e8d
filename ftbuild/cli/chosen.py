"""Which driver a sweep has, where it gives points up early."""

from collections.abc import Sequence

from ftbuild.cli.choosing import Chooser
from ftbuild.cli.driven import Driver, refuse_short
from ftbuild.cli.options import Options
from ftbuild.cli.rungs import Rungs
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.cli.trials import Trials, memory
from ftbuild.compositions import Compositions
from ftbuild.digest import of_value
from ftbuild.halving import Halving
from ftbuild.plan.graph import Graph
from ftbuild.points import Point
from ftbuild.search import Search, refuse_without_optuna
from ftbuild.store.store import Store
from ftbuild.world import World


def driver_of(
    composed: Compositions, graph: Graph, points: Sequence[Point], store: Store, world: World, options: Options
) -> Driver | None:
    """Return the driver of a sweep, None for one whose points are all built.

    Raises:
        ConfigError: a value of it is wrong, a job ends before its last rung, or it searches and Optuna is not there.
    """
    rule = composed.chosen_by
    if rule is None:
        return None
    chooser = _chooser(rule, graph, points, store)
    said = {name: value for name, value in rule.to_json().items() if name != "places"}
    digest = of_value([said, *sorted({name for point in points for name in point.ids})])
    driver = Driver(chooser, digest, smoke_overrides(options), store, world, options)
    driver.probe()
    return driver


def _chooser(rule: Halving | Search, graph: Graph, points: Sequence[Point], store: Store) -> Chooser:
    if isinstance(rule, Halving):
        if rule.by_checkpoints:
            refuse_short(points, rule.values[-2])
        return Rungs(rule, points)
    refuse_without_optuna()
    [point] = points
    return Trials(rule, point, memory(rule, graph, point, store))
