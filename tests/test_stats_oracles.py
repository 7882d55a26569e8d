"""The statistics against scipy, brute force and simulated truth."""

import itertools
import random

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from ftbuild.settings import Condition
from ftbuild.stats import Interval, compare, holm, interval, judge, verdict, verdicts
from ftbuild.stats.clustered import Clusters
from ftbuild.stats.interval import p_of_mean
from ftbuild.stats.paired import p_of_difference, sign_flip
from ftbuild.stats.pivot import Bootstrap, Pivot, Student, Tango, Wilson

scores = st.integers(0, 20).map(lambda i: i / 20)
bits = st.sampled_from([0.0, 1.0])


def named(values: list[float]) -> dict[str, float]:
    return {f"e{i:03}": value for i, value in enumerate(values)}


@given(st.integers(2, 60), st.data())
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    wins = data.draw(st.integers(0, n))
    found = interval([1.0] * wins + [0.0] * (n - wins))
    low, high = stats.binomtest(wins, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


@given(st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=3, max_size=30).filter(lambda x: len(set(x)) > 2))
def test_t_is_scipys(values: list[float]) -> None:
    found = Clusters(values)
    assert found.se is not None
    pivot = Student(found.mean, found.se, len(values) - 1)
    oracle = stats.ttest_1samp(values, 0.5)
    assert pivot.interval(0.95) == pytest.approx(tuple(oracle.confidence_interval(0.95)))
    assert pivot.p(0.5) == pytest.approx(oracle.pvalue, abs=1e-12)


def likeliest_losses(wins: int, losses: int, n: int, value: float) -> float:
    """Return the share of losses that makes the table likeliest among those of that difference, by search."""

    def unlikely(lost: float) -> float:
        shares = (lost + value, lost, 1 - 2 * lost - value)
        return -sum(
            count * numpy.log(max(share, 1e-300))
            for count, share in zip((wins, losses, n - wins - losses), shares, strict=True)
            if count
        )

    return float(
        optimize.minimize_scalar(
            unlikely, bounds=(max(0, -value), (1 - value) / 2), method="bounded", options={"xatol": 1e-12}
        ).x
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 15), st.integers(1, 15), st.integers(0, 20), st.floats(-0.8, 0.8))
def test_tango_is_the_score_test_of_the_likeliest_table(wins: int, losses: int, ties: int, value: float) -> None:
    n = wins + losses + ties
    lost = likeliest_losses(wins, losses, n, value)
    se = (n * (2 * lost + value * (1 - value))) ** 0.5
    oracle = 2 * stats.norm.sf(abs(wins - losses - n * value) / se)
    assert Tango(wins, losses, n).p(value) == pytest.approx(oracle, abs=1e-4)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.booleans())
def test_an_interval_holds_what_its_test_does_not_reject(one: int, two: int, three: int, is_clustered: bool) -> None:
    n, degrees = one + two + three + 2, 5 if is_clustered else None
    pivots: list[Pivot] = [Wilson(one / n, n, degrees), Tango(one, two, n, degrees), Student(one / n, 0.1, 5)]
    for pivot, bottom in zip(pivots, (0, -1, -9), strict=True):
        for bound in pivot.interval(0.9):
            if bottom < bound < 1:
                assert pivot.p(bound) == pytest.approx(0.1, abs=1e-6)


def test_the_bootstrap_too_holds_what_its_test_does_not_reject() -> None:
    draw = random.Random(2)
    found = Clusters([draw.expovariate(1) for _ in range(30)])
    assert found.se is not None
    pivot = Bootstrap(found.mean, found.se, found.drawn(0))
    assert [pivot.p(each) for each in pivot.interval(0.95)] == [pytest.approx(0.05, abs=0.002)] * 2


def test_the_studentized_bootstrap_is_that_of_a_plain_loop() -> None:
    """Of unequal clusters, resampled one by one: the same distribution of t, but for chance."""
    draw = random.Random(4)
    names = [str(cluster) for cluster in range(25) for _ in range(1 + cluster % 4)]
    values = [draw.expovariate(1) + int(name) % 3 for name in names]
    members = {name: [v for n, v in zip(names, values, strict=True) if n == name] for name in names}
    found = Clusters(values, names)
    slow = []
    for _ in range(2000):
        picked = [members[draw.choice(list(members))] for _ in members]
        again = Clusters([v for each in picked for v in each], [i for i, each in enumerate(picked) for _ in each])
        assert again.se is not None
        slow.append((again.mean - found.mean) / again.se)
    assert stats.ks_2samp(found.drawn(1), slow).pvalue > 0.001
    assert found.drawn(1) == found.drawn(1) != found.drawn(2)


