"""Which driver a sweep has, where it gives points up early."""

from collections.abc import Sequence

from ftbuild.cli.driven import Driver
from ftbuild.cli.options import Options
from ftbuild.cli.rungs import Rungs
from ftbuild.compositions import Compositions
from ftbuild.points import Point
from ftbuild.store.store import Store
from ftbuild.world import World


def driver_of(
    composed: Compositions, points: Sequence[Point], given: Sequence[str], store: Store, world: World, options: Options
) -> Driver | None:
    """Return the driver of a sweep, None for one whose points are all built; `given` are overrides that the command
    line does not say.
    """
    if composed.halving is None:
        return None
    return Driver(Rungs(composed.halving, points), given, store, world, options)
