"""A run with what its arms made of the validation split, and what its model has learnt from; read from the store."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ftbuild.chat import Message, said
from ftbuild.cli import improve_text
from ftbuild.cli.held_out import held_out
from ftbuild.completion import Completion, Dialogue
from ftbuild.composed import Composed
from ftbuild.history import Run
from ftbuild.improve.groups import NEEDS_PASSAGES, Group, groups
from ftbuild.improve.neighbours import Learnt, Said, Training
from ftbuild.improve.suspects import Suspect, suspects
from ftbuild.outcome import Build
from ftbuild.plan.action import DATASET, SCORE, VALIDATION, Action
from ftbuild.report import misses
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.measure import score
from ftbuild.runners.report import examples_of
from ftbuild.settings import Settings

AS_IF = "target"  # the name under which the training answers are scored as if a model had given them


def with_passages(settings: Settings) -> dict[str, str]:
    """Return for each arm without passages the one of the same kind that has them."""
    if settings.retrieval.documents is None:
        return {}
    bare = {each.kind: name for name, each in settings.arms.items() if each.retrieval is False}
    given = {each.kind: name for name, each in settings.arms.items() if each.retrieval is not False}
    return {name: given[kind] for kind, name in bare.items() if kind in given}


@dataclass(frozen=True)
class Seen:
    """A run with what its arms made of the validation split, read from the store where it is asked for.

    `said` is what its training examples say, where vectors tell it.
    """

    run: Run
    composed: Composed
    done: Build
    said: Said | None = None

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

    @property
    def missed(self) -> list[Learnt]:
        """Return the validation examples that are grouped, as they should be answered: any that an arm missed."""
        missed = [each["id"] for each in self.examples if any(misses.kinds(each, arm) for arm in self.scored)]
        return [self.wanted[each] for each in missed]

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
        return Training(self.learnt, self.said)

    @cached_property
    def learnt(self) -> list[Learnt]:
        """Return the training examples."""
        return [_learnt(each, f"{place['path']}:{place['line']}") for each, place in self._learnt_from]

    @cached_property
    def wanted(self) -> dict[str, Learnt]:
        """Return the validation examples as they should be answered, by id."""
        targets = parse_lines(self.done.read(self.scored[self.arm], "examples"))
        return {each["id"]: _learnt(each, "") for each in targets}

    def groups(self) -> list[Group]:
        """Return the misses of the judged arm by kind, and those of an arm without passages that need them."""
        pairs = with_passages(self.composed.settings)

        def of(arm: str) -> list[Group]:
            twins = [each for each in [pairs.get(arm)] if each in self.scored]
            return groups(self.examples, arm, self.against, self.training, self.wanted, self.tested, twins)

        bare = [each for each in pairs if each in self.scored and each != self.arm]
        return [*of(self.arm), *(each for arm in bare for each in of(arm) if each.kind == NEEDS_PASSAGES)]

    def suspects(self) -> list[Suspect]:
        """Return the training examples that look wrong."""
        examples = [each for each, _ in self._learnt_from]
        answers = json_lines({"id": each["id"], **_given(each).to_json()} for each in examples)
        inputs = {"examples": json_lines(examples), "predictions": answers, "provenance": self._data("provenance")}
        made = score(self.scored[self.arm].settings, inputs, {}).outputs["scores.jsonl"]
        kinds: dict[str, list[str]] = {}
        for each, example in zip(parse_lines(made), examples, strict=True):
            answered = {AS_IF: said(Message.from_json(example["messages"][-1]))}
            told = {"scores": {AS_IF: each["scores"]}, "detail": {AS_IF: each["detail"]}, "answers": answered}
            kinds[each["id"]] = misses.kinds(told, AS_IF)
        learnt = enumerate(self.training.learnt)
        return suspects(self.training, {number: kinds[each.id] for number, each in learnt if kinds[each.id]})

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
            self.said is not None,
        )

    def held_out(self) -> Iterator[Mapping[str, Any]]:
        """Yield the examples from which nothing may be learnt."""
        return held_out(self.outputs, self.done.store)

    @cached_property
    def _learnt_from(self) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
        places = [each for each in parse_lines(self._data("provenance")) if each["split"] == "train"]
        return list(zip(parse_lines(self._data("train")), places, strict=True))

    def _data(self, name: str) -> bytes:
        return self.done.store.get(self.outputs[f"{name}.jsonl"])

    @property
    def outputs(self) -> Mapping[str, str]:
        """Return the outputs of the dataset."""
        ran = next(each for each in self.done.ran.values() if each.action.kind is DATASET)
        return ran.record.outputs


def _learnt(example: Mapping[str, Any], place: str) -> Learnt:
    target = Message.from_json(example["messages"][-1])
    calls = tuple(sorted(each.name for each in target.tool_calls))
    return Learnt(example["id"], place, example["raw"], said(target), calls if example.get("tools") else None)


def _given(example: Mapping[str, Any]) -> Dialogue:
    """Return the answer of an example as if a model had given it."""
    target = Message.from_json(example["messages"][-1])
    return Dialogue(Completion(target.content or "", tool_calls=target.tool_calls))
