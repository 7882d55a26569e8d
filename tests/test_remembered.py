"""Equal values are made one object, and what is made of an object is made once."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ftbuild.remembered import AT_MOST, Remembered, Shared

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(VALUES)
def test_what_is_shared_is_written_as_the_value_is(value: Any) -> None:
    assert json.dumps(Shared()(value)) == json.dumps(value)


@given(st.lists(VALUES, min_size=2))
def test_values_are_one_object_if_and_only_if_they_are_written_alike(values: list[Any]) -> None:
    shared = Shared()
    found = [shared([each]) for each in values]
    for one, value in zip(found, values, strict=True):
        assert shared(one) is one
        for other, another in zip(found, values, strict=True):
            assert (one is other) == (json.dumps(value) == json.dumps(another))


def test_a_value_that_changes_later_changes_nothing_that_is_shared() -> None:
    shared, value = Shared(), [{"name": "get_weather"}]
    shared(value)
    value[0]["name"] = "other"
    assert shared([{"name": "get_weather"}]) == [{"name": "get_weather"}]
    assert shared(value) == [{"name": "other"}]


def test_no_more_than_a_few_values_are_held() -> None:
    shared, made = Shared(), []
    name = Remembered(lambda value: made.append(value) or value["n"])
    assert [name(shared({"n": n % (3 * AT_MOST)})) for n in range(6 * AT_MOST)] == [*range(3 * AT_MOST)] * 2
    assert len(made) == 6 * AT_MOST
    assert [name(shared({"n": 0})), name(shared({"n": 0}))] == [0, 0]
    assert len(made) == 6 * AT_MOST + 1
