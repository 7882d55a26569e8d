"""Cohen's kappa: published numbers, its ends, and an interval that covers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.stats import Agreement, agreement, interval

LABELS = st.sampled_from(["one", "other", "tie"])


def raters(table: dict[tuple[str, str], int]) -> tuple[list[str], list[str]]:
    """Return the labels of two raters out of how often each pair of them occurs."""
    pairs = [pair for pair, n in table.items() for _ in range(n)]
    return [one for one, _ in pairs], [other for _, other in pairs]


@pytest.mark.parametrize(
    ("table", "agreed", "kappa"),
    [
        # Fleiss, Levin, Paik 2003, "Statistical Methods for Rates and Proportions", table 18.1
        (
            {
                ("psychotic", "psychotic"): 75,
                ("psychotic", "neurotic"): 1,
                ("psychotic", "organic"): 4,
                ("neurotic", "psychotic"): 5,
                ("neurotic", "neurotic"): 4,
                ("neurotic", "organic"): 1,
                ("organic", "organic"): 10,
            },
            0.89,
            0.676,
        ),
        ({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}, 0.7, 0.4),
    ],
)
def test_kappa_is_the_published_number(table: dict[tuple[str, str], int], agreed: float, kappa: float) -> None:
    found = agreement(*raters(table))
    assert (found.agreed, found.kappa) == (pytest.approx(agreed), pytest.approx(kappa, abs=5e-4))


def test_who_always_says_the_same_agrees_by_chance_alone() -> None:
    found = agreement(["one", "other", "tie"] * 4, ["tie"] * 12)
    assert (found.agreed, found.kappa) == (pytest.approx(1 / 3), pytest.approx(0))
    assert found.low is not None
    assert found.low < 0


def test_perfect_agreement_on_few_examples_is_not_certain() -> None:
    found = agreement(["one", "other"] * 5, ["one", "other"] * 5)
    assert found.kappa == 1
    assert found.high == 1
    assert found.low == pytest.approx(2 * (interval([1.0] * 10).low or 0) - 1)


def test_of_nothing_and_of_one_label_there_is_no_kappa() -> None:
    assert agreement([], []) == Agreement(0, None, None, None, None)
    assert agreement(["tie"] * 3, ["tie"] * 3) == Agreement(3, 1.0, None, None, None)


@given(st.lists(st.tuples(LABELS, LABELS), min_size=2, max_size=30))
def test_it_is_the_same_whoever_is_first_and_lies_in_its_interval(pairs: list[tuple[str, str]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    found, turned = agreement(one, other), agreement(other, one)
    assert found.kappa == (None if turned.kappa is None else pytest.approx(turned.kappa))
    if found.kappa is not None and found.low is not None and found.high is not None:
        assert found.low <= found.kappa + 1e-12
        assert found.kappa <= found.high + 1e-12


def test_the_interval_covers_at_about_its_rate() -> None:
    """A rater who knows the label seven times in ten and guesses else: kappa is 0.7."""
    drawn, covered = random.Random(3), 0
    for _ in range(600):
        labels = [drawn.choice(["one", "other", "tie"]) for _ in range(40)]
        found = agreement(
            labels, [x if drawn.random() < 0.7 else drawn.choice(["one", "other", "tie"]) for x in labels]
        )
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.7 <= found.high
    assert 0.92 <= covered / 600 <= 0.99
