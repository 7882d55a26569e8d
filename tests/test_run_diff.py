"""The difference of two runs, from plain values: part by part, and what cannot be compared."""

from dataclasses import asdict, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from runs_fixture import metric, settings

from ftbuild.dataset.diff import Placed
from ftbuild.run_diff import Change, MetricChange, RunDiff, Side, compare

HEY = Placed("1", "train", "pairs", "a.jsonl", 1, "hey", "Hello.")
LATE = Placed("2", "test", "pairs", "a.jsonl", 2, "late", "I am late.")


def told(**values: Any) -> dict[str, Any]:
    return {
        "actions": [],
        "dataset": {"counts": {"train": 1, "validation": 0, "test": 1}},
        "seconds": 10.0,
        "cost_usd": 0,
        "jobs": ["ftjob-1"],
        "metrics": [metric()],
        "goal": [],
        "verdict": "better",
        "ending": "met",
        **values,
    }


def side(**values: Any) -> Side:
    plain = {
        "settings": settings(seed=1),
        "examples": [HEY, LATE],
        "tested": [LATE],
        "versions": {"dataset actions": 1},
    }
    return Side(**{"run_id": "a", "told": told(), **plain, "training": {"trained_tokens": 5}, **values})


SIDE = side()


def test_a_run_does_not_differ_from_itself() -> None:
    found = compare(SIDE, SIDE)
    assert found.is_empty
    assert (found.config, found.implementation, found.outcome) == ([], [], [])


def test_time_and_money_are_told_and_make_no_difference() -> None:
    found = compare(SIDE, side(told=told(seconds=20.0, cost_usd=1.5, jobs=[])))
    assert found.is_empty
    assert found.costs == [
        Change("seconds", 10.0, 20.0),
        Change("cost_usd", 0, 1.5),
        Change("trained_tokens", 5, 5),
        Change("job_id", "ftjob-1", None),
    ]


def test_a_setting_is_told_with_the_place_of_each_side_and_null_is_no_absence() -> None:
    new = settings(model__name="tiny", seed=2, goal=None)
    found = compare(side(settings=settings(seed=1, old=3)), side(settings=new)).to_json()["config"]
    at = "conf/experiment/tone.yaml"
    assert found == [
        {"key": "model.name", "in": "new", "old": None, "old_origin": None, "new": "tiny", "new_origin": f"{at}:4"},
        {"key": "seed", "in": "both", "old": 1, "old_origin": f"{at}:4", "new": 2, "new_origin": f"{at}:5"},
        {"key": "goal", "in": "new", "old": None, "old_origin": None, "new": None, "new_origin": f"{at}:6"},
        {"key": "old", "in": "old", "old": 3, "old_origin": f"{at}:5", "new": None, "new_origin": None},
    ]


def test_a_key_that_only_moved_to_another_line_is_the_same() -> None:
    moved = [{**line, "origin": "conf/config.yaml:99"} for line in settings(seed=1)]
    assert compare(SIDE, side(settings=moved)).is_empty


def test_examples_are_counted_for_each_split() -> None:
    new = [replace(HEY, split="test"), LATE, replace(HEY, id="3", line=7, raw="yo")]
    found = compare(SIDE, side(examples=new)).data
    assert found is not None
    none = {"added": 0, "removed": 0, "changed": 0, "moved_in": 0, "moved_out": 0, "reworked": 0}
    assert found.counts() == {
        "train": {**none, "added": 1, "moved_out": 1},
        "validation": none,
        "test": {**none, "moved_in": 1},
    }
    assert found.test_differs


def test_another_system_message_leaves_the_test_the_same() -> None:
    found = compare(SIDE, side(examples=[HEY, replace(LATE, messages=[{"role": "system", "content": ""}])])).data
    assert found is not None
    assert ([each.what for each in found.changes], found.test_differs) == (["reworked"], False)


