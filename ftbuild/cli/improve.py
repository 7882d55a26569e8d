"""`ftbuild improve [RUN]`: what a run got wrong on the validation split, what the data had on it, and what to do next.

Asks the models of the run what they make of the validation split, where nobody has asked yet, and writes a proposal to
datasets/proposals/RUN/. Of the test split it counts misses and shows nothing.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ftbuild.chat import Message, said
from ftbuild.cli import improve_text
from ftbuild.cli.build import world_of
from ftbuild.cli.diff import find_run
from ftbuild.cli.export import is_smoke
from ftbuild.cli.layout import columns
from ftbuild.cli.options import Options
from ftbuild.cli.rebuilt import unchanged
from ftbuild.cli.walk import walked
from ftbuild.completion import Completion, Dialogue
from ftbuild.compose import compose
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.history import Run
from ftbuild.improve import entries
from ftbuild.improve.groups import NEEDS_PASSAGES, Group, groups
from ftbuild.improve.neighbours import Learnt, Training
from ftbuild.improve.proposal import Proposal
from ftbuild.improve.suspects import Suspect, suspects
from ftbuild.outcome import Build
from ftbuild.plan.action import DATASET, SCORE, VALIDATION, Action
from ftbuild.plan.splits import validating
from ftbuild.points import Point
from ftbuild.problem import Problem
from ftbuild.report import misses
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.measure import score
from ftbuild.runners.report import examples_of
from ftbuild.settings import Settings
from ftbuild.store import durable
from ftbuild.store.store import Store
from ftbuild.world import World

AS_IF = "target"  # the name under which the training answers are scored as if a model had given them


def improve(options: Options) -> int:
    """Print what went wrong and why, and write the proposal.

    Raises:
        ConfigError: no such run, or one that was not judged, has no validation split or has changed since; or another
            proposal stands in the place of this one.
        FtbuildError: the models could not be asked.
    """
    if len(options.words) > 1 or options.overrides:
        raise ConfigError(Problem("improve takes a run", "command line", fix="ftbuild improve latest"))
    run, world = find_run(options.words[0] if options.words else "latest", options), world_of(options)
    _refuse_unfit(run, options)
    composed = compose(world.root, run.told["overrides"])
    graph = unchanged(run, composed, world)
    _refuse_unvalidated(run, composed)
    asked = validating(graph, tuple(graph.actions), _asked(composed.settings))
    point = Point(composed, tuple(run.told["overrides"]), tuple(asked.actions))
    store = Store(world.store)
    with walked(asked, [point], store, world, options) as done:
        for error in done.failed.values():
            raise error
        seen = Seen(run, composed, done)
        found = seen.groups()
        suspected = seen.suspects()
        proposal = Proposal(
            composed.experiment, run.run_id, run.told["overrides"], list(_entries(seen, found, suspected, world))
        )
    folder = world.root / "datasets" / "proposals" / run.run_id
    written = _write(proposal, folder) if proposal.entries else None
    if options.format == "json":
        print(json.dumps(improve_text.to_json(seen.facts(), found, suspected, written), ensure_ascii=False, indent=1))
    else:
        print(improve_text.text(seen.facts(), found, suspected, proposal, written, columns()))
    return int(ExitCode.DONE)


def _refuse_unfit(run: Run, options: Options) -> None:
    """Say nothing of a run whose answers say something of a model.

    Raises:
        ConfigError: they do not.
    """
    if run.told.get("rehearsed"):
        why = "Its answers are made up, so its misses say nothing of what a model has to learn."
        raise ConfigError(Problem(f"{run.run_id} is a rehearsal", "command line", why=why, fix="build it for real."))
    if is_smoke(run, options) or run.told["verdict"] is None:
        why = "A smoke run has a tiny model and few examples, and is not judged."
        fix = f"build it: {run.told['command'].replace(' --smoke', '')}" if "command" in run.told else ""
        raise ConfigError(Problem(f"{run.run_id} was not judged", "command line", why=why, fix=fix))


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
    pairs = _with_passages(settings)
    first = [settings.judged_arm, settings.goal.against]
    twins = [each for pair in pairs.items() if set(pair) & set(first) for each in pair]
    return [name for name in dict.fromkeys([*first, *twins]) if name in settings.arms]


def _with_passages(settings: Settings) -> dict[str, str]:
    """Return for each arm without passages the one of the same kind that has them."""
    if settings.retrieval.documents is None:
        return {}
    bare = {each.kind: name for name, each in settings.arms.items() if each.retrieval is False}
    given = {each.kind: name for name, each in settings.arms.items() if each.retrieval is not False}
    return {name: given[kind] for kind, name in bare.items() if kind in given}


@dataclass(frozen=True)
class Seen:
    """A run with what its arms made of the validation split, read from the store where it is asked for."""

    run: Run
    composed: Composed
    done: Build

    @property
    def arm(self) -> str:
        """Return the arm that is judged."""
        return self.composed.settings.judged_arm

    @property
    def against(self) -> str:
        """Return the arm that it is compared with."""
        return self.composed.settings.goal.against

    @cached_property
    def scored(self) -> dict[str, Action]:
        """Return the actions that scored the arms on the validation split, by arm."""
        actions = [each.action for each in self.done.ran.values()]
        return {
            each.label.removesuffix(VALIDATION).removesuffix(" scores"): each
            for each in actions
            if each.kind is SCORE and each.label.endswith(VALIDATION)
        }

    @cached_property
    def examples(self) -> list[dict[str, Any]]:
        """Return the validation examples, as a report has those of a test."""
        inputs = {"examples": self.done.read(self.scored[self.arm], "examples"), "provenance": self._data("provenance")}
        for arm, action in self.scored.items():
            inputs[f"{arm}.predictions"] = self.done.read(action, "predictions")
            inputs[f"{arm}.scores"] = self.done.store.get(self.done.ran[action.id].record.outputs["scores.jsonl"])
        return examples_of(list(self.scored), inputs)

    @cached_property
    def tested(self) -> Sequence[Mapping[str, Any]]:
        """Return the test examples, to be counted."""
        report = self.run.report()
        return report["examples"] if report else []

    @cached_property
    def slices(self) -> Mapping[str, int]:
        """Return how many test examples each slice has."""
        return Counter(f"{name}={value}" for each in self.tested for name, value in each["slices"].items())

    @cached_property
    def training(self) -> Training:
        """Return what was learnt from."""
        return Training([_learnt(each, f"{place['path']}:{place['line']}") for each, place in self._learnt_from()])

    def groups(self) -> list[Group]:
        """Return the misses of the judged arm by kind, and those of an arm without passages that need them."""
        targets = parse_lines(self.done.read(self.scored[self.arm], "examples"))
        wanted = {each["id"]: _learnt(each, "") for each in targets}
        given = (self.examples, self.against, self.training, wanted, self.tested)
        found = self._of_arm(self.arm, *given)
        for bare, better in _with_passages(self.composed.settings).items():
            if bare in self.scored and better in self.scored and bare != self.arm:
                found += [each for each in self._of_arm(bare, *given) if each.kind == NEEDS_PASSAGES]
        return found

    def _of_arm(
        self, arm: str, examples: Any, against: str, training: Training, wanted: Any, tested: Any
    ) -> list[Group]:
        twin = _with_passages(self.composed.settings).get(arm)
        return groups(examples, arm, against, training, wanted, tested, [twin] if twin in self.scored else [])

    def suspects(self) -> list[Suspect]:
        """Return the training examples that look wrong."""
        examples = [each for each, _ in self._learnt_from()]
        answers = json_lines({"id": each["id"], **_given(each).to_json()} for each in examples)
        inputs = {"examples": json_lines(examples), "predictions": answers, "provenance": self._data("provenance")}
        made = score(self.scored[self.arm].settings, inputs, {}).outputs["scores.jsonl"]
        kinds: dict[str, list[str]] = {}
        for each, example in zip(parse_lines(made), examples, strict=True):
            answered = {AS_IF: said(Message.from_json(example["messages"][-1]))}
            told = {"scores": {AS_IF: each["scores"]}, "detail": {AS_IF: each["detail"]}, "answers": answered}
            kinds[each["id"]] = misses.kinds(told, AS_IF)
        numbers = {place: number for number, place in enumerate(each.place for each in self.training.learnt)}
        by_number = {
            numbers[at]: kinds[example["id"]]
            for example, place in self._learnt_from()
            if (at := f"{place['path']}:{place['line']}") in numbers and kinds[example["id"]]
        }
        return suspects(self.training, by_number)

    def facts(self) -> improve_text.Facts:
        """Return what is told of the run above its groups."""
        missed = {each["id"] for each in self.examples if misses.kinds(each, self.arm)}
        in_test = sum(bool(misses.kinds(each, self.arm)) for each in self.tested)
        told_by = misses.told_by(self.examples)
        return improve_text.Facts(
            self.run.run_id,
            self.composed.experiment,
            self.arm,
            self.against,
            len(missed),
            len(self.examples),
            in_test,
            len(self.tested),
            self.training.n,
            bool(told_by),
        )

    def _learnt_from(self) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
        places = [each for each in parse_lines(self._data("provenance")) if each["split"] == "train"]
        return list(zip(parse_lines(self._data("train")), places, strict=True))

    def _data(self, name: str) -> bytes:
        ran = next(each for each in self.done.ran.values() if each.action.kind is DATASET)
        return self.done.store.get(ran.record.outputs[f"{name}.jsonl"])


def _learnt(example: Mapping[str, Any], place: str) -> Learnt:
    target = Message.from_json(example["messages"][-1])
    calls = tuple(sorted(each.name for each in target.tool_calls))
    return Learnt(place, example["raw"], said(target), calls if example.get("tools") else None)


def _given(example: Mapping[str, Any]) -> Dialogue:
    """Return the answer of an example as if a model had given it."""
    target = Message.from_json(example["messages"][-1])
    return Dialogue(Completion(target.content or "", tool_calls=target.tool_calls))


def _entries(seen: Seen, found: Sequence[Group], suspected: Sequence[Suspect], world: World) -> Iterator[entries.Entry]:
    settings = seen.composed.settings
    contents = {
        name: (world.root / seen.composed.source_path(name)).read_bytes()
        for name, each in settings.sources.items()
        if each.kind == "generator"
    }
    yield from entries.of_generators(found, settings, contents, seen.slices, seen.training.n)
    report = seen.run.report()
    yield from entries.of_settings(found, settings, report["training"] if report else None, _with_passages(settings))
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
