"""A search: what is drawn follows from what is remembered, so that a search goes on as if it had never stopped."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbuild.search import Range, Search, Tried, Values, best, few_digits, remember, remembered, suggest, to_ask, typed

KEYS: dict[str, Range | list[str]] = {
    "rate": Range(0.1, 10, log=True),
    "epochs": Range(1, 4, whole=True),
    "batch": ["auto", "8"],
    "limit": Range(10, 20),
}
WHEN = {"limit": {"epochs": ["3", "4"], "batch": ["8"]}}
PLACES = dict.fromkeys(KEYS)


def search(n_trials: int = 12, sampler: str = "tpe", seed: int = 1, at_once: int = 1) -> Search:
    return Search(n_trials, sampler, seed, at_once, 1, KEYS, WHEN, PLACES)


def told(values: Values) -> Tried:
    """Return a finished trial: the nearer its rate is to 2 the better; with one epoch it fails."""
    if values["epochs"] == 1:
        return Tried(values, None, "it failed")
    worth = {"metric": "chrf", "n": 3, "mean": -abs(values["rate"] - 2), "lower_is_better": False}
    return Tried(values, worth)


def ended(asked: Search, tried: list[Tried]) -> list[Tried]:
    """Return all trials of a search that goes on from some."""
    tried = list(tried)
    while n := to_ask(asked, len(tried)):
        tried += map(told, suggest(asked, tried, n))
    return tried


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_search_that_was_stopped_or_extended_tries_what_one_in_a_piece_tries(sampler: str, at_once: int) -> None:
    whole = ended(search(15, sampler, at_once=at_once), [])
    assert len(whole) == 15
    for n in range(0, 15, at_once):
        assert ended(search(15, sampler, at_once=at_once), whole[:n]) == whole
    assert ended(search(18, sampler, at_once=at_once), whole)[:15] == whole


@given(st.integers(0, 2**31), st.sampled_from(["tpe", "random"]))
@settings(max_examples=10, deadline=None)
def test_what_is_drawn_lies_in_its_range_and_conditions_hold(seed: int, sampler: str) -> None:
    for each in ended(search(6, sampler, seed), []):
        values = each.values
        assert 0.1 <= values["rate"] <= 10
        assert values["rate"] == float(f"{values['rate']:.4g}")
        assert values["epochs"] in (1, 2, 3, 4)
        assert values["batch"] in ("auto", "8")
        assert ("limit" in values) == (values["epochs"] > 2 and values["batch"] == "8")


def test_another_seed_draws_others_and_no_two_trials_of_random_are_alike() -> None:
    one, other = (ended(search(12, "random", seed), []) for seed in (1, 2))
    assert one != other
    assert len({str(each.values) for each in one}) == 12


def test_tpe_learns_where_random_does_not() -> None:
    """It rests on 40 trials of three seeds each: the later half of TPE's lies nearer to the best rate than chance."""

    def distance(sampler: str) -> float:
        tried = [each for seed in (1, 2, 3) for each in ended(search(40, sampler, seed), [])[20:]]
        return sum(abs(each.values["rate"] - 2) for each in tried) / len(tried)

    assert distance("tpe") < distance("random")


@given(st.lists(st.tuples(st.integers(0, 4), st.none() | st.sampled_from([0.0, 0.5, 1.0]))), st.integers(1, 3))
def test_the_best_are_those_of_a_brute_force_reference_each_values_once(
    given: list[tuple[int, float | None]], n: int
) -> None:
    tried = [Tried({"a": a}, None if mean is None else {"mean": mean, "lower_is_better": True}) for a, mean in given]
    left = [
        number
        for number, (a, mean) in enumerate(given)
        if mean is not None and a not in [other for other, _ in given[:number]]
    ]
    expected = []
    while left and len(expected) < n:
        least = min(left, key=lambda number: (given[number][1], number))
        expected.append(least)
        left.remove(least)
    assert best(tried, n) == expected


def test_what_is_remembered_is_read_back_and_a_line_cut_short_by_a_kill_is_none(tmp_path: Path) -> None:
    path = tmp_path / "searches" / "one.jsonl"
    assert remembered(path) == []
    tried = ended(search(6), [])
    remember(path, tried[:4])
    with path.open("a") as file:
        file.write('{"values": {"ra')
    assert remembered(path) == tried[:4]
    remember(path, tried[4:])
    assert remembered(path) == tried


def test_as_json_it_is_the_same() -> None:
    assert Search.from_json(search().to_json()) == search()


@pytest.mark.parametrize(("value", "said"), [(0.123456, 0.1235), (0.1, 0.1), (9.99999, 10.0), (1e-05, 0.1)])
def test_few_digits_never_leave_the_range(value: float, said: float) -> None:
    assert few_digits(value, 0.1, 10.0) == said


def test_choices_are_texts_that_are_typed_already_and_numbers_are_typed_as_they_are() -> None:
    assert [typed(each) for each in ("auto", 3, 0.5)] == ["auto", "3", "0.5"]


def test_without_a_search_nobody_imports_optuna() -> None:
    code = "import sys, ftbuild.search, ftbuild.compose, ftbuild.cli.build; print('optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
