"""Successive halving: who goes on is what a brute-force reference says, and nobody is asked for more than was said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.halving import Halving, Ladder, are_epochs, rises

shares = st.integers(1, 99).map(lambda each: each / 100)
worths = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def climbed(halving: Halving, rungs: list[list[float | None]], *, lower: bool) -> list[list[int]]:
    """Return who is on each rung; `rungs` have a value for every point, asked for or not."""
    ladder = Ladder(halving, len(rungs[0]))
    found = [ladder.on_it]
    for values in rungs:
        ladder.tell([values[number] for number in ladder.on_it], lower_is_better=lower)
        found.append(ladder.on_it)
    assert ladder.is_last
    return found


@st.composite
def climbs(draw: st.DrawFn) -> tuple[Halving, list[list[float | None]]]:
    n_points, n_rungs = draw(st.integers(1, 12)), draw(st.integers(2, 4))
    rungs = [draw(st.lists(worths, min_size=n_points, max_size=n_points)) for _ in range(n_rungs - 1)]
    return Halving("epochs", tuple(range(1, n_rungs + 1)), draw(shares)), rungs


@given(climbs(), st.booleans())
def test_who_goes_on_is_what_a_brute_force_reference_says(
    given: tuple[Halving, list[list[float | None]]], lower: bool
) -> None:
    """A point goes on if fewer points are ahead of it than may go on; of equal ones the earlier is ahead."""
    halving, rungs = given
    on_it = list(range(len(rungs[0])))
    hundredths, room = round(halving.keep * 100), len(on_it)
    for values, found in zip(rungs, climbed(halving, rungs, lower=lower)[1:], strict=True):
        room = max(1, room * hundredths // 100)
        valued = {each: value for each in on_it if (value := values[each]) is not None}

        def ahead(one: int, other: int, valued: dict[int, float] = valued) -> bool:
            is_better = valued[one] < valued[other] if lower else valued[one] > valued[other]
            return is_better or (valued[one] == valued[other] and one < other)

        on_it = [each for each in valued if sum(ahead(other, each) for other in valued) < room]
        assert found == on_it


@given(climbs())
def test_no_rung_has_more_points_than_was_said_before(given: tuple[Halving, list[list[float | None]]]) -> None:
    halving, rungs = given
    said = [halving.n_on(rung, len(rungs[0])) for rung in range(len(halving.values))]
    found = climbed(halving, rungs, lower=False)
    assert all(len(each) <= most for each, most in zip(found, said, strict=True))
    if all(None not in values for values in rungs):
        assert [len(each) for each in found] == said


@pytest.mark.parametrize(
    ("keep", "n", "said"), [(0.34, 6, [6, 2, 1]), (0.29, 100, [100, 29, 8]), (0.5, 1, [1, 1, 1]), (0.01, 5, [5, 1, 1])]
)
def test_a_share_is_cut_off_to_whole_points_without_float_noise(keep: float, n: int, said: list[int]) -> None:
    assert [Halving("epochs", (1, 2, 3), keep).n_on(rung, n) for rung in range(3)] == said


@pytest.mark.parametrize(
    ("values", "are_rungs"),
    [
        ([1, 3], True),
        ([100, None], True),
        ([0.5, 1, 2.5], True),
        ([1], False),
        ([None], False),
        ([], False),
        ([3, 1], False),
        ([1, 1], False),
        ([None, 1], False),
        ([1, "2"], False),
        ([False, True], False),
    ],
)
def test_rungs_are_numbers_that_rise(values: list[Any], are_rungs: bool) -> None:
    assert rises(values) is are_rungs


@pytest.mark.parametrize(
    ("values", "are"), [([1], True), ([1, 3], True), ([], False), ([0, 1], False), ([2, 1], False), ([1.5], False)]
)
def test_epochs_to_wait_after_are_whole_numbers_from_one_on_that_rise(values: list[Any], are: bool) -> None:
    assert are_epochs(values) is are


def test_as_json_it_is_the_same() -> None:
    halving = Halving("dataset.limit", (100, None), 0.5)
    assert Halving.from_json(halving.to_json()) == halving
