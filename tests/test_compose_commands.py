"""Command lines that are right: both spellings of an experiment, overrides, sweeps, --cfg job."""

import json
from pathlib import Path

import pytest
import yaml
from config_fixture import TONE, Own

from ftbuild.compose import Composed, compose, compose_sweep
from ftbuild.settings import Settings

EPOCHS = "method.hyperparameters.n_epochs"


def epochs(points: list[Composed]) -> list[tuple[str, object, int]]:
    return [(each.experiment, each.settings.method.hyperparameters.n_epochs, each.settings.seed) for each in points]


@pytest.mark.parametrize("spelling", ["+experiment=tone_formal", "experiment=tone_formal", "++experiment=tone_formal"])
def test_an_experiment_is_asked_for_with_or_without_a_plus(tmp_path: Path, spelling: str) -> None:
    composed = compose(tmp_path, [spelling])
    assert (composed.experiment, composed.description, composed.overrides) == (
        "tone_formal",
        "Casual message in, formal message out.",
        ("+experiment=tone_formal",),
    )


def test_the_last_override_wins_and_its_origin_is_the_command_line(tmp_path: Path) -> None:
    composed = compose(tmp_path, [TONE, "seed=1", "seed=2"])
    assert (composed.settings.seed, str(composed.origins.of("seed"))) == (2, "command line")


def test_a_text_may_be_typed_in_quotes(tmp_path: Path) -> None:
    composed = compose(tmp_path, [TONE, 'style.system="丁寧に: {a}, [b]"'])
    assert composed.settings.style.system == "丁寧に: {a}, [b]"


def test_one_setting_in_a_map_may_be_added(tmp_path: Path) -> None:
    composed = compose(tmp_path, [TONE, "+source@dataset.sources.more=tone_pairs", "dataset.sources.more.only=train"])
    assert [(name, each.only) for name, each in composed.settings.dataset.sources.items()] == [
        ("pairs", None),
        ("unseen", "test"),
        ("more", "train"),
    ]


def test_the_last_override_of_a_sweep_varies_fastest(tmp_path: Path) -> None:
    points = compose_sweep(tmp_path, [TONE, f"{EPOCHS}=1,2", "seed=3,4"]).points
    assert epochs(points) == [
        ("tone_formal", 1, 3),
        ("tone_formal", 1, 4),
        ("tone_formal", 2, 3),
        ("tone_formal", 2, 4),
    ]
    assert points[1].overrides == ("+experiment=tone_formal", f"{EPOCHS}=1", "seed=4")


@pytest.mark.parametrize("spelling", ["+experiment=tone_formal,mine", "experiment=tone_formal,mine"])
def test_a_sweep_may_run_over_experiments(tmp_path: Path, spelling: str) -> None:
    Own(tmp_path).experiment("mine", "defaults: [tone_formal]\nseed: 8\n")
    assert [(name, seed) for name, _, seed in epochs(compose_sweep(tmp_path, [spelling]).points)] == [
        ("tone_formal", 7),
        ("mine", 8),
    ]


def test_a_sweep_over_texts_and_ranges(tmp_path: Path) -> None:
    points = compose_sweep(tmp_path, [TONE, 'style.system="丁寧に","a, b"', f"{EPOCHS}=range(1,3)"]).points
    assert [(each.settings.style.system, each.settings.method.hyperparameters.n_epochs) for each in points] == [
        ("丁寧に", 1),
        ("丁寧に", 2),
        ("a, b", 1),
        ("a, b", 2),
    ]


def test_two_experiments_at_once_are_merged_in_their_order(tmp_path: Path) -> None:
    Own(tmp_path).experiment("fast", "seed: 9\n")
    composed = compose(tmp_path, ["+experiment=[tone_formal,fast]"])
    assert (composed.experiment, composed.settings.seed) == ("tone_formal+fast", 9)


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_plan_of_a_sweep_tells_equal_actions_once(tmp_path: Path, flag: str) -> None:
    ended = Own(tmp_path).run("plan", flag, TONE, f"{EPOCHS}=1,2")
    labels = [line[18:32].strip() for line in ended.out.splitlines() if line[9:12] == "run" and line[17] == " "]
    assert (ended.code, labels.count("dataset"), labels.count("base"), labels.count("job")) == (0, 1, 1, 2)
    assert f"Do it: ftbuild +experiment=tone_formal {EPOCHS}=1,2 -m\n" in ended.out


def test_a_sweep_without_the_flag_is_refused(tmp_path: Path) -> None:
    assert Own(tmp_path).refused("plan", TONE, "seed=1,2") == (
        "command line: 'seed=1,2' asks for several values\n    Fix: add -m to run them all.\n"
    )


@pytest.mark.parametrize(
    ("verb", "words"), [((), ("--cfg", "job")), (("build",), ("--cfg=job",)), (("plan",), ("-c", "job"))]
)
def test_cfg_job_prints_what_composes_to_the_same_settings(
    tmp_path: Path, verb: tuple[str, ...], words: tuple[str, ...]
) -> None:
    ended = Own(tmp_path).run(*verb, TONE, "seed=3", *words)
    assert (ended.code, ended.err) == (0, "")
    printed = Settings.model_validate_json(json.dumps(yaml.safe_load(ended.out)))
    assert printed == compose(tmp_path, [TONE, "seed=3"]).settings
    assert list(tmp_path.iterdir()) == []


def test_cfg_job_of_a_sweep_prints_a_document_a_point(tmp_path: Path) -> None:
    ended = Own(tmp_path).run("-m", TONE, "seed=3,4", "--cfg", "job")
    assert [each["seed"] for each in yaml.safe_load_all(ended.out)] == [3, 4]
