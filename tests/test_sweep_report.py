"""What a sweep is called, in what its points differ, and what is told of them: from points to plain values."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_fixture import EPOCHS, failed, point

from ftbuild.compose import compose
from ftbuild.report.sweep_input import PointInput
from ftbuild.stats import front
from ftbuild.sweep_report import _front, name_of, varied

TONE = "+experiment=tone_formal"


def asked(*reports: str, experiments: str = "tone") -> list[Any]:
    """Return points by what their reports ask for."""
    names = experiments.split(",") * len(reports)
    return [
        SimpleNamespace(composed=SimpleNamespace(experiment=name), ids=("data", report))
        for report, name in zip(reports, names, strict=False)
    ]


@given(st.permutations(["a", "b", "c"]), st.lists(st.sampled_from("abc")))
def test_a_sweep_is_called_by_its_points_in_whatever_order_and_however_often(
    order: list[str], again: list[str]
) -> None:
    assert name_of(asked(*order, *again)) == name_of(asked("a", "b", "c"))


def test_another_point_makes_another_sweep_and_the_name_says_of_what() -> None:
    assert name_of(asked("a", "b")) == "tone-0473ef2d"
    assert name_of(asked("a", "b", "c")).startswith("tone-")
    assert name_of(asked("a", "b", "c")) != name_of(asked("a", "b"))
    assert name_of(asked("a", "b", experiments="tone,tools")) == "sweep-0473ef2d"


def points(root: Path, *asked: list[str]) -> list[Any]:
    return [SimpleNamespace(composed=compose(root, [TONE, *words])) for words in asked]


def test_points_differ_in_what_their_words_say_otherwise_with_the_values_that_were_composed(tmp_path: Path) -> None:
    rate = "method.hyperparameters.learning_rate_multiplier"
    found = varied(
        points(
            tmp_path,
            ["model=tiny", f"{rate}=1e-1", "dataset.limit=40"],
            ["model=smollm2", f"{rate}=2", "dataset.limit=40"],
        )
    )
    assert found == {"model": ["tiny", "smollm2"], rate: [0.1, 2.0]}
    shares = [["+dataset.split.confirm=0.1"], ["+dataset.split.confirm=0.2"]]
    assert varied(points(tmp_path, *shares)) == {"dataset.split.confirm": [0.1, 0.2]}
    assert varied(points(tmp_path, ["seed=3"], ["seed=3"])) == {}


def test_a_point_that_says_nothing_of_a_setting_has_what_its_experiment_says(tmp_path: Path) -> None:
    found = varied(points(tmp_path, ["seed=3"], [f"{EPOCHS}=4"], ["model=tiny"]))
    assert found == {"seed": [3, 7, 7], EPOCHS: [2, 4, 2], "model": [None, None, "tiny"]}


COST = st.none() | st.sampled_from([0.0, 1.0, 2.5])


@given(st.lists(st.tuples(st.none() | st.sampled_from([0.25, 0.5, 0.75]), COST, COST, st.booleans()), max_size=8))
def test_the_front_is_of_money_where_any_was_paid_and_of_the_points_that_have_both(
    told: list[tuple[float | None, float | None, float | None, bool]],
) -> None:
    given_: list[PointInput] = [
        failed({EPOCHS: n}) if has_failed else point({EPOCHS: n}, mean, cost_usd=usd, training_seconds=seconds)
        for n, (mean, usd, seconds, has_failed) in enumerate(told)
    ]
    valued = [(n, each, told[n - 1][0]) for n, each in enumerate(given_, 1) if each.results]
    valued = [each for each in valued if each[2] is not None]
    by = "cost_usd" if any(each.cost_usd for _, each, _ in valued) else "training_seconds"
    known = [(n, getattr(each, by), mean) for n, each, mean in valued if getattr(each, by) is not None]
    assert _front(given_) == {
        "by": by if known else None,
        "points": [known[n][0] for n in front([(cost, mean) for _, cost, mean in known])],
    }


def test_the_front_of_a_metric_that_is_better_lower_goes_down() -> None:
    told = [point({EPOCHS: n}, mean, training_seconds=n) for n, mean in ((1, 0.4), (2, 0.5), (3, 0.3))]
    for each in told:
        each.results["metrics"][0]["lower_is_better"] = True  # type: ignore[index]
    assert _front(told)["points"] == [1, 3]


@pytest.mark.parametrize("n_built", [0, 1])
def test_fewer_than_two_built_points_leave_no_page(tmp_path: Path, n_built: int) -> None:
    from ftbuild.sweep import Sweep
    from ftbuild.sweep_report import End, write
    from ftbuild.world import World

    run: Any = SimpleNamespace()
    ends = [End(None, None, "failed", run if n < n_built else None, None) for n in range(3)]  # type: ignore[arg-type]
    assert write(World.at(tmp_path), ends, Sweep(), "ftbuild -m") is None
    assert list(tmp_path.iterdir()) == []
