import random

import pytest

from ftbuild.foresight import _sure_from
from ftbuild.settings import Condition
from ftbuild.stats import interval, judge
from ftbuild.stats.clustered import Clusters


@pytest.mark.parametrize("condition", [Condition(at_least=0.8), Condition(at_least=0.6), Condition(at_most=0.3)])
def test_at_the_value_foreseen_a_condition_is_met_about_four_times_in_five(condition: Condition) -> None:
    value = _sure_from(condition, Clusters([0.0] * 200), lower=False)
    assert value is not None
    draw = random.Random(5)
    met = sum(
        judge(condition, interval([float(draw.random() < value) for _ in range(200)])).ending == "met"
        for _ in range(400)
    )
    assert 0.72 <= met / 400 <= 0.93


def test_more_examples_show_less_and_too_few_show_nothing() -> None:
    condition = Condition(beats="base", by=0.1)
    found = [_sure_from(condition, Clusters([float(i % 3 == 0) for i in range(n)]), lower=False) for n in (9, 100, 400)]
    assert found == [pytest.approx(each) if each else None for each in (0.64, 0.3, 0.2)]
    assert _sure_from(condition, Clusters([]), lower=False) is None


def test_where_lower_is_better_the_value_lies_below() -> None:
    value = _sure_from(Condition(beats="base"), Clusters([float(i % 2) for i in range(100)]), lower=True)
    assert value is not None
    assert -0.25 < value < -0.1
