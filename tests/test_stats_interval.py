import math
import random
from statistics import fmean, stdev

import pytest

from ftbuild.stats import Interval, interval
from ftbuild.stats.clustered import Clusters
from ftbuild.stats.pivot import Student, quantile


def rounded(found: Interval) -> tuple[int, float | None, float | None, float | None]:
    return found.n, *(None if value is None else round(value, 4) for value in (found.mean, found.low, found.high))


@pytest.mark.parametrize(
    ("wins", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_bounds(wins: int, n: int, low: float, high: float) -> None:
    """Method 3 of table I in Newcombe 1998, Statist. Med. 17:857."""
    assert rounded(interval([1.0] * wins + [0.0] * (n - wins))) == (n, round(wins / n, 4), low, high)


def test_thirty_of_thirty_is_not_certain() -> None:
    assert rounded(interval([1.0] * 30)) == (30, 1.0, 0.8865, 1.0)


def test_nothing_has_no_value_and_one_value_no_bounds() -> None:
    nothing, single = Interval(0, None, None, None), Interval(1, 0.5, None, None)
    assert (interval([]), interval([0.5])) == (nothing, single)
    assert interval([1.0]) == Interval(1, 1.0, None, None)


def test_one_cluster_leaves_the_interval_unbounded() -> None:
    assert interval([0.1, 0.9, 0.5], ["a", "a", "a"]) == Interval(3, 0.5, None, None)


def test_mean_interval_is_the_textbook_one() -> None:
    """Student's sleep data (1908), the differences of the two drugs: 95 % interval 0.70 to 2.46."""
    differences = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    found = Clusters(differences)
    assert found.se is not None
    low, high = Student(found.mean, found.se, 9).interval(0.95)
    assert (round(low, 4), round(high, 4)) == (0.7001, 2.4599)


def test_singleton_clusters_give_the_plain_error() -> None:
    values = [0.2, 0.9, 0.4, 0.7]
    assert Clusters(values).se == pytest.approx(stdev(values) / math.sqrt(4))


def test_clustered_error_is_the_double_sum_of_miller() -> None:
    values, clusters = [0.1, 0.4, 0.9, 0.8, 0.3, 0.2], ["a", "a", "b", "b", "b", "c"]
    mean = fmean(values)
    pairs = ((i, j) for i in range(6) for j in range(6) if clusters[i] == clusters[j])
    double_sum = sum((values[i] - mean) * (values[j] - mean) for i, j in pairs) / 36
    assert Clusters(values, clusters).se == pytest.approx(math.sqrt(1.5 * double_sum))


def test_copies_of_an_example_add_nothing() -> None:
    clusters = [str(i) for i in range(20) for _ in range(5)]
    values = [float(i % 3 == 0) for i in range(20) for _ in range(5)]
    found, single = interval(values, clusters), interval(values[::5])
    assert found.low is not None
    assert single.low is not None
    assert found.low < single.low


@pytest.mark.parametrize(("degrees", "tabled"), [(1, 12.7062), (5, 2.5706), (30, 2.0423)])
def test_t_quantiles_are_those_of_the_tables(degrees: int, tabled: float) -> None:
    assert round(quantile(0.975, degrees), 4) == tabled


@pytest.mark.parametrize("is_share", [True, False])
def test_clustered_intervals_cover_at_their_rate(is_share: bool) -> None:
    draw = random.Random(7)
    covered = 0
    for _ in range(400):
        values, clusters = [], []
        for cluster in range(9):
            centre = draw.betavariate(6, 2)
            values += [float(draw.random() < centre) if is_share else draw.gauss(centre, 0.1) for _ in range(12)]
            clusters += [str(cluster)] * 12
        found = interval(values, clusters)
        covered += found.low is not None and found.high is not None and found.low <= 0.75 <= found.high
    assert 0.92 <= covered / 400 <= 0.985
