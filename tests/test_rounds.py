"""A round after another: what is composed with it, what of it stands in the graph, what is refused."""

import json
from pathlib import Path

import pytest
from config_fixture import Own

from ftbuild.compose import compose, compose_sweep
from ftbuild.composed import from_json, to_json
from ftbuild.compositions import compositions
from ftbuild.outcome import Build
from ftbuild.plan.action import COMPARE, JOB, PREDICT, RENDER
from ftbuild.plan.graph import Graph
from ftbuild.points import apart, one_graph, owners
from ftbuild.resolving import graph_of
from ftbuild.runners.head_room import room_said
from ftbuild.store.store import Store

FIRST = """
    # The first.   ftbuild +experiment=first
    defaults: [tone_formal]
    dataset:
      sources: {mine: {kind: csv, path: mine.csv, input: a, target: b, licence: CC0-1.0, origin: here}}
"""
SECOND = """
    # The second.   ftbuild +experiment=second
    defaults: [first]
    dataset:
      sources: {more: {kind: csv, path: more.csv, input: a, target: b, only: train, licence: CC0-1.0, origin: here}}
    round: {after: first, aims: [source=mine]}
"""
THIRD = """
    # The third.   ftbuild +experiment=third
    defaults: [second]
    round: {after: second, aims: []}
    method: {hyperparameters: {n_epochs: 3}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Own:
    found = Own(tmp_path)
    for name, text in (("first", FIRST), ("second", SECOND), ("third", THIRD)):
        found.experiment(name, text)
    for name in ("mine.csv", "more.csv"):
        found.write(name, "a,b\nhey,Hello.\n")
    return found


def resolved(own: Own, *words: str) -> Graph:
    return graph_of(compose(own.folder, words), Store(own.folder / "store"), judged=True)


def test_the_model_of_the_round_before_is_an_arm_in_front_of_the_tuned_one(own: Own) -> None:
    found = compose(own.folder, ["+experiment=second"])
    assert found.before is not None
    assert found.before.experiment == "first"
    assert "before" not in found.before.tree["evaluation"]["arms"]
    arms = list(found.tree["evaluation"]["arms"])
    assert arms.index("before") == arms.index("tuned") - 1
    assert found.tree["evaluation"]["arms"]["before"] == {"kind": "before"}
    assert str(found.origins.of("evaluation.arms.before.kind")) == "conf/experiment/second.yaml:6"


def test_a_goal_may_ask_to_beat_the_round_before(own: Own) -> None:
    found = compose(own.folder, ["+experiment=second", "+goal.require.gain={beats: before, by: 0.02}"])
    assert found.settings.goal.require["gain"].beats == "before"
    said = own.refused("plan", "+experiment=first", "+goal.require.gain={beats: before}")
    assert said.startswith("command line: goal.require.gain.beats: no arm 'before' in evaluation.arms\n")


def test_the_command_line_goes_for_both_but_for_what_is_of_one_round(own: Own) -> None:
    words = ["+experiment=second", "model=tiny", "seed=3", "dataset.sources.mine.path=more.csv"]
    of_one = ["dataset.sources.more.path=mine.csv", "round.aims=[]", "goal.judge_by=estimate"]
    before = compose(own.folder, [*words, *of_one]).before
    assert before is not None
    assert before.overrides == ("+experiment=first", "model=tiny", "seed=3", "dataset.sources.mine.path=more.csv")


def test_all_points_of_a_sweep_come_after_one_round(own: Own) -> None:
    words = ("+experiment=second", "model=tiny", "seed=1,2")
    points = compose_sweep(own.folder, words).points
    assert [point.tree["seed"] for point in points] == [1, 2]
    assert {each.overrides for point in points if (each := point.before)} == {("+experiment=first", "model=tiny")}


def test_a_chain_of_rounds_survives_json(own: Own) -> None:
    points = compose_sweep(own.folder, ("+experiment=third", "seed=1,2")).points
    again = from_json(json.loads(json.dumps(to_json(points))))
    assert again == list(points)
    assert [[each.experiment for each in point.rounds] for point in again] == [["first", "second", "third"]] * 2


def test_only_the_job_of_the_round_before_is_in_the_graph_and_waits_for_nobody(own: Own) -> None:
    graph, before = resolved(own, "+experiment=third"), resolved(own, "+experiment=second")
    earlier = {action.id for action in before if action.kind is JOB and action.id not in before.borrowed}
    jobs = [action for action in graph if action.kind is JOB]
    assert len(jobs) == 2
    assert {action.id for action in jobs} > earlier
    assert [action.after for action in jobs if action.id in earlier] == [()]
    own_job = next(action for action in jobs if action.id not in earlier)
    scores = {graph.actions[name].label for name in own_job.after}
    assert {"before scores", "base scores"} <= scores
    assert {graph.actions[name].kind for name in graph.borrowed} == {JOB}  # the data is the same


def test_the_job_of_a_round_before_is_launched_without_a_look_at_its_own_aims(own: Own) -> None:
    composed, store = compose(own.folder, ["+experiment=third"]), Store(own.folder / "store")
    graph = graph_of(composed, store, judged=True)
    [job] = [graph.actions[name] for name in graph.borrowed if graph.actions[name].kind is JOB]
    assert composed.before is not None
    assert composed.before.settings.round is not None
    assert room_said(composed.before.settings, job, Build(store)) == ""


def test_the_arm_before_is_asked_as_the_tuned_one_of_its_own_round_was(own: Own) -> None:
    graph, first = resolved(own, "+experiment=second"), resolved(own, "+experiment=first")
    asked = next(action for action in graph if action.label == "before" and action.kind is PREDICT)
    then = next(action for action in first if action.label == "tuned" and action.kind is PREDICT)
    digests = {each.role: "a" * 64 for each in asked.inputs}
    assert asked.key(digests) == then.key(digests)


def test_a_first_round_has_the_keys_it_had(own: Own) -> None:
    """Its comparison and report know of no round, and its job of none either."""
    graph = resolved(own, "+experiment=first")
    [compared] = [action for action in graph if action.kind is COMPARE]
    assert "round" not in compared.settings
    assert graph.borrowed == set()


def test_the_graph_read_again_still_knows_whose_actions_are_whose(own: Own) -> None:
    def found() -> tuple[Graph, list[tuple[str, str]], dict[str, str]]:
        kept = compositions(
            own.folder, ["+experiment=second"], multirun=False, environment={}, now=1e10, cache=own.folder / "cache"
        )
        graph, points = one_graph(kept, (), Store(own.folder / "store"), smoke=False)
        own_by = owners(points)
        whose = [(action.label, own_by[action.id].composed.experiment) for action in graph]
        return graph, whose, apart(points)

    (made, whose, names), (read, again, names_again) = found(), found()
    assert (list(read.actions), again, names_again) == (list(made.actions), whose, names)
    assert read.borrowed == made.borrowed == set(names)
    assert set(names.values()) == {"first"}
    assert {experiment for label, experiment in whose if label == "job"} == {"first", "second"}
    assert [action.label for action in read.up_to("render") if action.kind is RENDER] == ["lines"]


@pytest.mark.parametrize(
    ("name", "after", "said"),
    [
        (
            "lost",
            "frist",
            "conf/experiment/lost.yaml:4: round.after: no experiment 'frist'\n    Fix: the nearest is 'first'.\n",
        ),
        (
            "lost",
            "lost",
            "conf/experiment/lost.yaml:4: round.after: 'lost' comes after itself: lost -> lost\n"
            "    Fix: name the experiment whose misses this one learns from.\n",
        ),
        (
            "first",
            "third",
            "conf/experiment/second.yaml:6: round.after: 'first' comes after itself: "
            "first -> third -> second -> first\n"
            "    Fix: name the experiment whose misses this one learns from.\n",
        ),
    ],
)
def test_a_round_after_none_or_after_itself_is_refused(own: Own, name: str, after: str, said: str) -> None:
    own.experiment(name, f"# Ours.   ftbuild +experiment={name}\ndefaults: [tone_formal]\nround: {{after: {after}}}\n")
    assert own.refused("plan", f"+experiment={name}") == said


def test_a_round_after_one_that_trains_nothing_is_refused(own: Own) -> None:
    own.experiment("asked", "# Asked.   ftbuild +experiment=asked\ndefaults: [first, override /method: none]\n")
    assert own.refused("plan", "+experiment=second", "round.after=asked") == (
        "command line: round.after: asked trains no model\n    Fix: name an experiment that does.\n"
    )


def test_an_arm_cannot_be_called_as_that_of_the_round_before(own: Own) -> None:
    assert own.refused("plan", "+experiment=second", "+evaluation.arms.before={kind: base}") == (
        "command line: evaluation.arms.before: that is what the model of round.after is called, and it is there "
        "without being said\n    Fix: call the arm something else, or take it out.\n"
    )
    assert own.refused("plan", "+experiment=first", "+evaluation.arms.then={kind: before}") == (
        "command line: evaluation.arms.then.kind: before, and round is null\n"
        "    Fix: round.after=EXPERIMENT says which; the arm is then there without being said.\n"
    )


def test_an_aim_is_a_slice(own: Own) -> None:
    said = own.refused("plan", "+experiment=second", 'round.aims=["sourc=mine"]')
    assert said.startswith("command line: round.aims: no slice 'sourc=mine'\n")


def test_what_is_measured_on_the_confirm_split_needs_one(own: Own) -> None:
    assert own.refused("plan", "+experiment=first", "evaluation.split=confirm") == (
        "command line: evaluation.split: confirm, and there is no confirm split\n"
        "    Fix: add a source with only: confirm, or hold some back: +dataset.split.confirm=0.15\n"
    )
    graph = resolved(own, "+experiment=first", "evaluation.split=confirm", "dataset.split.confirm=0.2")
    asked = {
        each.output for action in graph if action.kind is PREDICT for each in action.inputs if each.role == "examples"
    }
    assert asked == {"confirm.jsonl"}


def test_looks_are_counted_back_to_the_first_round_with_other_examples(own: Own) -> None:
    def looks(*words: str) -> int:
        [compared] = [action for action in resolved(own, *words) if action.kind is COMPARE]
        found: int = compared.settings["round"]["looks"]
        return found

    assert looks("+experiment=second") == 2
    assert looks("+experiment=third") == 3
    assert looks("+experiment=third", "evaluation.split=confirm", "dataset.split.confirm=0.2") == 1
