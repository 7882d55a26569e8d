"""Score lines of several seeds: the mean of each example, how sure it is over examples, how far the seeds lie apart."""

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbuild.evaluate.seeds import over_seeds
from ftbuild.stats import compare, interval

SCORES = st.integers(0, 1).map(float)
N = 12


def lines(values: list[float | None], metric: str = "chrf") -> list[dict[str, Any]]:
    return [
        {"id": str(n), "group": str(n % 5), "slices": {}, "scores": {metric: value}} for n, value in enumerate(values)
    ]


def found(tuned: list[list[Any]], base: list[list[Any]], metric: str = "chrf") -> dict[str, Any]:
    arms = {
        seed: {"tuned": lines(ours, metric), "base": lines(theirs, metric)}
        for seed, (ours, theirs) in enumerate(zip(tuned, base, strict=True), 1)
    }
    return over_seeds(arms, metric, "tuned", "base")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(SCORES, min_size=N, max_size=N), min_size=2, max_size=4), st.data())
def test_over_examples_each_counts_with_its_mean_over_the_seeds(tuned: list[list[float]], data: st.DataObject) -> None:
    base = [data.draw(st.lists(SCORES, min_size=N, max_size=N)) for _ in tuned]
    ours, theirs = ([sum(column) / len(column) for column in zip(*side, strict=True)] for side in (tuned, base))
    groups = [str(n % 5) for n in range(N)]
    told = found(tuned, base)
    assert told["over_examples"] == asdict(interval(ours, groups))
    by_id = [{str(n): value for n, value in enumerate(side)} for side in (theirs, ours)]
    assert told["gain"] == asdict(compare(*by_id, {str(n): group for n, group in enumerate(groups)}))
    means = [sum(each) / N for each in tuned]
    assert (told["spread"]["least"], told["spread"]["most"]) == (min(means), max(means))


@settings(max_examples=20, deadline=None)
@given(st.lists(SCORES, min_size=N, max_size=N), st.lists(SCORES, min_size=N, max_size=N))
def test_seeds_that_all_say_the_same_say_what_one_says(ours: list[float], theirs: list[float]) -> None:
    told = found([ours] * 3, [theirs] * 3)
    assert told["spread"]["sd"] == pytest.approx(0, abs=1e-12)
    assert told["over_examples"]["mean"] == pytest.approx(sum(ours) / N)
    assert told["is_hidden"] is False


def test_a_gain_smaller_than_the_distance_of_the_seeds_is_told_as_hidden() -> None:
    base = [[0.5] * N] * 2
    assert found([[0.5] * N, [0.75] * N], base)["is_hidden"] is True  # a gain of 0.125, seeds 0.25 apart
    assert found([[0.7] * N, [0.75] * N], base)["is_hidden"] is False
    assert found([[0.1] * N, [0.4] * N], base)["is_hidden"] is False  # no gain, nothing to hide


def test_where_lower_is_better_a_gain_goes_down() -> None:
    base = [[0.5] * N] * 2
    assert found([[0.25] * N, [0.5] * N], base, "facts.invented")["is_hidden"] is True
    assert found([[0.5] * N, [0.75] * N], base, "facts.invented")["is_hidden"] is False


def test_an_example_that_one_seed_has_no_value_for_does_not_count() -> None:
    told = found([[1.0, None, 0.0], [1.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]] * 2)
    assert (told["over_examples"]["n"], told["spread"]["mean"]) == (2, 0.5)
    nothing = found([[None], [None]], [[1.0], [1.0]])
    assert (nothing["spread"]["mean"], nothing["gain"]["n"], nothing["is_hidden"]) == (None, 0, False)
