import itertools
import random
from collections import Counter
from dataclasses import asdict
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import bdtr

from ftbuild.errors import EvaluationError
from ftbuild.stats import Difference, compare, verdict
from ftbuild.stats.paired import mcnemar, sign_flip


def named(values: list[float]) -> dict[str, float]:
    return {f"e{i:03}": value for i, value in enumerate(values)}


def test_a_difference_holds_every_number() -> None:
    base, other = named([0.1, 0.5, 0.4, 0.8]), named([0.3, 0.6, 0.8, 0.7])
    clusters = dict(zip(base, "aabc", strict=True))
    found = compare(base, other, clusters)
    assert {name: round(each, 4) if isinstance(each, float) else each for name, each in asdict(found).items()} == {
        "n": 4,
        "base": 0.45,
        "other": 0.6,
        "difference": 0.15,
        "se": 0.1083,
        "low": -0.3158,
        "high": 0.6158,
        "p": 0.5,
        "test": "sign flip, exact",
        "mde": 0.5806,
        "p_clustered": 0.5,
        "method": "t",
    }


def test_a_missing_id_is_named() -> None:
    with pytest.raises(EvaluationError) as error:
        compare({"a": 1.0, "b": 0.0}, {"b": 1.0, "c": 1.0}, {"b": "x"})
    assert str(error.value) == (
        "example 'a' has no value in the other arm\n"
        "example 'c' has no value in the base arm\n"
        "example 'a' has no cluster"
    )


def test_nothing_has_no_difference() -> None:
    assert compare({}, {}) == Difference(0, None, None, None, None, None, None, None, "none", None)


@pytest.mark.parametrize(("wins", "losses", "p"), [(0, 0, 1.0), (6, 0, 0.03125), (5, 0, 0.0625), (15, 5, 0.0414)])
def test_mcnemar_is_the_binomial_test_of_discordant_pairs(wins: int, losses: int, p: float) -> None:
    pairs = [(0.0, 1.0)] * wins + [(1.0, 0.0)] * losses + [(1.0, 1.0)] * 7
    assert round(mcnemar(pairs), 4) == round(p, 4)


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_sums_both_tails(wins: int, losses: int) -> None:
    n, far = wins + losses, abs(wins - losses)
    both = sum(comb(n, k) for k in range(n + 1) if abs(2 * k - n) >= far) / 2**n
    assert mcnemar([(0, 1)] * wins + [(1, 0)] * losses) == pytest.approx(both)


@settings(max_examples=25)
@given(st.lists(st.integers(-4, 4).map(lambda i: i / 4), min_size=1, max_size=8))
def test_sign_flip_counts_every_assignment(differences: list[float]) -> None:
    observed = abs(sum(differences)) - 1e-9
    flips = list(itertools.product((1, -1), repeat=len(differences)))
    at_least = sum(abs(sum(s * d for s, d in zip(flip, differences, strict=True))) >= observed for flip in flips)
    p, test = sign_flip(differences, 0)
    assert p == pytest.approx(at_least / len(flips))
    assert test == "sign flip, exact"


def counted(sums: list[float]) -> float:
    """Return the p of a sign flip by whole numbers of ways, however long that takes."""
    ways = Counter({0.0: 1})
    for total in sums:
        flipped: Counter[float] = Counter()
        for before, so_many in ways.items():
            flipped[before + total] += so_many
            flipped[before - total] += so_many
        ways = flipped
    as_large = sum(n for total, n in ways.items() if abs(total) >= abs(sum(sums)))
    return float(as_large / 2 ** len(sums))


@settings(max_examples=60)
@given(st.lists(st.sampled_from([-6, -4, -3, -2, -1, 0, 1, 2, 3, 4]).map(float), min_size=15, max_size=80))
def test_whole_sums_are_flipped_exactly_however_many_there_are(sums: list[float]) -> None:
    p, test = sign_flip(sums, 0)
    assert p == pytest.approx(counted(sums), abs=1e-12)
    assert test == "sign flip, exact"


