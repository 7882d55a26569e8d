"""Mistakes in a space: all at once before anything runs, each with the line of the space, in the whole text."""

from pathlib import Path

import pytest
from config_fixture import GROUPS, TONE, Own, there_are

HYPERPARAMETERS = (
    "    method.hyperparameters has n_epochs, batch_size, learning_rate_multiplier, beta, compute_multiplier,"
    " eval_interval, eval_samples, reasoning_effort.\n"
)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def refused(own: Own, space: str, *more: str) -> str:
    """Return what is said of a space; its first line is line 2 of the file."""
    own.write("conf/sweep/mine.yaml", f"# Mine.   ftbuild {TONE} sweep=mine\n{space}")
    return own.refused("plan", TONE, "sweep=mine", *more)


def test_what_no_point_can_have_is_told_once_at_its_line(own: Own) -> None:
    space = """\
grid:
  method.hyperparameters.n_epoch: [1, 2, 3]
  method.hyperparameters.learning_rate_multiplier: [1, fast]
  model: [tiny, smollm3]
  groop@x: [y]
  hydra.job.name: [x]
list:
  - {seed: 1}
  - {seed: x}
"""
    assert refused(own, space) == (
        "conf/sweep/mine.yaml:3: no key 'method.hyperparameters.n_epoch'\n"
        f"{HYPERPARAMETERS}"
        "    Fix: the nearest key is method.hyperparameters.n_epochs.\n"
        "conf/sweep/mine.yaml:4: method.hyperparameters.learning_rate_multiplier: 'fast' should be a valid number"
        " or 'auto'\n"
        "conf/sweep/mine.yaml:5: model=smollm3: no option 'smollm3' in conf/model\n"
        f"    Fix: the nearest is 'smollm2'; {there_are('model')}\n"
        "conf/sweep/mine.yaml:6: groop@x=y: no group 'groop'\n"
        f"    Fix: there are {GROUPS}.\n"
        "conf/sweep/mine.yaml:7: hydra.job.name=x: ftbuild has no settings of Hydra\n"
        "    Fix: leave it out.\n"
        "conf/sweep/mine.yaml:10: seed: 'x' should be a valid integer\n"
    )


def test_what_is_no_list_and_what_is_no_key_of_a_space(own: Own) -> None:
    space = """\
grid:
  seed: 3
  dataset.limit: []
exlude: []
"""
    assert refused(own, space) == (
        "conf/sweep/mine.yaml:3: sweep.grid.seed: 3 is no list of values: write [3]\n"
        "conf/sweep/mine.yaml:4: sweep.grid.dataset.limit: an empty list, so there would be no point at all\n"
        "conf/sweep/mine.yaml:5: no key 'sweep.exlude'\n"
        "    sweep has grid, zip, random, list, exclude, halving, search. For another sweep: sweep=checkpoints.\n"
        "    Fix: the nearest key is sweep.exclude.\n"
    )


def test_what_the_parts_of_a_space_say_against_each_other(own: Own) -> None:
    space = """\
grid:
  seed: range(1,3)
  style.system: abc
  experiment: [tone_formal]
  dataset.limit: interval(1,3)
  dataset.split.seed: range(3,1)
zip:
  pair:
    request.temperature: [0, 1]
    request.max_completion_tokens: 10,20,30
  again:
    seed: 4,5
list:
  - {sweep: none, ~dataset.sources.unseen: null}
random:
  n: 2
  from:
    seed: [1, 2]
"""
    assert refused(own, space) == (
        "conf/sweep/mine.yaml:4: sweep.grid.style.system: 'abc' is no list and no sweep that can be listed\n"
        "    Fix: a list as [abc], or range(1,4), choice(a,b), 1,2.\n"
        "conf/sweep/mine.yaml:5: sweep.grid.experiment[0]: experiment is for the command line, and no space sets it\n"
        "    Fix: ftbuild -m +experiment=NAME,NAME\n"
        "conf/sweep/mine.yaml:6: sweep.grid.dataset.limit: 'interval(1,3)' is no list and no sweep that can be listed\n"
        "    Fix: a list as [interval(1,3)], or range(1,4), choice(a,b), 1,2.\n"
        "conf/sweep/mine.yaml:7: sweep.grid.dataset.split.seed: 'range(3,1)' asks for no value at all\n"
        "    Fix: a list as [range(3,1)], or range(1,4), choice(a,b), 1,2.\n"
        "conf/sweep/mine.yaml:9: sweep.zip.pair: lists of unequal length: request.temperature has 2,"
        " request.max_completion_tokens has 3\n"
        "    Fix: as many values for each key; what is to be combined freely belongs into grid.\n"
        "conf/sweep/mine.yaml:13: sweep.zip.again.seed: seed has its values in sweep.grid.seed already\n"
        "    Fix: say it once.\n"
        "conf/sweep/mine.yaml:15: sweep.list[0]: sweep is for the command line, and no space sets it\n"
        "    Fix: leave it out.\n"
        "conf/sweep/mine.yaml:15: sweep.list[0]: ~dataset.sources.unseen takes a key out, and a space sets it\n"
        "    Fix: dataset.sources.unseen: null\n"
        "conf/sweep/mine.yaml:19: sweep.random.from.seed: seed has its values in sweep.grid.seed already\n"
        "    Fix: say it once.\n"
    )


