"""A point asked on another split than the one of its verdict: before that on validation, after it on confirm.

Pure. The actions are those that ask it on the test split: they read the other split instead, and differ in nothing
else. On the validation split the judged arm alone is asked, and nothing of the test split is. On the confirm split,
whose examples nobody has looked at, the winner of a sweep is asked once more with the arm that it is compared with; its
report is drawn anew, with what came of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.plan.action import (
    CHECKPOINT,
    CHOOSE,
    COMPARE,
    CONFIRM,
    DATASET,
    JOB,
    JUDGE,
    PREDICT,
    RENDER,
    REPORT,
    SCORE,
    TARGETS,
    VALIDATION,
    Action,
    Input,
    Stage,
)
from ftbuild.plan.graph import Graph

ELSEWHERE: Mapping[str, tuple[str, Stage]] = {"confirm": (CONFIRM, "confirm"), "validation": (VALIDATION, "train")}
MOVED = (TARGETS, PREDICT, JUDGE, SCORE)  # kinds that read the examples of a split
USUAL_ARM = "tuned"  # what a comparison judges that does not say it
CONFIRMED = "confirmed"  # the role of what came of it in the report


def has_confirm(graph: Graph, ids: Sequence[str]) -> bool:
    """Return whether a point has examples that nobody has looked at."""
    rendered = next(graph.actions[name] for name in ids if graph.actions[name].kind is RENDER)
    return any(each.role == "confirm" for each in rendered.inputs)


def validating(graph: Graph, ids: Sequence[str], arms: Sequence[str] = ()) -> Graph:
    """Return the actions that say what the judged arm of a point is worth on the validation split, and no others.

    The last of them has its scores; where other `arms` are asked, the last are theirs, one for each in their order. Its
    job waits for no other arm.
    """
    own = Graph({name: graph.actions[name] for name in ids})
    [compare] = (each for each in own if each.kind is COMPARE)
    given = {each.role: each for each in compare.inputs}
    asked = arms or (compare.settings.get("arm", USUAL_ARM),)
    needed = {_moved(own, given[arm], "validation").action for arm in asked}
    for action in reversed(own.actions.values()):
        needed |= {each.action for each in action.inputs} if action.id in needed else set()
    return Graph({name: replace(action, after=()) for name, action in own.actions.items() if name in needed})


def at_checkpoint(validated: Graph, epoch: int) -> Graph:
    """Return the actions of a validated point that ask the checkpoint after an epoch of its job, in place of its end.

    The job is among them and nothing reads it: it is what is agreed to, and launched, for the checkpoint.
    """
    asked, now = Graph(), dict[str, str]()
    *_, last = (each for each in validated if each.kind is JOB)  # another is that of the model it begins with
    for action in validated:
        if action.kind is CHOOSE:
            now[action.id] = now[next(each.action for each in action.inputs if each.role == "job")]
            continue
        said = action.settings
        if action.kind is PREDICT:
            said = {name: value for name, value in said.items() if name != "checkpoint"}
        inputs = tuple(replace(each, action=now[each.action]) for each in action.inputs)
        now[action.id] = asked.add(replace(action, settings=said, inputs=inputs))
        if action is last:
            until = {**action.settings, "epoch": epoch}
            now[action.id] = asked.add(Action(CHECKPOINT, f"job, epoch {epoch}", "train", until, inputs))
    return asked


def job_of(checkpoint: Action) -> Action:
    """Return the job that a checkpoint is of."""
    settings = {name: value for name, value in checkpoint.settings.items() if name != "epoch"}
    return Action(JOB, "job", "train", settings, checkpoint.inputs)


def without_jobs(graph: Graph) -> Graph:
    """Return the actions that are walked: without the jobs that nothing reads."""
    read = {each.action for action in graph for each in action.inputs}
    return Graph({name: each for name, each in graph.actions.items() if each.kind is not JOB or name in read})


def confirming(graph: Graph, ids: Sequence[str], arms: Sequence[str], sweep: Mapping[str, Any]) -> Graph:
    """Return the actions of a judged point that has a confirm split, with those that ask its `arms` on it.

    `arms` are the one compared with and the judged one, `sweep` what the report tells of the sweep that it won.
    """
    own = Graph({name: graph.actions[name] for name in ids})
    [compare] = (each for each in own if each.kind is COMPARE)
    [report] = (each for each in own if each.kind is REPORT)
    del own.actions[report.id]
    inputs = [_moved(own, each, "confirm") for each in compare.inputs if each.role in arms]
    inputs += [each for each in compare.inputs if each.role not in compare.settings["arms"]]  # the judge's labels
    settings = {name: value for name, value in compare.settings.items() if name not in ("levers", "round")}
    settings |= {"arms": list(arms), "goal": _of_the_verdict(settings["goal"], arms)}
    verdict = own.add(Action(COMPARE, f"{compare.label}{CONFIRM}", "confirm", settings, tuple(inputs)))
    told = Input(CONFIRMED, verdict, "results.json")
    own.add(replace(report, settings={**report.settings, "sweep": dict(sweep)}, inputs=(*report.inputs, told)))
    return own


def _moved(graph: Graph, given: Input, split: str) -> Input:
    """Return an input with what makes it reading another split, where it reads the test split."""
    action = graph.actions[given.action]
    if action.kind is DATASET and given.output in ("test.jsonl", "confirm.jsonl"):
        return replace(given, output=f"{split}.jsonl")
    if action.kind not in MOVED:
        return given
    inputs = tuple(_moved(graph, each, split) for each in action.inputs)
    if inputs == action.inputs:
        return given
    ending, stage = ELSEWHERE[split]
    moved = Action(action.kind, f"{action.label}{ending}", stage, action.settings, inputs)
    return replace(given, action=graph.add(moved))


def _of_the_verdict(goal: Mapping[str, Any], arms: Sequence[str]) -> dict[str, Any]:
    """Return a goal without the conditions that no verdict rests on; the others say how large a difference matters."""
    kept = [[name, each] for name, each in goal["require"] if each.get("beats") in arms and not each.get("slice")]
    return {**goal, "require": kept, "keep": []}
