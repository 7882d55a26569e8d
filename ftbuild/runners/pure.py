"""The pure actions by kind: what a worker process can compute. Heavy imports come with the first use."""

from collections.abc import Collection, Mapping

from ftbuild.runners.data import dataset, ingest
from ftbuild.runners.measure import compare, score, targets
from ftbuild.runners.passages import index
from ftbuild.runners.rendering import render
from ftbuild.runners.report import report
from ftbuild.runners.walled import wall
from ftbuild.workers import Compute

PURE: Mapping[str, Compute] = {
    compute.__name__: compute for compute in (ingest, index, dataset, wall, targets, render, score, compare, report)
}
OVER_PARTITIONS: Collection[Compute] = (ingest, dataset, render)  # what they read may be too large for one message
