"""The winner of a sweep is asked once more, on examples that nobody has looked at.

Pure. The actions are those that asked it on the test split, for the arm that is judged and the one that it is compared
with: they read the confirm split instead, and differ in nothing else. Its report is drawn anew, with what came of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.plan.action import (
    COMPARE,
    CONFIRM,
    DATASET,
    JUDGE,
    PREDICT,
    RENDER,
    REPORT,
    SCORE,
    TARGETS,
    Action,
    Input,
)
from ftbuild.plan.graph import Graph

MOVED = (TARGETS, PREDICT, JUDGE, SCORE)  # kinds that read the examples of a split
CONFIRMED = "confirmed"  # the role of what came of it in the report


def has_confirm(graph: Graph, ids: Sequence[str]) -> bool:
    """Return whether a point has examples that nobody has looked at."""
    rendered = next(graph.actions[name] for name in ids if graph.actions[name].kind is RENDER)
    return any(each.role == "confirm" for each in rendered.inputs)


def confirming(graph: Graph, ids: Sequence[str], arms: Sequence[str], sweep: Mapping[str, Any]) -> Graph:
    """Return the actions of a judged point that has a confirm split, with those that ask its `arms` on it.

    `arms` are the one compared with and the judged one, `sweep` what the report tells of the sweep that it won.
    """
    own = Graph({name: graph.actions[name] for name in ids})
    [compare] = (each for each in own if each.kind is COMPARE)
    [report] = (each for each in own if each.kind is REPORT)
    del own.actions[report.id]
    inputs = [_moved(own, each) for each in compare.inputs if each.role in arms]
    inputs += [each for each in compare.inputs if each.role not in compare.settings["arms"]]  # the judge's labels
    settings = {name: value for name, value in compare.settings.items() if name != "levers"}
    settings |= {"arms": list(arms), "goal": _of_the_verdict(settings["goal"], arms)}
    verdict = own.add(Action(COMPARE, f"{compare.label}{CONFIRM}", "confirm", settings, tuple(inputs)))
    told = Input(CONFIRMED, verdict, "results.json")
    own.add(replace(report, settings={**report.settings, "sweep": dict(sweep)}, inputs=(*report.inputs, told)))
    return own


def _moved(graph: Graph, given: Input) -> Input:
    """Return an input with what makes it reading the confirm split, where it reads the test split."""
    action = graph.actions[given.action]
    if action.kind is DATASET and given.output == "test.jsonl":
        return replace(given, output="confirm.jsonl")
    if action.kind not in MOVED:
        return given
    inputs = tuple(_moved(graph, each) for each in action.inputs)
    if inputs == action.inputs:
        return given
    moved = Action(action.kind, f"{action.label}{CONFIRM}", "confirm", action.settings, inputs)
    return replace(given, action=graph.add(moved))


def _of_the_verdict(goal: Mapping[str, Any], arms: Sequence[str]) -> dict[str, Any]:
    """Return a goal without the conditions that no verdict rests on; the others say how large a difference matters."""
    kept = [[name, each] for name, each in goal["require"] if each.get("beats") in arms and not each.get("slice")]
    return {**goal, "require": kept, "keep": []}
