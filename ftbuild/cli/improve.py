"""`ftbuild improve [RUN]`: what a run got wrong on the validation split, what the data had on it, and what to do next.

Asks the models of the run what they make of the validation split, where nobody has asked yet, and writes a proposal to
datasets/proposals/RUN/. Of the test split it counts misses and shows nothing.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ftbuild.cli import improve_text
from ftbuild.cli.build import world_of
from ftbuild.cli.diff import find_run
from ftbuild.cli.drafting import drafted
from ftbuild.cli.layout import columns
from ftbuild.cli.meaning import vectors
from ftbuild.cli.options import Options
from ftbuild.cli.rebuilt import refuse_unjudged, unchanged
from ftbuild.cli.seen import Seen, with_passages
from ftbuild.cli.walk import walked
from ftbuild.compose import compose
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.history import Run
from ftbuild.improve import entries
from ftbuild.improve.groups import Group
from ftbuild.improve.neighbours import Said, read
from ftbuild.improve.proposal import Proposal
from ftbuild.improve.suspects import Suspect
from ftbuild.plan.splits import validating
from ftbuild.points import Point
from ftbuild.problem import Problem
from ftbuild.retrieval.meaning import Meaning
from ftbuild.settings import Settings
from ftbuild.store import durable
from ftbuild.store.store import Store
from ftbuild.world import World

TEACHER = "teacher"


def improve(options: Options) -> int:
    """Print what went wrong and why, and write the proposal.

    Raises:
        ConfigError: no such run, or one that was not judged, has no validation split or has changed since; or another
            proposal stands in the place of this one.
        FtbuildError: the models could not be asked.
    """
    others = [each for each in options.overrides if not each.lstrip("+~").startswith(TEACHER)]
    if len(options.words) > 1 or others:
        what = "improve takes a run, and a teacher"
        raise ConfigError(Problem(what, "command line", fix="ftbuild improve latest teacher=gpt_4_1"))
    world = world_of(options)
    run = _run(options.words[0] if options.words else "latest", options, world)
    refuse_unjudged(run, options, "its misses say nothing of what a model has to learn")
    composed = compose(world.root, [*run.told["overrides"], *options.overrides])
    graph = unchanged(run, composed, world)
    _refuse_unvalidated(run, composed)
    asked = validating(graph, tuple(graph.actions), _asked(composed.settings))
    point = Point(composed, tuple(run.told["overrides"]), tuple(asked.actions))
    store = Store(world.store)
    with walked(asked, [point], store, world, options) as done:
        for error in done.failed.values():
            raise error
        seen = _understood(Seen(run, composed, done), store, world, options)
        found = seen.groups()
        suspected = seen.suspects()
        proposed = [*_entries(seen, found, suspected, world), *drafted(seen, found, store, world, options)]
        proposal = Proposal(composed.experiment, run.run_id, run.told["overrides"], proposed)
    folder = world.proposals / run.run_id
    written = _write(proposal, folder) if proposal.entries else None
    if options.format == "json":
        print(json.dumps(improve_text.to_json(seen.facts(), found, suspected, written), ensure_ascii=False, indent=1))
    else:
        print(improve_text.text(seen.facts(), found, suspected, proposal, written, columns()))
    return int(ExitCode.DONE)


def _run(word: str, options: Options, world: World) -> Run:
    """Return the run.

    Raises:
        ConfigError: there is none, or it has not come to its end.
    """
    folder = world.outputs / "runs" / word
    if folder.is_dir() and not (folder / "run.json").is_file():
        what = f"{word} has not come to its end, or is under way: nothing is known of what it got wrong"
        raise ConfigError(Problem(what, "command line", fix="build it to its end: the same command goes on."))
    return find_run(word, options)


def _refuse_unvalidated(run: Run, composed: Composed) -> None:
    if not run.told["dataset"]["counts"].get("validation"):
        origin = composed.origins.of("dataset.split.validation")
        place = (origin.in_tree, origin.line) if origin else ("command line", None)
        why = "Test examples are counted and never looked at, or the next test would be of what was learnt by heart."
        fix = "dataset.split.validation=0.1, and build again."
        raise ConfigError(Problem(f"{run.run_id} has no validation example to look at", *place, why=why, fix=fix))


def _asked(settings: Settings) -> list[str]:
    """Return the arms that are asked: the judged one, the one it is compared with, and those that differ from either
    by passages.
    """
    pairs = with_passages(settings)
    first = [settings.judged_arm, settings.goal.against]
    twins = [each for pair in pairs.items() if set(pair) & set(first) for each in pair]
    return [name for name in dict.fromkeys([*first, *twins]) if name in settings.arms]


def _understood(seen: Seen, store: Store, world: World, options: Options) -> Seen:
    """Return what was seen, with what the training examples say where the provider gives vectors and there are misses.

    Raises:
        FtbuildError: the vectors could not be had.
    """
    if not seen.missed:
        return seen
    learnt = read(seen.learnt)
    usual = [each.asked for each in learnt]
    asked = [*usual, *(each.asked for each in seen.missed)]
    found = vectors(asked, "meaning", seen.composed, store, world, options)
    return replace(seen, said=Said(learnt, Meaning(found, usual))) if found is not None else seen


def _entries(seen: Seen, found: Sequence[Group], suspected: Sequence[Suspect], world: World) -> Iterator[entries.Entry]:
    settings = seen.composed.settings
    contents = {
        name: (world.root / seen.composed.source_path(name)).read_bytes()
        for name, each in settings.sources.items()
        if each.kind == "generator"
    }
    yield from entries.of_generators(found, settings, contents, seen.slices, seen.training.n)
    report = seen.run.report()
    yield from entries.of_settings(found, settings, report["training"] if report else None, with_passages(settings))
    yield from entries.of_suspects(suspected)


def _write(proposal: Proposal, folder: Path) -> Path:
    """Write the files of a proposal, or find them there.

    Raises:
        ConfigError: others are there, which somebody may have edited.
    """
    files = proposal.files(os.path.relpath(folder))
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*") if path.is_file()}
    if there and there != files:
        fix = f"accept it, or delete it to have it written anew: rm -r {os.path.relpath(folder)}"
        what = "a proposal is there already, and says something else: it may have been edited"
        raise ConfigError(Problem(what, os.path.relpath(folder), fix=fix))
    for name, text in files.items():
        durable.write(folder / name, text.encode())
    return folder