@settings(deadline=None)
@given(st.lists(st.tuples(bits, bits, st.integers(0, 5)), min_size=2, max_size=40), st.booleans())
def test_bounds_of_shares_stay_where_shares_can_be(triples: list[tuple[float, float, int]], is_clustered: bool) -> None:
    base, other = named([each[0] for each in triples]), named([each[1] for each in triples])
    clusters = dict(zip(base, (str(each[2]) for each in triples), strict=True)) if is_clustered else None
    found = compare(base, other, clusters)
    one = interval(list(base.values()), list(clusters.values()) if clusters else None)
    assert (found.low is None) == (one.low is None)
    if found.low is not None and found.high is not None and one.low is not None and one.high is not None:
        assert found.difference is not None
        assert one.mean is not None
        assert -1 <= found.low <= found.difference + 1e-9 <= found.high + 2e-9 <= 1 + 3e-9
        assert 0 <= one.low <= one.mean + 1e-9 <= one.high + 2e-9 <= 1 + 3e-9


@settings(deadline=None)
@given(st.lists(st.tuples(scores, scores), min_size=2, max_size=30))
def test_arms_that_change_places_change_the_sign_and_no_more(pairs: list[tuple[float, float]]) -> None:
    base, other = named([each[0] for each in pairs]), named([each[1] for each in pairs])
    there, back = compare(base, other), compare(other, base)
    assert (there.p, there.se) == (back.p, pytest.approx(back.se))
    if there.low is not None and back.high is not None and there.method != "bootstrap t":
        assert there.low == pytest.approx(-back.high, abs=1e-6)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_whole_sums_are_flipped_exactly(sums: list[int]) -> None:
    flips = list(itertools.product((1, -1), repeat=len(sums)))
    as_large = sum(abs(sum(s * d for s, d in zip(flip, sums, strict=True))) >= abs(sum(sums)) for flip in flips)
    assert sign_flip([float(each) for each in sums], 0)[0] == pytest.approx(as_large / len(flips))


def test_clusters_of_one_are_tested_as_mcnemar_tests_examples() -> None:
    draw = random.Random(6)
    base, other = (named([float(draw.random() < p) for _ in range(300)]) for p in (0.4, 0.5))
    found = compare(base, other, {each: each for each in base})
    assert found.p_clustered == pytest.approx(found.p)


def test_copies_of_examples_are_no_evidence_of_their_own() -> None:
    base, other = named([0.0] * 40), named([1.0] * 24 + [0.0] * 16)
    found = compare(base, other, {each: str(int(each[1:]) // 8) for each in base})
    assert (found.p, found.p_clustered, verdict(found)) == (pytest.approx(2 / 2**24), 0.25, "underpowered")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closure_of_bonferroni(ps: list[float]) -> None:
    """A p stands corrected at the largest Bonferroni p of all the sets of tests it is in."""
    families = [each for size in range(1, len(ps) + 1) for each in itertools.combinations(range(len(ps)), size)]
    slow = [
        max(min(1.0, len(each) * min(ps[i] for i in each)) for each in families if at in each) for at in range(len(ps))
    ]
    assert holm(ps) == pytest.approx(slow)


def test_a_look_without_a_value_counts_for_nothing() -> None:
    assert (holm([None, 0.02, None, 0.03]), holm([])) == ([None, 0.04, None, 0.04], [])


def test_twelve_points_that_differ_in_nothing_are_seldom_called_different() -> None:
    """Of 200 sweeps on 100 examples: one look each would go wrong in 40 of 100, together it is 5 or fewer."""
    random = numpy.random.default_rng(1)
    wrong = alone = 0
    for _ in range(200):
        base = (random.random(100) < 0.5).astype(float).tolist()
        points = [compare(named(base), named((random.random(100) < 0.5).astype(float).tolist())) for _ in range(12)]
        wrong += any(each in ("better", "worse") for each in verdicts(points, [0.05] * 12, [False] * 12))
        alone += any(verdict(each) in ("better", "worse") for each in points)
    assert (wrong <= 16, alone >= 30) == (True, True)


def test_a_chance_miss_among_many_conditions_is_undecided() -> None:
    """z is 2.73 for 0.03 x 0.05 / 0.24, and 2.17 for 0.03: 100 x (2.73 / 2.17)^2 is 159."""
    seen = Interval(100, 0.42, 0.33, 0.49)
    alone, among = (judge(Condition(at_least=0.5), seen, p=0.03, p_adjusted=each) for each in (0.03, 0.24))
    assert (alone.ending, alone.more_examples) == ("missed", None)
    assert (among.ending, among.more_examples) == ("undecided", 59)


def test_p_of_a_bound_goes_with_the_interval() -> None:
    draw = random.Random(8)
    base, other = (named([draw.betavariate(4, 2) for _ in range(60)]) for _ in range(2))
    found, one = compare(base, other), interval(list(base.values()))
    assert found.low is not None
    assert one.low is not None
    assert p_of_difference(base, other, found.low) == pytest.approx(0.05, abs=1e-6)
    assert p_of_mean(list(base.values()), one.low) == pytest.approx(0.05, abs=1e-6)
    assert (p_of_mean([], 0.5), p_of_difference({}, {}, 0.0), p_of_mean([0.5], 0.5)) == (None, None, None)
