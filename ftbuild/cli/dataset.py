"""`ftbuild dataset`: build the data of an experiment and no more. Nothing is launched, no model is asked."""

import os

from ftbuild import runs
from ftbuild.cli.build import composed_of, of_points, world_of
from ftbuild.cli.options import Options
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.cli.walk import walked
from ftbuild.errors import ExitCode
from ftbuild.points import one_graph
from ftbuild.store.place import refuse_network
from ftbuild.store.store import Store


def dataset(options: Options) -> int:
    """Write the training lines of every point to datasets/built/, and say where.

    Raises:
        FtbuildError: the first that could not be built; the others are written.
    """
    composed = composed_of(options)
    world = world_of(options)
    refuse_network(world.store)
    store = Store(world.store)
    graph, points = one_graph(composed, smoke_overrides(options), store, smoke=options.smoke)
    data = graph.up_to("render")
    width = max(len(point.name) for point in points)
    with walked(data, points, store, world, of_points(options, points)) as done:
        for point in points:
            part = done.part(name for name in point.ids if name in data.actions)
            if len(part.ran) == sum(name in data.actions for name in point.ids):
                folder = os.path.relpath(runs.check_out_dataset(world, point.composed, part))
                print(f"{point.name:{width}}   {folder}" if point.name else folder)
        if done.failed:
            raise next(iter(done.failed.values()))
    return int(ExitCode.DONE)
