"""Vectors of texts for a command: asked for once, and paid for where somebody agrees; and what they say of examples."""

from collections.abc import Mapping, Sequence

from ftbuild.cli.held_out import held_out, unsuspected
from ftbuild.cli.options import Options
from ftbuild.cli.walk import walked
from ftbuild.composed import Composed
from ftbuild.dataset.meant import Meant, texts, usual, worded
from ftbuild.dataset.redact import redacted
from ftbuild.dataset.wall import Twin
from ftbuild.example import Example
from ftbuild.plan import data_keys
from ftbuild.plan.action import EMBED, Action
from ftbuild.plan.graph import Graph
from ftbuild.points import Point
from ftbuild.retrieval.index import Vectors
from ftbuild.store.store import Store
from ftbuild.world import World

NO_VECTORS = "no model of the provider is known to give vectors (retrieval.model names one)"


def vectors(
    said: Sequence[str], label: str, composed: Composed, store: Store, world: World, options: Options
) -> Vectors | None:
    """Return the vectors of texts, in which nothing may have to be redacted; None where nobody is known to give any.

    Raises:
        FtbuildError: they could not be had.
    """
    if composed.settings.embedder is None:
        return None
    graph = Graph()
    keyed = {**data_keys.embedder(composed.settings), "texts": sorted({each for each in said if each})}
    name = graph.add(Action(EMBED, label, "data", keyed))
    with walked(graph, [Point(composed, options.command, (name,))], store, world, options) as done:
        for error in done.failed.values():
            raise error
        return Vectors.from_bytes(store.get(done.ran[name].record.outputs["vectors.npz"]))


def meant(
    examples: Sequence[Example],
    outputs: Mapping[str, str],
    composed: Composed,
    store: Store,
    world: World,
    options: Options,
) -> list[Twin | None]:
    """Return for each example the one that tests and whose meaning it is too near to; `outputs` are of the dataset.

    What is redacted in the dataset is not sent.

    Raises:
        FtbuildError: the vectors could not be had.
    """
    rules = tuple(name for name, on in composed.settings.dataset.redact.keyed().items() if on)
    drafts = [(redacted(each, rules) if rules else each).to_json() for each in examples]
    suspected = [one for each in drafts for one in worded(each)]
    held, known = [*held_out(outputs, store)], usual(unsuspected(outputs, composed.settings, store))
    wanted = [*suspected, *known, *(one for each in held for one in worded(each))]
    found = vectors(texts(wanted), "meaning of drafts", composed, store, world, options) if suspected else None
    if found is None:
        return [None] * len(examples)
    told = Meant(held, known, found)
    return [told.twin(each) for each in drafts]