def test_what_nothing_can_be_drawn_from(own: Own) -> None:
    space = """\
random:
  n: 0
  from:
    a: {low: 3, high: 2}
    b: {low: 0, high: 1, log: true}
    c: {low: 1, hihg: 2}
    d: {low: 0.5, high: 3, int: true}
    e: {low: 1, high: 2, choices: [3]}
    f: {low: 1}
    g: []
"""
    assert refused(own, space) == (
        "conf/sweep/mine.yaml:3: sweep.random.n: 0 should be greater than or equal to 1\n"
        "conf/sweep/mine.yaml:5: sweep.random.from.a: from 3 to 2 there is nothing\n"
        "conf/sweep/mine.yaml:6: sweep.random.from.b: low: 0 has no logarithm\n"
        "conf/sweep/mine.yaml:7: no key 'sweep.random.from.c.hihg'\n"
        "    sweep.random.from.c has low, high, log, int, choices.\n"
        "    Fix: the nearest key is sweep.random.from.c.high.\n"
        "conf/sweep/mine.yaml:8: sweep.random.from.d: low and high are whole numbers where int is true\n"
        "conf/sweep/mine.yaml:9: sweep.random.from.e: choices, or low and high: one of both\n"
        "conf/sweep/mine.yaml:10: sweep.random.from.f: a list of choices, or low and high\n"
        "conf/sweep/mine.yaml:11: sweep.random.from.g.choices: an empty list, so there would be no point at all\n"
    )


def test_an_exclude_that_leaves_out_nothing_or_everything(own: Own) -> None:
    space = """\
grid:
  seed: [1, 2]
exclude:
  - {seed: 3}
  - {sead: 1}
  - {seed: 1}
  - {seed: 2}
"""
    assert refused(own, space) == (
        "conf/sweep/mine.yaml:4: sweep.exclude: all of the 2 points are left out\n"
        "    Fix: leave fewer out.\n"
        "conf/sweep/mine.yaml:5: sweep.exclude[0]: no point has {seed: 3}, so nothing is left out\n"
        "    Fix: mend it, or take it out.\n"
        "conf/sweep/mine.yaml:6: sweep.exclude[1]: no point has 'sead', so nothing is left out\n"
        "    Fix: the nearest is 'seed'; there are seed.\n"
    )


def test_an_exclude_about_what_the_command_line_has_set_may_leave_out_nothing(own: Own) -> None:
    own.write(
        "conf/sweep/mine.yaml",
        f"# Mine.   ftbuild {TONE} sweep=mine\ngrid: {{seed: [1, 2], dataset.limit: [20, 40]}}\n"
        "exclude: [{seed: 1, dataset.limit: 20}]\n",
    )
    assert "3 points: seed=1 limit=40, seed=2 limit=20, seed=2 limit=40" in own.run("plan", TONE, "sweep=mine").out
    assert "2 points: limit=20, limit=40" in own.run("plan", TONE, "sweep=mine", "seed=2").out
    only = own.run("plan", TONE, "sweep=mine", "seed=1").out
    assert "points" not in only.splitlines()[1]


def test_a_space_without_points(own: Own) -> None:
    assert refused(own, "exclude: [{seed: 1}]\n") == (
        "conf/sweep/mine.yaml: sweep: no point: it has no grid, zip, random or list\n    Fix: sweep=none is no sweep.\n"
    )


def test_a_space_that_is_not_there(own: Own) -> None:
    for asked in ((), ("-m",)):
        assert own.refused("plan", *asked, TONE, "sweep=sedes") == (
            "command line: sweep=sedes: no option 'sedes' in conf/sweep\n"
            f"    Fix: the nearest is 'seeds'; {there_are('sweep')}\n"
        )


def test_a_tree_without_the_group_has_no_spaces(own: Own) -> None:
    own.write("conf/config.yaml", "defaults: [{goal: '???'}, _self_]\nseed: 7\n")
    for asked in ((), ("-m",)):
        said = own.refused("plan", *asked, "goal=right_tone", "sweep=seeds")
        assert "command line: Could not override 'sweep'. No match in the defaults list." in said


def test_who_has_room_for_one_point_refuses_a_space_that_is_typed(own: Own) -> None:
    said = "command line: 'sweep=seeds' asks for several points\n    Fix: leave it out: here is room for one.\n"
    assert own.refused("show", TONE, "sweep=seeds") == said


def test_a_secret_in_a_space_is_not_repeated(own: Own) -> None:
    said = refused(own, "grid:\n  style.system: [sk-0123456789abcdefghij]\n")
    assert said == (
        "conf/sweep/mine.yaml:3: style.system looks like a secret\n"
        "    Overrides are written to run files.\n"
        "    Fix: put it in an environment variable and name the variable.\n"
    )


def test_equal_points_are_told_by_whoever_reads_the_space_also_from_the_cache(own: Own) -> None:
    own.write("conf/sweep/mine.yaml", f"# Mine.   ftbuild {TONE} sweep=mine\ngrid: {{seed: [1, 2, 1]}}\n")
    for _ in range(2):
        ended = own.run("plan", TONE, "sweep=mine")
        assert (ended.code, ended.err) == (
            0,
            "conf/sweep/mine.yaml: warning: 1 of 3 points is another once more: 2 are left\n",
        )
        assert "2 points: seed=1, seed=2" in ended.out
