"""What is looked at before money: the profile against the experiment, the training files against the provider's rules.

Finds problems, with file and line; whoever asks decides what becomes of them. Nothing here is sent anywhere.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
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

LAUNCHING = ("method.", "model.id", "provider.ends.new_jobs", "provider.rules")  # of jobs to come alone


def today(world: World) -> date:
    """Return the date of the world's clock, in UTC."""
    return datetime.fromtimestamp(world.now(), UTC).date()


def problems(points: Sequence[Point], planned: Sequence[Planned], world: World) -> list[Problem]:
    """Return what speaks against the jobs and answers to come, each thing once; warnings are told, errors refuse."""
    found: dict[str, Problem] = {}
    others = cache(lambda: profiles(world.root, world.environment))
    for point, launches in asking(points, planned):
        settings = point.composed.settings
        of_point = gates.findings(settings, today(world), others)
        of_point += list(_hyperparameters(point))
        for each in of_point:
            if launches or not each.key.startswith(LAUNCHING):
                problem = placed(each, point)
                found.setdefault(str(problem), problem)
    return list(found.values())


def asking(points: Sequence[Point], planned: Sequence[Planned]) -> Iterator[tuple[Point, bool]]:
    """Yield a point for every way in which a provider will be asked, and whether for a job."""
    to_come = {one.action.id: one.action for one in planned if is_asked(one) and one.status in TO_COME}
    seen = set()
    for point, kinds in _askers(points, to_come):
        tree = point.composed.tree
        # Of the method our own server is asked nothing but its type: settings cost memory.
        is_hosted = tree["provider"]["kind"] == "hosted"
        method = tree["method"] if is_hosted else tree["method"]["type"]
        arms = list(tree["evaluation"]["arms"]) if is_hosted else []
        sources = [each for each in tree["dataset"]["sources"].values() if each is not None]
        brought = sorted({json.dumps([each["kind"], each.get("schema"), each.get("only")]) for each in sources})
        said = [tree["provider"], tree["model"], method, arms, tree["style"].get("language"), bool(tree.get("tools"))]
        said += [brought]
        way = json.dumps([said, "job" in kinds], sort_keys=True)
        if kinds and way not in seen:
            seen.add(way)
            yield point, "job" in kinds


def _askers(points: Sequence[Point], to_come: Mapping[str, Action]) -> Iterator[tuple[Point, set[str]]]:
    """Yield each point with the kinds of its actions to come; an arm with a model of its own as one of its own."""
    for point in points:
        mine = [to_come[name] for name in point.ids if name in to_come]
        apart = {action.id: asked for action in mine if (asked := asked_as(point, action)).arm}
        yield point, {action.kind.name for action in mine if action.id not in apart}
        yield from ((asked, {"predict"}) for asked in apart.values())


def placed(finding: Finding, point: Point) -> Problem:
    """Return a finding with the file and line of its key; a file of ours by the name that one of the project has."""
    of_arm = point.arm and finding.key.startswith(("provider.", "model."))
    key = f"evaluation.arms.{point.arm}.{finding.key}" if of_arm else finding.key
    origin = point.composed.origins.of(key)
    return Problem(
        f"{key}: {finding.said}",
        origin.in_tree if origin else "command line",
        origin.line if origin else None,
        finding.why,
        finding.fix,
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
    providers = [point.composed.settings.provider for point, _ in asking(points, planned)]
    judged = {one.action.id for one in planned if one.action.kind is JUDGE and one.status in TO_COME}
    providers += [each.composed.settings.of_judge.provider for each in points if not judged.isdisjoint(each.ids)]
    for provider in providers:
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
        lines = next(by_id[name] for name in point.ids if by_id[name].action.kind is RENDER)
        provider = point.composed.tree["provider"]
        way = (lines.action.id, json.dumps(provider, sort_keys=True))
        if lines.record is None or way in checked or jobs.isdisjoint(point.ids):
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
    for point, launches in asking(points, planned):
        if launches and not point.composed.settings.provider.is_ours:
            day = ask(point)
            told = gates.shutdown(point.composed.settings, day, today(world), others)
            found += [placed(each, point) for each in told]
    return found