@pytest.mark.parametrize(("wins", "losses"), [(7_600, 7_400), (15_000, 0), (7_500, 7_500)])
def test_thousands_of_discordant_pairs_are_tested_exactly(wins: int, losses: int) -> None:
    """The oracle is the incomplete beta function; worked out a binomial each, it took half a minute."""
    p = min(1.0, 2 * bdtr(min(wins, losses), wins + losses, 0.5))
    assert mcnemar([(0, 1)] * wins + [(1, 0)] * losses) == pytest.approx(p, rel=1e-9, abs=1e-300)
    flipped, test = sign_flip([1.0] * wins + [-1.0] * losses, 0)
    assert flipped == pytest.approx(p, rel=1e-9, abs=1e-300)
    assert test == "sign flip, exact"
    with_two, _ = sign_flip([1.0] * wins + [-1.0] * losses + [2.0], 0)  # two sizes: by convolution
    tails = [bdtr(few, wins + losses, 0.5) if few >= 0 else 0.0 for few in (losses, losses - 2)]
    assert with_two == pytest.approx(sum(tails), rel=1e-9, abs=1e-300)


def test_sums_that_take_too_long_are_drawn() -> None:
    p, test = sign_flip([float(10**8 + number) for number in range(40)] + [-float(10**8)] * 20, 0)
    assert test == "sign flip, 10000 draws"
    assert 0 < p < 0.1


def test_drawn_sign_flips_agree_with_the_exact_ones_and_with_themselves() -> None:
    draw = random.Random(3)
    differences = [draw.gauss(0.1, 0.3) for _ in range(40)]
    p, test = sign_flip(differences, 1)
    exact, _ = sign_flip([sum(differences[i::14]) for i in range(14)], 1)
    assert (p, test) == (sign_flip(differences, 1)[0], "sign flip, 10000 draws")
    assert abs(p - exact) < 0.05


def test_equal_differences_are_not_certain() -> None:
    found = compare(named([0.0] * 30), named([1.0] * 30))
    assert (found.difference, round(found.low or 0, 2), verdict(found)) == (1.0, 0.77, "better")
    small = compare(named([0.0, 0.0]), named([1.0, 1.0]))
    assert verdict(small) == "underpowered"


def test_paired_intervals_cover_at_their_rate_and_the_mde_is_found_in_four_of_five() -> None:
    draw = random.Random(11)
    covered = found = 0
    for _ in range(300):
        shifts = [draw.gauss(0.3, 0.2) for _ in range(40)]
        names = {f"{c}-{i}": str(c) for c in range(40) for i in range(3)}
        base = {name: draw.gauss(0, 1) for name in names}
        other = {name: base[name] + shifts[int(names[name])] + draw.gauss(0, 0.3) for name in names}
        difference = compare(base, other, names)
        assert difference.low is not None
        assert difference.high is not None
        assert difference.mde is not None
        covered += difference.low <= 0.3 <= difference.high
        reach = (difference.high - difference.low) / 2
        found += difference.difference is not None and difference.difference - 0.3 + difference.mde > reach
    assert (0.92 <= covered / 300 <= 0.985, 0.74 <= found / 300 <= 0.86) == (True, True)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.01, 0.2, "better"), (-0.2, -0.01, "worse"), (-0.04, 0.04, "no_difference"), (-0.1, 0.1, "underpowered")],
)
def test_the_verdict_is_what_the_interval_says(low: float, high: float, word: str) -> None:
    difference = Difference(9, 0, 0, (low + high) / 2, 0.1, low, high, 0.5, "McNemar, exact", 0.1, 0.03)
    turned = {"better": "worse", "worse": "better"}
    assert (verdict(difference), verdict(difference, lower_is_better=True)) == (word, turned.get(word, word))
