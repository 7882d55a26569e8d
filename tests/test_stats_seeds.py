"""Seeds of one configuration: their spread against numpy's, and when it hides a gain."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.stats import Spread, spread

VALUES = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=9)


@given(VALUES)
def test_the_spread_is_that_of_numpy(values: list[float]) -> None:
    found = spread(values)
    assert (found.n, found.least, found.most) == (len(values), min(values), max(values))
    assert found.mean == pytest.approx(numpy.mean(values))
    assert found.sd == pytest.approx(numpy.std(values, ddof=1), abs=1e-9)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_seeds_says_nothing(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = spread(values), spread(shuffled)
    assert (one.least, one.most) == (other.least, other.most)
    assert (one.mean, one.sd) == (pytest.approx(other.mean), pytest.approx(other.sd, abs=1e-9))


@given(VALUES, st.floats(-1, 1))
def test_a_gain_is_hidden_where_it_is_one_and_the_farthest_seeds_lie_further_apart(
    values: list[float], gain: float
) -> None:
    farthest = max(abs(one - other) for one in values for other in values)
    assert spread(values).hides(gain) == (gain > 0 and farthest > gain)


@given(VALUES, st.floats(0.001, 1), st.floats(0.001, 1))
def test_what_hides_a_gain_hides_every_smaller_one(values: list[float], gain: float, share: float) -> None:
    assert not spread(values).hides(gain) or spread(values).hides(gain * share)


def test_of_one_seed_nothing_tells_the_deviation_and_of_none_nothing_at_all() -> None:
    assert spread([0.5]) == Spread(1, 0.5, None, 0.5, 0.5)
    assert spread([]) == Spread(0, None, None, None, None)
    assert not spread([0.5]).hides(0.1)
    assert not spread([]).hides(0.1)
