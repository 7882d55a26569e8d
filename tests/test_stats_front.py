"""The Pareto front against its definition, said point by point."""

from hypothesis import given
from hypothesis import strategies as st

from ftbuild.stats import front

SMALL = st.integers(0, 4).map(float)  # so that points meet in one value, in the other and in both
POINTS = st.lists(st.tuples(SMALL, SMALL), max_size=12)


def is_beaten(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return other[0] <= one[0] and other[1] >= one[1] and other != one


@given(POINTS)
def test_just_the_points_that_no_other_beats_are_on_the_front_the_cheapest_first(
    points: list[tuple[float, float]],
) -> None:
    found = front(points)
    assert sorted(found) == [n for n, one in enumerate(points) if not any(is_beaten(one, other) for other in points)]
    assert [points[n] for n in found] == sorted(points[n] for n in found)


def test_a_front_counted_by_hand() -> None:
    #          cost, value: the third costs more than the first for less, the fourth is the fifth's equal
    assert front([(1, 0.4), (2, 0.5), (3, 0.3), (4, 0.6), (4, 0.6), (5, 0.6)]) == [0, 1, 3, 4]
    assert front([]) == []
