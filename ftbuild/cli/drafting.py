"""What a teacher model drafts against the misses of a run: asked, paid for and kept as every other request is."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ftbuild.chat import Tool
from ftbuild.cli.meaning import meant
from ftbuild.cli.options import Options
from ftbuild.cli.seen import Seen
from ftbuild.cli.walk import walked
from ftbuild.dataset.build import folded
from ftbuild.dataset.wall import Wall
from ftbuild.example import Example
from ftbuild.improve import entries
from ftbuild.improve.groups import Group
from ftbuild.improve.neighbours import Training
from ftbuild.improve.teacher import Drafts, drafts, prompt
from ftbuild.plan.action import DRAFT, Action
from ftbuild.plan.graph import Graph
from ftbuild.points import Point
from ftbuild.runners.formats import parse_lines
from ftbuild.settings import Source
from ftbuild.sources import read as read_source
from ftbuild.store.store import Store
from ftbuild.tool_files import tools_of
from ftbuild.world import World


def drafted(
    seen: Seen, found: Sequence[Group], store: Store, world: World, options: Options
) -> Iterator[entries.Entry]:
    """Yield the entries of what a teacher drafts, where there is one; it is asked as everybody else is.

    Left out are lines that nobody can read, requests that are there already, and what is derived from a test example.
    """
    settings, tree = seen.composed.settings, seen.composed.tree
    teacher, wanted = settings.teacher, entries.worth_examples(found)
    if teacher.model is None or not wanted:
        return
    tools = tools_of(seen.composed)
    most = teacher.at_once * settings.request.max_completion_tokens
    graph = Graph()
    asked: dict[str, Group] = {}
    for group in wanted:
        text = prompt(group, teacher.at_once, tools, settings.style.system, seen.against)
        prompts = [text] * -(-teacher.n // teacher.at_once)
        said = {"prompts": prompts, "temperature": teacher.temperature, "max_completion_tokens": most}
        asked_of = {"provider": (teacher.provider or settings.provider).keyed(), "model": teacher.model.keyed()}
        action = Action(DRAFT, f"drafts {entries.named(group.kind)}", "train", {**said, **asked_of})
        asked[graph.add(action)] = group
    arms = {**tree["evaluation"], "arms": {"teacher": {"kind": "base"}}}
    own = {
        "model": tree["teacher"]["model"],
        "provider": tree["teacher"].get("provider") or tree["provider"],
        "request": {**tree["request"], "max_completion_tokens": most},
    }
    alone = replace(seen.composed, tree={**tree, **own, "evaluation": arms})
    point = Point(alone, options.command, tuple(graph.actions))
    wall = Wall(seen.held_out())
    with walked(graph, [point], store, world, options) as done:
        for error in done.failed.values():
            raise error
        for name, group in asked.items():
            content = store.get(done.ran[name].record.outputs["replies.jsonl"])
            read = drafts([each["reply"] for each in parse_lines(content)], teacher.model.id, group.kind, tools)
            fit, left_out = _fit(read, seen.training, wall, tuple(tools))
            twins = meant([*fit.values()], seen.outputs, seen.composed, store, world, options)
            alike = {at: f"{twin.path}:{twin.line}" for at, twin in enumerate(twins, 1) if twin is not None}
            made = entries.Drafted([*fit], teacher.model.id, teacher.licence, left_out, alike)
            yield entries.of_drafts(group, made, seen.slices)


def _fit(
    read: Drafts, training: Training, wall: Wall, tools: tuple[Tool, ...]
) -> tuple[dict[str, Example], dict[str, int]]:
    """Return the drafts that are new by their lines, and how many are not among them, by reason."""
    known = {folded(each.asked) for each in training.learnt}
    left_out = {"not of the form asked for": read.n_unread, "asked already": 0, "derived from a test example": 0}
    kept: dict[str, Example] = {}
    source = Source(kind="chat_jsonl", path="drafts.jsonl", licence="", origin="")
    for value in read.lines:
        line = json.dumps(value, ensure_ascii=False) + "\n"
        [example], _ = read_source(line.encode(), "drafts", source)
        if (said := folded(example.raw)) in known:
            left_out["asked already"] += 1
        elif wall.twin(replace(example, tools=tools).to_json()) is not None:
            left_out["derived from a test example"] += 1
        else:
            known.add(said)
            kept[line] = replace(example, tools=tools)
    return kept, left_out
