"""The winner of a sweep on the confirm split: the actions of the test split with another input, and nothing else."""

from typing import Any

import pytest
from settings_fixture import FULL, graph

from ftbuild.plan.action import COMPARE, CONFIRM, JOB, PREDICT, RENDER, REPORT, Action
from ftbuild.plan.confirm import CONFIRMED, confirming, has_confirm
from ftbuild.plan.graph import Graph

GOAL = {
    "metric": "chrf",
    "require": {"better": {"beats": "base", "by": 0.1}, "rules": {"beats": "rules"}, "good": {"at_least": 0.5}},
    "keep": {"facts": {"metric": "facts.kept", "at_least": 0.5}},
    "judge_by": "lower_bound",
}
SPLIT = FULL["dataset"]["split"] | {"confirm": 0.2}
KEPT = FULL | {"goal": GOAL, "dataset": FULL["dataset"] | {"split": SPLIT}}
TOLD = {"looks": 3, "verdict": "better", "p": 0.01}
EVERY = {"targets": "every"}


def grown(tree: dict[str, Any]) -> tuple[Graph, Graph]:
    given = graph(tree)
    return given, confirming(given, list(given.actions), ["base", "tuned"], TOLD)


def new_ones(tree: dict[str, Any]) -> list[Action]:
    given, found = grown(tree)
    return [each for each in found if each.id not in given.actions]


@pytest.mark.parametrize("tree", [KEPT, KEPT | {"evaluation": KEPT["evaluation"] | EVERY}])
def test_a_build_of_one_point_reads_no_example_of_the_confirm_split(tree: dict[str, Any]) -> None:
    readers = [action.kind for action in graph(tree) for each in action.inputs if each.output == "confirm.jsonl"]
    assert readers == [RENDER]
    rendered = next(each for each in graph(tree) if each.kind is RENDER)
    given = {each.output for action in graph(tree) for each in action.inputs if each.action == rendered.id}
    assert given == {"train.jsonl", "validation.jsonl", "manifest.json"}


def test_each_new_action_is_one_of_the_test_split_but_for_the_examples_it_reads() -> None:
    given, found = grown(KEPT)
    by_label = {action.label: action for action in given}
    new = new_ones(KEPT)
    assert [each.label for each in new] == [
        *("base confirm", "base scores confirm", "tuned confirm", "tuned scores confirm", "verdict confirm", "report")
    ]
    for each in new[:4]:
        twin = by_label[each.label.removesuffix(CONFIRM)]
        assert (each.kind, each.settings_text, each.arm) == (twin.kind, twin.settings_text, twin.arm)
        for own, other in zip(each.inputs, twin.inputs, strict=True):
            if own != other:
                moved = found.actions[own.action]
                assert (own.role, moved.label.removesuffix(CONFIRM)) == (other.role, given.actions[other.action].label)
                assert (own.output == "confirm.jsonl") or moved.stage == "confirm"
    assert [each.id for each in found if each.kind is JOB] == [each.id for each in given if each.kind is JOB]


def test_where_every_answer_is_a_target_so_it_is_there() -> None:
    labels = [each.label for each in new_ones(KEPT | {"evaluation": KEPT["evaluation"] | EVERY})]
    assert labels[0] == "targets confirm"
    assert "tuned confirm" in labels


def test_the_two_arms_are_compared_by_the_margin_of_the_goal_and_by_no_other_condition() -> None:
    [compared] = [each for each in new_ones(KEPT) if each.kind is COMPARE]
    said = compared.settings
    assert (said["arms"], [each.role for each in compared.inputs]) == (["base", "tuned"], ["base", "tuned"])
    assert [name for name, _ in said["goal"]["require"]] == ["better"]
    assert (said["goal"]["metric"], said["goal"]["keep"]) == ("chrf", [])


def test_the_report_is_drawn_anew_with_what_came_of_it() -> None:
    given, found = grown(KEPT)
    [before] = [each for each in given if each.kind is REPORT]
    [after] = [each for each in found if each.kind is REPORT]
    assert after.settings == {**before.settings, "sweep": TOLD}
    assert (after.inputs[:-1], after.inputs[-1].role) == (before.inputs, CONFIRMED)
    assert set(given.actions) - set(found.actions) == {before.id}


def test_without_a_share_there_is_no_such_split() -> None:
    assert [has_confirm(each, list(each.actions)) for each in (graph(FULL), graph(KEPT))] == [False, True]
    asked = [each for each in graph(FULL) if each.kind is PREDICT]
    assert {each.output for action in asked for each in action.inputs if each.role == "examples"} == {"test.jsonl"}
