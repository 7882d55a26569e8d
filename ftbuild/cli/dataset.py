"""`ftbuild dataset`: build the data of an experiment and no more. Nothing is launched, no model is asked."""

import os

from ftbuild import runs
from ftbuild.cli.build import composed_of, smoke_overrides, walked, world_of
from ftbuild.cli.options import Options
from ftbuild.errors import ExitCode
from ftbuild.points import one_graph
from ftbuild.store.place import refuse_network
from ftbuild.store.store import Store


def dataset(options: Options) -> int:
    """Write the training lines of every point to datasets/built/, and say where."""
    composed = composed_of(options)
    world = world_of(options)
    refuse_network(world.store)
    store = Store(world.store)
    graph, points = one_graph(composed, smoke_overrides(options), store, smoke=options.smoke)
    with walked(graph.up_to("render"), points, store, world, options) as (done, _):
        for error in done.failed.values():
            raise error
        folders = [
            os.path.relpath(runs.check_out_dataset(world, point.composed, done.part(point.ids))) for point in points
        ]
    width = max(len(point.name) for point in points)
    for point, folder in zip(points, folders, strict=True):
        print(f"{point.name:{width}}   {folder}" if point.name else folder)
    return int(ExitCode.DONE)
