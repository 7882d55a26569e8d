"""A point on another split than that of its verdict: the actions of the test split with another input, no more."""

from typing import Any

import pytest
from settings_fixture import FULL, graph

from ftbuild.plan.action import (
    CHECKPOINT,
    CHOOSE,
    COMPARE,
    CONFIRM,
    DATASET,
    JOB,
    PREDICT,
    RENDER,
    REPORT,
    TARGETS,
    Action,
)
from ftbuild.plan.graph import Graph
from ftbuild.plan.splits import (
    CONFIRMED,
    at_checkpoint,
    confirming,
    has_confirm,
    job_of,
    validating,
    without_jobs,
)

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


def validated(tree: dict[str, Any]) -> tuple[Graph, Graph]:
    given = graph(tree)
    return given, validating(given, list(given.actions))


@pytest.mark.parametrize("tree", [FULL, FULL | {"evaluation": FULL["evaluation"] | EVERY}])
def test_a_point_that_is_validated_asks_its_tuned_arm_alone_and_reads_no_test_example(tree: dict[str, Any]) -> None:
    given, found = validated(tree)
    assert [each.label for each in found if each.kind is PREDICT] == ["tuned validation"]
    made_by = {each.action: found.actions[each.action].kind for action in found for each in action.inputs}
    read = {
        (made_by[each.action], each.output) for action in found for each in action.inputs if each.role == "examples"
    }
    of_targets = {(TARGETS, "test.jsonl")}  # so it is called whatever the split
    assert read == {(DATASET, "validation.jsonl")} | (of_targets if tree is not FULL else set())
    rendered = next(each.id for each in given if each.kind is RENDER)
    assert rendered in found.actions
    assert list(found)[-1].label == "tuned scores validation"


def test_its_job_is_that_of_the_point_and_waits_for_no_other_arm() -> None:
    given, found = validated(FULL)
    [job], [whole] = ([each for each in one if each.kind is JOB] for one in (found, given))
    assert (job.id, job.after) == (whole.id, ())
    assert whole.after
    again = Graph()
    again.merge(found)
    again.merge(given)
    assert set(again.actions) == {*found.actions, *given.actions}


def test_each_action_of_it_is_one_of_the_test_split_but_for_the_examples_it_reads() -> None:
    given, found = validated(FULL)
    by_label = {action.label: action for action in given}
    new = [each for each in found if each.id not in given.actions]
    assert [(each.label, each.stage, each.split) for each in new] == [
        ("tuned validation", "train", "validation"),
        ("tuned scores validation", "train", "validation"),
    ]
    for each in new:
        twin = by_label[each.label.removesuffix(" validation")]
        assert (each.kind, each.settings_text, each.arm) == (twin.kind, twin.settings_text, twin.label)
        differing = [own.role for own, other in zip(each.inputs, twin.inputs, strict=True) if own != other]
        assert differing == (["examples"] if each.kind is PREDICT else ["examples", "predictions"])


@pytest.mark.parametrize("rule", ["last", "best_evaluation"])
def test_at_a_rung_the_checkpoint_is_asked_in_place_of_the_end_and_the_job_is_the_whole_one(rule: str) -> None:
    tree = KEPT | {"method": FULL["method"] | {"checkpoint": rule}}
    given, found = validated(tree)
    asked = at_checkpoint(found, 2)
    [whole], [job], [waits] = (
        [each for each in one if each.kind is kind] for one, kind in ((given, JOB), (asked, JOB), (asked, CHECKPOINT))
    )
    assert job.id == whole.id == job_of(waits).id
    assert not [each for each in asked if each.kind is CHOOSE]
    [tuned] = [each for each in asked if each.kind is PREDICT]
    assert [each.action for each in tuned.inputs if each.role == "job"] == [waits.id]
    assert "checkpoint" not in tuned.settings
    walked = without_jobs(asked)
    assert set(asked.actions) - set(walked.actions) == {job.id}
    assert list(walked)[-1].label == "tuned scores validation"
    assert without_jobs(found).actions == found.actions


def test_another_epoch_is_another_checkpoint_of_the_same_job() -> None:
    _, found = validated(FULL)
    one, other = at_checkpoint(found, 1), at_checkpoint(found, 2)
    differ = [each.kind for each in other if each.id not in one.actions]
    assert differ == [CHECKPOINT, PREDICT, list(other)[-1].kind]
