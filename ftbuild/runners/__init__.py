"""What each kind of action does: bytes of its inputs in, bytes of its outputs out.

The place where pure rooms meet the provider; one file a group of kinds. A runner reads through the
Build and talks through the console; recording is the engine's.
"""

from functools import partial

from ftbuild.engine import Runner
from ftbuild.runners.answers import predict
from ftbuild.runners.data import dataset, ingest, render
from ftbuild.runners.job import job
from ftbuild.runners.measure import compare, score
from ftbuild.runners.report import report
from ftbuild.runners.workshop import Workshop


def table(shop: Workshop) -> dict[str, Runner]:
    """Return the runner of every kind."""
    runners = (ingest, dataset, render, job, predict, score, compare, report)
    return {runner.__name__: partial(runner, shop) for runner in runners}


__all__ = ["Workshop", "table"]
