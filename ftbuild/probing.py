"""Ask the arms of an experiment about examples that are none of its own, as they answered its test examples.

Owns the graph of that: the examples become a dataset of tests alone by the settings of the experiment, and an arm's
action is the one of the experiment with that dataset in place of its own. So the model is the one that was trained,
what is sent is what is sent in tests, and an answer asked for once is kept.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftbuild.composed import Composed
from ftbuild.origins import Origin, Origins
from ftbuild.plan.action import PREDICT, Action, Input
from ftbuild.plan.graph import Graph
from ftbuild.points import Point
from ftbuild.resolving import graph_of
from ftbuild.settings import Source
from ftbuild.store.store import Store

LIKELIHOOD: Mapping[str, Any] = {"logprobs": True, "top_logprobs": 2}
OF_DIALOGUES = ("turns", "results", "samples")  # what an arm is asked besides for its first answer


@dataclass(frozen=True)
class Probe:
    """What is to be built: a graph, who asks for it, and the ids of the dataset and of each arm's answers in it."""

    graph: Graph
    points: Sequence[Point]
    dataset: str
    answers: Mapping[str, str]


def arms_of(graph: Graph) -> dict[str, Action]:
    """Return the actions by which the arms of an experiment answer its test examples, by arm."""
    return {action.arm: action for action in graph if action.kind is PREDICT and action.split == "test"}


def probe(
    graph: Graph,
    point: Point,
    arms: Sequence[str],
    name: str,
    source: Source,
    path: Path,
    root: Path,
    store: Store,
    *,
    with_likelihood: bool,
) -> Probe:
    """Return what asks arms of an experiment, whose `graph` and `point` these are, about the chat lines at `path`.

    `name` and `source` are those of the lines, `root` is the folder of the project.
    Nothing that the answers do not rest on is in it.
    """
    other = _composed(point.composed, name, source, path, root, with_likelihood=with_likelihood)
    asked = arms_of(graph)
    own = _above(graph, [each.action for arm in arms for each in asked[arm].inputs if each.role != "examples"])
    data = graph_of(other, store, judged=False).up_to("render")
    whole = Graph()
    shared, ids = whole.merge(own), whole.merge(data)
    dataset = next(each for each in ids if data.actions[each].kind.name == "dataset")
    answers = {arm: whole.add(_asking(asked[arm], dataset, with_likelihood=with_likelihood)) for arm in arms}
    points = [replace(point, composed=other, ids=(*ids, *answers.values()))]
    if any(whole.actions[each].kind.name == "render" for each in shared):
        points.insert(0, replace(point, ids=tuple(shared)))
    elif shared:
        points[0] = replace(points[0], ids=(*shared, *points[0].ids))
    return Probe(whole, points, dataset, answers)


def _composed(
    composed: Composed, name: str, source: Source, path: Path, root: Path, *, with_likelihood: bool
) -> Composed:
    """Return the composition with the lines as its only source of examples, for tests, and nothing to train."""
    tree = composed.tree
    said: dict[str, Any] = {"kind": "chat_jsonl", "path": os.path.relpath(path, root), "only": "test", "group": "group"}
    said |= {"licence": source.licence, "consent": source.consent, "origin": source.origin}
    said |= {"schema": source.schema_name} if source.schema_name is not None else {}
    documents = {
        each: given for each, given in tree["dataset"]["sources"].items() if given and given["kind"] == "documents"
    }
    request = {**tree["request"], **(LIKELIHOOD if with_likelihood else {})}
    evaluation = {**tree["evaluation"], "targets": "last", "turns": 1, "samples": 1}
    changed = {
        "dataset": {**tree["dataset"], "sources": {**documents, name: said}, "limit": None},
        "request": request,
        "evaluation": evaluation,
        "method": {"type": "none"},
    }
    key = f"dataset.sources.{name}"
    origins = Origins(composed.origins.files, {**composed.origins.typed, key: Origin("command line", None, root)})
    return replace(composed, tree={**tree, **changed}, origins=origins)


def _asking(action: Action, dataset: str, *, with_likelihood: bool) -> Action:
    """Return an arm's action with other examples to answer."""
    settings = {name: value for name, value in action.settings.items() if name not in OF_DIALOGUES}
    if with_likelihood and "request" in settings:
        settings["request"] = {**settings["request"], **LIKELIHOOD}
    inputs = [each for each in action.inputs if each.role != "examples"]
    return replace(action, settings=settings, inputs=(Input("examples", dataset, "test.jsonl"), *inputs), after=())


def _above(graph: Graph, names: Sequence[str]) -> Graph:
    """Return actions and all whose outputs they are made of; what they only come after is not among them."""
    wanted = set(names)
    for name, action in reversed(graph.actions.items()):
        if name in wanted:
            wanted |= {each.action for each in action.inputs}
    return Graph({name: replace(each, after=()) for name, each in graph.actions.items() if name in wanted})
