"""Mistakes in a halving or a search: told before anything runs, each at the line of the space, in the whole text."""

from pathlib import Path

import pytest
from config_fixture import TONE, Own

EPOCHS, RATE = "method.hyperparameters.n_epochs", "method.hyperparameters.learning_rate_multiplier"


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def refused(own: Own, space: str, *more: str) -> str:
    """Return what is said of a space; its first line is line 2 of the file."""
    own.write("conf/sweep/mine.yaml", f"# Mine.   ftbuild {TONE} sweep=mine\n{space}")
    return own.refused("plan", TONE, "sweep=mine", *more)


@pytest.mark.parametrize(
    "points",
    [f"grid:\n  {EPOCHS}: [1, 2]\n", f"list:\n  - {{{EPOCHS}: 1}}\n"],
)
def test_a_point_that_sets_the_key_of_the_rungs_is_refused_at_their_line(own: Own, points: str) -> None:
    said = refused(own, f"{points}halving:\n  rungs: {{{EPOCHS}: [1, 3]}}\n  keep: 0.5\n")
    assert f"{EPOCHS} has its values in sweep." in said
    assert said.startswith("conf/sweep/mine.yaml:")
    assert said.endswith("    Fix: say it once.\n")


@pytest.mark.parametrize("values", ["[3, 1]", "[1]", "[1, two]", "[null, 1]"])
def test_rungs_that_do_not_rise_are_refused_at_their_line(own: Own, values: str) -> None:
    said = refused(own, f"grid:\n  seed: [1, 2]\nhalving:\n  rungs: {{{EPOCHS}: {values}}}\n  keep: 0.5\n")
    shown = values.replace(", ", ",")
    assert said == (
        f"conf/sweep/mine.yaml:5: sweep.halving.rungs.{EPOCHS}: {shown} are no two or more numbers that rise\n"
        "    Fix: as [1,3]; the last may be null, for all.\n"
    )


@pytest.mark.parametrize("values", ["[2, 1]", "[0]", "[1, null]"])
def test_checkpoints_of_no_epochs_are_refused_at_their_line(own: Own, values: str) -> None:
    said = refused(own, f"grid:\n  seed: [1, 2]\nhalving:\n  rungs: {{checkpoints: {values}}}\n  keep: 0.5\n")
    shown = values.replace(", ", ",")
    assert said == (
        f"conf/sweep/mine.yaml:5: sweep.halving.rungs.checkpoints: {shown} are no epochs that rise\n"
        "    Fix: as [1] or [1,2]; the end of the job follows.\n"
    )


def test_what_the_command_line_sets_cannot_rise(own: Own) -> None:
    space = f"grid:\n  seed: [1, 2]\nhalving:\n  rungs: {{{EPOCHS}: [1, 3]}}\n  keep: 0.5\n"
    assert refused(own, space, f"{EPOCHS}=2") == (
        f"conf/sweep/mine.yaml:5: sweep.halving.rungs.{EPOCHS}: {EPOCHS} is on the command line too\n"
        "    Fix: leave it out there, or sweep.halving=null.\n"
    )


def test_points_with_other_metrics_or_other_splits_are_not_told_from_each_other(own: Own) -> None:
    space = f"grid:\n  dataset.split.seed: [1, 2]\nhalving:\n  rungs: {{{EPOCHS}: [1, 3]}}\n  keep: 0.5\n"
    assert refused(own, space) == (
        "conf/dataset/by_group.yaml:3: dataset.split: the points differ in dataset.split, so none of them is known to"
        " be better\n"
        "    Nothing was trained.\n"
        "    Fix: the same for all of them, or a sweep that gives none up early.\n"
    )


def test_a_search_that_draws_the_metric_cannot_tell_its_trials_from_each_other(own: Own) -> None:
    space = "search:\n  n_trials: 3\n  from:\n    goal.metric: [chrf, style.all_kept]\n"
    assert refused(own, space) == (
        "conf/sweep/mine.yaml:5: goal.metric: the points differ in goal.metric, so none of them is known to be better\n"
        "    Nothing was trained.\n"
        "    Fix: the same for all of them, or a sweep that gives none up early.\n"
    )


def test_a_search_stands_alone(own: Own) -> None:
    space = f"grid:\n  seed: [1, 2]\nsearch:\n  n_trials: 3\n  from: {{{RATE}: {{low: 1, high: 2}}}}\n"
    assert refused(own, space) == (
        "conf/sweep/mine.yaml:4: sweep.search: a search has no other points beside it\n"
        "    Fix: leave out grid, list, halving and so on.\n"
    )


def test_a_condition_on_what_nothing_draws_or_draws_later_is_refused_at_its_line(own: Own) -> None:
    space = f"""\
search:
  n_trials: 3
  from:
    {RATE}: {{low: 1, high: 2}}
    {EPOCHS}: [1, 2]
  when:
    {RATE}: {{{EPOCHS}: [2]}}
    {EPOCHS}: {{seed: [1]}}
"""
    assert refused(own, space) == (
        f"conf/sweep/mine.yaml:8: sweep.search.when.{RATE}: {EPOCHS} is drawn after {RATE}\n"
        "    Fix: put it before that in sweep.search.from.\n"
        f"conf/sweep/mine.yaml:9: sweep.search.when.{EPOCHS}: nothing draws 'seed'\n"
        f"    Fix: there are {RATE}, {EPOCHS}.\n"
    )


def test_a_sampler_that_is_not_there(own: Own) -> None:
    space = f"search:\n  n_trials: 3\n  sampler: gp\n  from: {{{RATE}: {{low: 1, high: 2}}}}\n"
    assert refused(own, space) == "conf/sweep/mine.yaml:4: sweep.search.sampler: 'gp' should be 'tpe' or 'random'\n"


def test_a_value_that_no_point_can_have_is_refused_before_any_is_tried(own: Own) -> None:
    space = f"""\
search:
  n_trials: 3
  from:
    seed: {{low: 1, high: 9, int: true}}
    {EPOCHS}: [1, many]
"""
    assert refused(own, space) == (f"conf/sweep/mine.yaml:6: {EPOCHS}: 'many' should be a valid integer or 'auto'\n")
    rungs = f"grid:\n  seed: [1, 2]\nhalving:\n  rungs: {{{EPOCHS}: [0, 3]}}\n  keep: 0.5\n"
    assert refused(own, rungs).startswith(f"conf/sweep/mine.yaml:5: {EPOCHS}: ")
