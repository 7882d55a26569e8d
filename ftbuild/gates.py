"""What is looked at before money: the profile against the experiment, the training files against the provider's rules.

Finds problems, with file and line; whoever asks decides what becomes of them. Nothing here is sent anywhere.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache

from ftbuild.estimates import TO_COME, is_asked
from ftbuild.lookup import Planned
from ftbuild.plan import gates
from ftbuild.plan.action import JOB, JUDGE, RENDER, Action
from ftbuild.plan.gates import Finding
from ftbuild.points import Point, asked_as
from ftbuild.problem import Problem
from ftbuild.profiles import profiles
from ftbuild.providers import hosted
from ftbuild.rows import read
from ftbuild.rules import files
from ftbuild.rules.pack import PACKS, Pack
from ftbuild.runners import counting
from ftbuild.runners.wording import unsayable
from ftbuild.settings import Provider
from ftbuild.store.store import Store
from ftbuild.world import World

JUDGES = "judge"
LAUNCHING = ("method.", "model.id", "provider.ends.new_jobs", "provider.rules")  # of jobs to come alone


def today(world: World) -> date:
    """Return the date of the world's clock, in UTC."""
    return datetime.fromtimestamp(world.now(), UTC).date()


@dataclass(frozen=True)
class Asker:
    """A point as it asks a provider, with the model and the provider that are asked; `launches` says whether for a job.

    `node` is what else of the config says who is asked: an arm with a model of its own, the judge; "" for the point.
    `own` are the beginnings of the keys that it says itself: "model.", "provider.".
    """

    point: Point
    launches: bool
    node: str = ""
    own: tuple[str, ...] = ()


def problems(points: Sequence[Point], planned: Sequence[Planned], world: World) -> list[Problem]:
    """Return what speaks against the jobs and answers to come, each thing once; warnings are told, errors refuse."""
    found: dict[str, Problem] = {}
    others = cache(lambda: profiles(world.root, world.environment))
    for asker in asking(points, planned):
        of_asker = gates.findings(asker.point.composed.settings, today(world), others)
        of_asker += list(_hyperparameters(asker.point))
        for each in of_asker:
            if _concerns(each, asker):
                problem = placed(each, asker)
                found.setdefault(str(problem), problem)
    return list(found.values())


def _concerns(finding: Finding, asker: Asker) -> bool:
    """Return whether a finding is on what is asked for: a judge is asked for neither jobs, tools nor forms."""
    if finding.key.startswith(LAUNCHING):
        return asker.launches
    return asker.node != JUDGES or finding.key.startswith(("provider.", "model."))


def asking(points: Sequence[Point], planned: Sequence[Planned]) -> Iterator[Asker]:
    """Yield every way in which a provider will be asked."""
    to_come = {one.action.id: one.action for one in planned if is_asked(one) and one.status in TO_COME}
    seen = set()
    for asker in _askers(points, to_come):
        tree = asker.point.composed.tree
        # Of the method our own server is asked nothing but its type: settings cost memory.
        is_hosted = tree["provider"]["kind"] == "hosted"
        method = tree["method"] if is_hosted else tree["method"]["type"]
        arms = list(tree["evaluation"]["arms"]) if is_hosted else []
        sources = [each for each in tree["dataset"]["sources"].values() if each is not None]
        brought = sorted({json.dumps([each["kind"], each.get("schema"), each.get("only")]) for each in sources})
        said = [tree["provider"], tree["model"], method, arms, tree["style"].get("language"), bool(tree.get("tools"))]
        said += [brought, asker.launches, asker.node]
        way = json.dumps(said, sort_keys=True)
        if way not in seen:
            seen.add(way)
            yield asker


def _askers(points: Sequence[Point], to_come: Mapping[str, Action]) -> Iterator[Asker]:
    """Yield each point with something to ask, and apart from it the arms with a model of their own, and the judge."""
    for point in points:
        mine = [to_come[name] for name in point.ids if name in to_come]
        others = {action.id: asked for action in mine if (asked := _apart(point, action)) is not None}
        kinds = {action.kind for action in mine if action.id not in others}
        if kinds:
            yield Asker(point, JOB in kinds)
        yield from others.values()


def _apart(point: Point, action: Action) -> Asker | None:
    """Return who an action asks that the point itself does not: as an untrained arm, for that is what it asks for."""
    tree = point.composed.tree
    if action.kind is JUDGE:
        node, said = JUDGES, tree.get("judge") or {}
    elif arm := asked_as(point, action).arm:
        node, said = f"evaluation.arms.{arm}", tree["evaluation"]["arms"][arm]
    else:
        return None
    asked = {name: said.get(name) or tree[name] for name in ("provider", "model")}
    arms = {node.rpartition(".")[2]: {"kind": "base"}}
    alone = {**tree, **asked, "evaluation": {**tree["evaluation"], "arms": arms}}
    own = tuple(f"{name}." for name in asked if said.get(name))
    return Asker(replace(point, composed=replace(point.composed, tree=alone)), launches=False, node=node, own=own)


