"""A point becomes an experiment of one's own: the file says what was typed, and what is no good to keep is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own
from runs_fixture import OLD, Runs
from sweep_fixture import EPOCHS, failed, grid, point, sweep

from ftbuild import promoting
from ftbuild.compose import compose
from ftbuild.report.sweep_input import SweepInput

TONE = "+experiment=tone_formal"


def promoted(root: Path, overrides: list[str]) -> str:
    """Write what the overrides ask for as the experiment mine, and return the file."""
    text = promoting.text(overrides, compose(root, overrides).tree, "Mine.   ftbuild +experiment=mine", ["From a run."])
    Own(root).write("conf/experiment/mine.yaml", text)
    return text


def test_a_file_is_what_somebody_would_have_written(tmp_path: Path) -> None:
    Own(tmp_path).write(
        "conf/source/extra.yaml",
        "# Ours.\nkind: pairs\npath: a.jsonl\ninput: a\ntarget: b\ngroup: c\nlicence: x\norigin: y\n",
    )
    typed = ["method.hyperparameters.n_epochs=3", "+source@dataset.sources.extra=extra", "model=tiny", "seed=4"]
    assert promoted(tmp_path, [TONE, *typed, "method.hyperparameters.learning_rate_multiplier=0.5"]) == (
        "# @package _global_\n"
        "# Mine.   ftbuild +experiment=mine\n"
        "# From a run.\n"
        "defaults:\n"
        "  - tone_formal\n"
        "  - /source@dataset.sources.extra: extra\n"
        "  - override /model: tiny\n"
        "\n"
        "method:\n"
        "  hyperparameters:\n"
        "    n_epochs: 3\n"
        "    learning_rate_multiplier: 0.5\n"
        "seed: 4\n"
    )


@pytest.mark.parametrize(
    "typed",
    [
        ["method.hyperparameters.learning_rate_multiplier=1e-5"],
        ["style.system='on'"],
        ["style.system='12:30'"],
        ["style.system='1e-4'"],
        ["style.system='a: b # c \"d\"'"],
        ['style.system="丁寧に、お願いします。"'],
        ["style.rules.banned=[asap,'no',fyi]"],
        ["dataset.split={validation: 0.2, seed: 3}"],
        ["dataset.limit=null"],
        ["++dataset.limit=40", "+dataset.split.confirm=0.1"],
        ["~dataset.sources.unseen", "goal=closer"],
        ["dataset.sources.unseen=null", "goal=closer"],
        ["style=gentle", "goal=closer", "style.system=Hello"],
        ["method=none"],
        ["provider=openai", "model=gpt_4_1_mini"],
        ["tracker=wandb", "tracker.project=tone"],
        ["+source@dataset.sources.more=friendly_pairs", "dataset.sources.more.share=0.2"],
        ["source@dataset.sources.unseen=friendly_unseen"],
        ["evaluation.arms.echo=null", "evaluation.concurrency=2"],
    ],
)
def test_a_file_composes_to_what_was_typed(tmp_path: Path, typed: list[str]) -> None:
    promoted(tmp_path, [TONE, *typed])
    asked, kept = compose(tmp_path, [TONE, *typed]), compose(tmp_path, ["+experiment=mine"])
    assert kept.settings == asked.settings
    assert kept.experiment == "mine"


@pytest.mark.parametrize("typed", [["style.rules.banned=[a,b]", "style.rules.banned.0=c"], ["style.rules.banned.1=c"]])
def test_an_item_of_a_list_is_nothing_that_a_file_can_say(typed: list[str]) -> None:
    tree = {"style": {"rules": {"banned": ["c", "b"]}}}
    with pytest.raises(KeyError):
        promoting.text([TONE, *typed], tree, "Mine.", [])


def test_several_experiments_and_one_of_ones_own_are_inherited(tmp_path: Path) -> None:
    Own(tmp_path).experiment("longer", "defaults: [tone_formal]\nmethod: {hyperparameters: {n_epochs: 5}}\n")
    Own(tmp_path).experiment("shorter", "dataset: {limit: 30}\n")
    asked = ["+experiment=[longer,shorter]", "seed=3"]
    assert "defaults:\n  - longer\n  - shorter\n" in promoted(tmp_path, asked)
    assert compose(tmp_path, ["+experiment=mine"]).settings == compose(tmp_path, asked).settings


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def built(runs: Runs, given: SweepInput) -> None:
    """Write the newest sweep."""
    runs.own.write("outputs/sweeps/latest/sweep.json", json.dumps(given.to_json()))


def refused(runs: Runs, *words: str) -> str:
    said = runs.own.refused("promote", *words)
    assert not (runs.own.folder / "conf").exists()
    return said


def run(runs: Runs, **told: Any) -> None:
    overrides = [TONE, "seed=3"]
    runs.write(OLD, **{"overrides": overrides, "command": "ftbuild +experiment=tone_formal seed=3", **told})


def test_it_takes_a_point_and_a_name(runs: Runs) -> None:
    usage = "command line: promote takes a point and a name\n    Fix: ftbuild promote POINT NAME\n"
    assert [refused(runs), refused(runs, "latest"), refused(runs, "a", "b", "c")] == [usage] * 3


def test_a_name_is_one_of_an_experiment_and_free(runs: Runs) -> None:
    run(runs)
    assert refused(runs, OLD, "My-tone") == (
        f"command line: 'My-tone' is no name of an experiment: a-z, 0-9 and _\n    Fix: ftbuild promote {OLD} my_tone\n"
    )
    assert refused(runs, OLD, "tone_gentle") == (
        "command line: ftbuild has conf/experiment/tone_gentle.yaml itself\n"
        "    Fix: take another name; yours would hide it.\n"
    )
    runs.own.write("conf/experiment/mine.yaml", "# Mine.\n")
    assert runs.own.refused("promote", OLD, "mine") == (
        "conf/experiment/mine.yaml: is there already\n    Fix: take another name, or delete it.\n"
    )
    assert (runs.own.folder / "conf/experiment/mine.yaml").read_text() == "# Mine.\n"


def test_what_says_nothing_of_a_model_is_not_kept(runs: Runs) -> None:
    run(runs, rehearsed=True)
    assert refused(runs, OLD, "mine") == (
        f"command line: {OLD} is a rehearsal\n"
        "    Its answers are made up, so nothing is known of what it would come to.\n"
        "    Fix: build it for real.\n"
    )
    run(runs, verdict=None, ending=None)
    assert refused(runs, OLD, "mine") == (
        f"command line: {OLD} was not judged\n"
        "    A smoke run has a tiny model and few examples, and is not judged.\n"
        "    Fix: build it: ftbuild +experiment=tone_formal seed=3\n"
    )


def test_what_is_an_experiment_already_is_not_written_again(runs: Runs) -> None:
    run(runs, overrides=[TONE], experiment="tone_formal")
    assert refused(runs, OLD, "mine") == (
        f"command line: {OLD} is +experiment=tone_formal as it is: there is nothing to write\n"
        "    Fix: name a run with overrides: ftbuild runs lists them.\n"
    )


def test_a_point_whose_results_are_gone_or_whose_data_has_changed_is_not_kept(runs: Runs) -> None:
    run(runs)
    assert refused(runs, OLD, "mine") == (
        f"command line: what {OLD} was built from has changed since, or its results are gone: pairs\n"
        "    What it came to is not what the experiment would come to.\n"
        "    Fix: build it anew: ftbuild +experiment=tone_formal seed=3\n"
    )


def test_a_point_is_named_as_the_newest_sweep_names_it(runs: Runs) -> None:
    built(runs, grid())
    assert refused(runs, f"{EPOCHS}=3", "mine").startswith(
        "command line: no point 'method.hyperparameters.n_epochs=3' in tone_formal-0a1b2c3d, the newest sweep\n"
    )
    assert refused(runs, "learning_rate_multiplier=2", "n_epochs=4", "mine") == (
        "command line: point n_epochs=4 learning_rate_multiplier=2 of tone_formal-0a1b2c3d has failed: "
        "job ftjob-9 failed: out of memory\n"
        "    Fix: build it: ftbuild +experiment=tone_formal method.hyperparameters.n_epochs=4 "
        "method.hyperparameters.learning_rate_multiplier=2\n"
    )
    gone = "command line: no run '20261126-101500-tone_formal'\n    Fix: ftbuild runs lists them.\n"
    assert [refused(runs, "n_epochs=4 learning_rate_multiplier=0.5", "mine"), refused(runs, "best", "mine")] == [
        gone,
        gone,
    ]


def test_without_a_best_point_or_a_sweep_there_is_none_to_keep(runs: Runs) -> None:
    asked = "    Fix: name a run: ftbuild runs lists them.\n"
    assert refused(runs, "best", "mine") == f"command line: no sweep was built here\n{asked}"
    built(runs, sweep([point({EPOCHS: 1}, None), failed({EPOCHS: 2})]))
    assert refused(runs, "best", "mine") == f"command line: no point of tone_formal-0a1b2c3d is the best\n{asked}"
    runs.own.write("outputs/sweeps/latest/sweep.json", "{}")
    assert refused(runs, "n=1", "mine") == (
        "command line: no point 'n=1': no sweep was built here\n    Fix: ftbuild promote POINT NAME\n"
    )
