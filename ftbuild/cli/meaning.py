"""Vectors of texts for a command: asked for once, and paid for where somebody agrees."""

from collections.abc import Sequence

from ftbuild.cli.options import Options
from ftbuild.cli.walk import walked
from ftbuild.composed import Composed
from ftbuild.plan import data_keys
from ftbuild.plan.action import EMBED, Action
from ftbuild.plan.graph import Graph
from ftbuild.points import Point
from ftbuild.retrieval.index import Vectors
from ftbuild.retrieval.meaning import Meaning
from ftbuild.store.store import Store
from ftbuild.world import World


def meaning(
    usual: Sequence[str],
    others: Sequence[str],
    label: str,
    composed: Composed,
    store: Store,
    world: World,
    options: Options,
) -> Meaning | None:
    """Return how texts are compared by what they say: those that are `usual`, and `others`; nothing of them may have to
    be redacted. None where the provider is not known to give vectors.

    Raises:
        FtbuildError: they could not be had.
    """
    if composed.settings.embedder is None:
        return None
    graph = Graph()
    texts = sorted({each for each in (*usual, *others) if each})
    said = {**data_keys.embedder(composed.settings), "texts": texts}
    name = graph.add(Action(EMBED, label, "data", said))
    with walked(graph, [Point(composed, options.command, (name,))], store, world, options) as done:
        for error in done.failed.values():
            raise error
        kept = store.get(done.ran[name].record.outputs["vectors.npz"])
    return Meaning(Vectors.from_bytes(kept), usual)