def placed(finding: Finding, asker: Asker) -> Problem:
    """Return a finding with the file and line of its key; a file of ours by the name that one of the project has."""
    key = f"{asker.node}.{finding.key}" if finding.key.startswith(asker.own) else finding.key
    origin = asker.point.composed.origins.of(key)
    return Problem(
        f"{key}: {finding.said}",
        origin.in_tree if origin else "command line",
        origin.line if origin else None,
        finding.why,
        finding.fix.replace(f"{finding.key}=", f"{key}="),
        severity=finding.severity,
    )


def _hyperparameters(point: Point) -> Iterator[Finding]:
    settings = point.composed.settings
    for name in unsayable(settings.method.hyperparameters.keyed(), settings.provider):
        theirs = settings.provider.hyperparameters[name].name
        key = f"method.hyperparameters.{name}"
        fix = f"{key}=auto, or say what 1 is there: provider.hyperparameters.{name}.times=1e-5"
        yield Finding(key, f"{settings.provider.title} takes an absolute {theirs}, no multiplier", fix=fix)


def lacking(points: Sequence[Point], planned: Sequence[Planned], world: World) -> list[Problem]:
    """Return which variables of the environment the providers to be asked need and do not find."""
    found: dict[str, Problem] = {}
    for asker in asking(points, planned):
        provider = asker.point.composed.settings.provider
        if provider.kind == "hosted":
            found |= {str(each): each for each in hosted.lacking(provider, world.environment)}
    return list(found.values())


def pack_of(provider: Provider) -> Pack:
    """Return the rules that the provider's training files are checked with, its own limits in them."""
    pack, limits = PACKS[provider.rules], provider.limits
    return replace(
        pack,
        min_examples=limits.min_examples or pack.min_examples,
        example_tokens=limits.example_tokens or pack.example_tokens,
    )


def of_lines(points: Sequence[Point], planned: Sequence[Planned], store: Store, world: World) -> list[Problem]:
    """Return what is wrong with the files of the jobs to come, where they are written: errors alone."""
    by_id = {one.action.id: one for one in planned}
    jobs = {one.action.id for one in planned if one.action.kind is JOB and one.status in TO_COME}
    found: dict[str, Problem] = {}
    checked = set()
    for point in points:
        if jobs.isdisjoint(point.ids):
            continue
        lines = next(by_id[name] for name in point.ids if by_id[name].action.kind is RENDER)
        provider = point.composed.tree["provider"]
        way = (lines.action.id, json.dumps(provider, sort_keys=True))
        if lines.record is None or way in checked:
            continue
        checked.add(way)
        if provider["kind"] == "hosted":
            found |= {str(each): each for each in _of_files(point, lines.record.outputs, store)}
        if provider.get("tools") is False:
            found |= {str(each): each for each in _of_tools(point, lines.record.outputs, store, world)}
    return [each for each in found.values() if each.severity == "error"]


def _of_tools(point: Point, outputs: Mapping[str, str], store: Store, world: World) -> Iterator[Problem]:
    """Yield that lines have brought tools along that the provider does not take; what the config asks for is told."""
    settings, counted = point.composed.settings, counting.read(store.get(outputs["facts.jsonl"]))
    n = sum(times for each, times in counted.items() if each.has_tools)
    if n and "tools" not in gates.needs(settings):
        what = f"{n:,} of {counted.total():,} examples offer tools, and {settings.provider.title} takes none"
        fix = gates.instead(settings, lambda: profiles(world.root, world.environment))
        yield Problem(what, f"{point.composed.experiment} lines", why=gates.IN_VAIN["tools"], fix=fix)


def _of_files(point: Point, outputs: Mapping[str, str], store: Store) -> Iterator[Problem]:
    settings = point.composed.settings
    provider, limits = settings.provider, settings.provider.limits
    pack, seen = pack_of(provider), files.Prompts()
    for name, own in (("train.jsonl", pack), ("validation.jsonl", replace(pack, min_examples=1))):
        path = store.path(outputs[name])
        shown = f"{point.composed.experiment} {name}"
        if limits.file_bytes is not None and path.stat().st_size > limits.file_bytes:
            what = f"{path.stat().st_size:,} bytes; {provider.title} takes {limits.file_bytes:,}"
            yield Problem(what, shown, fix="dataset.limit=N leaves examples out.")
        with path.open("rb") as content:
            checked = files.check(read(content), shown, settings.method.lines, own, seen)
        if limits.max_examples is not None and checked.n_examples > limits.max_examples:
            what = f"{checked.n_examples:,} examples; {provider.title} takes {limits.max_examples:,}"
            yield Problem(what, shown, fix="dataset.limit=N leaves examples out.")
        yield from checked.problems


def shutdowns(
    points: Sequence[Point], planned: Sequence[Planned], world: World, ask: Callable[[Point], str | None]
) -> list[Problem]:
    """Return what the providers' own lists say of the ends of base models; `ask` asks one."""
    found = []
    others = cache(lambda: profiles(world.root, world.environment))
    for asker in asking(points, planned):
        settings = asker.point.composed.settings
        if asker.launches and not settings.provider.is_ours:
            told = gates.shutdown(settings, ask(asker.point), today(world), others)
            found += [placed(each, asker) for each in told]
    return found