def test_the_same_keys_need_neither_examples_nor_records() -> None:
    keyed = told(actions=[{"kind": "dataset", "key": "k"}])
    gone = side(told=keyed, examples=None, tested=None, versions=None)
    assert compare(gone, side(told=keyed)).is_empty


def test_without_the_dataset_the_test_examples_of_the_reports_are_compared() -> None:
    found = compare(side(examples=None), side(tested=[]))
    assert found.data is not None
    assert (found.data.splits, [each.what for each in found.data.changes]) == (("test",), ["removed"])
    assert not compare(side(examples=None), SIDE).is_empty


def test_a_part_that_one_side_lost_is_null() -> None:
    found = compare(SIDE, side(settings=None, examples=None, tested=None, versions=None))
    said = found.to_json()
    assert (said["config"], said["data"], said["implementation"], said["equal"]) == (None, None, None, False)


def test_versions_that_differ_are_told_and_kinds_that_only_one_has_are_not() -> None:
    found = compare(SIDE, side(versions={"dataset actions": 2, "job actions": 1}))
    assert found.implementation == [Change("dataset actions", 1, 2)]


def test_metrics_are_told_by_arm_with_the_difference_of_the_estimates() -> None:
    was = told(metrics=[metric(0.75), metric(0.5, name="chrf")])
    now = told(metrics=[metric(0.875), metric(None, name="exact")])
    found = compare(side(told=was), side(told=now)).metrics
    assert [(each.metric, each.arm, each.difference, each.differs) for each in found] == [
        ("style.all_kept", "tuned", 0.125, True),
        ("exact", "tuned", None, True),
        ("chrf", "tuned", None, True),
    ]
    old, new = was["metrics"][0]["arms"]["tuned"], now["metrics"][0]["arms"]["tuned"]
    assert found[0] == MetricChange("style.all_kept", "style.all_kept", None, "tuned", False, old, new)


def test_verdict_ending_and_conditions_are_told_where_they_ended_otherwise() -> None:
    was = told(goal=[{"name": "a", "ending": "met"}, {"name": "b", "ending": "met"}])
    now = told(goal=[{"name": "a", "ending": "missed"}, {"name": "b", "ending": "met"}], verdict=None, ending="missed")
    assert compare(side(told=was), side(told=now)).outcome == [
        Change("verdict", "better", None),
        Change("ending", "met", "missed"),
        Change("goal.a", "met", "missed"),
    ]


values = st.one_of(st.none(), st.integers(0, 2))
maps = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
sides = st.builds(
    lambda config, versions, means, ending: side(
        settings=None if config is None else settings(**config),
        versions=versions,
        told=told(metrics=[metric(mean, name=name) for name, mean in means.items()], ending=ending),
    ),
    st.one_of(st.none(), maps),
    st.one_of(st.none(), maps),
    st.dictionaries(st.sampled_from(["chrf", "exact"]), st.one_of(st.none(), st.sampled_from([0.25, 0.5])), max_size=2),
    st.sampled_from(["met", "missed", None]),
)


@given(sides)
def test_any_run_with_all_its_parts_does_not_differ_from_itself(one: Side) -> None:
    assert compare(one, one).is_empty == (one.settings is not None and one.versions is not None)


@given(sides, sides)
def test_swapped_runs_give_the_same_told_backwards(old: Side, new: Side) -> None:
    there, back = compare(old, new), compare(new, old)
    assert _told(there, "old", "new") == _told(back, "new", "old")
    assert there.is_empty == back.is_empty
    gains = {(each.metric, each.arm): each.difference for each in back.metrics}
    assert all(each.difference == (gain and -gain) for each in there.metrics for gain in [gains[each.metric, each.arm]])


def _told(found: RunDiff, old: str, new: str) -> list[list[str] | None]:
    parts = (found.config, found.implementation, found.metrics, found.outcome, found.costs)
    return [
        None
        if part is None
        else sorted(repr([asdict(each).get(name) for name in ("key", "name", old, new)]) for each in part)
        for part in parts
    ]
