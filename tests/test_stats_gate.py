import pytest

from ftbuild.settings import Condition
from ftbuild.stats import Interval, Judgement, judge, overall

SEEN = Interval(100, 0.5, 0.4, 0.6)


@pytest.mark.parametrize(
    ("condition", "ending"),
    [
        (Condition(at_least=0.4), "met"),
        (Condition(at_least=0.45), "undecided"),
        (Condition(at_least=0.61), "missed"),
        (Condition(at_most=0.6), "met"),
        (Condition(at_most=0.5), "undecided"),
        (Condition(at_most=0.39), "missed"),
        (Condition(beats="base", by=0.39), "met"),
        (Condition(beats="base", by=0.4), "undecided"),
        (Condition(beats="base", by=0.7), "missed"),
        (Condition(compared_to="base", may_drop=0.1), "met"),
    ],
)
def test_a_condition_ends_where_the_whole_interval_lies(condition: Condition, ending: str) -> None:
    assert judge(condition, SEEN).ending == ending


@pytest.mark.parametrize(
    ("condition", "by_bound", "by_estimate"),
    [
        (Condition(beats="base", by=0.1), "met", "met"),
        (Condition(beats="base", by=0.25), "undecided", "missed"),
        (Condition(compared_to="base", may_drop=0.0), "met", "met"),
    ],
)
def test_where_lower_is_better_to_beat_is_to_be_lower(condition: Condition, by_bound: str, by_estimate: str) -> None:
    lower = Interval(50, -0.2, -0.3, -0.15)
    endings = [judge(condition, lower, how, lower_is_better=True).ending for how in ("lower_bound", "estimate")]  # type: ignore[arg-type]
    assert endings == [by_bound, by_estimate]


def test_a_drop_larger_than_allowed_is_missed() -> None:
    condition = Condition(compared_to="base", may_drop=0.05)
    assert judge(condition, Interval(40, -0.2, -0.3, -0.1)) == Judgement(
        "compared_to", "base", -0.2, -0.3, -0.1, -0.05, "missed", None
    )


def test_undecided_says_how_many_more_examples_would_tell() -> None:
    """Half the distance needs four times the examples."""
    assert judge(Condition(at_least=0.45), SEEN) == Judgement("at_least", None, 0.5, 0.4, 0.6, 0.45, "undecided", 300)


def test_an_estimate_on_the_bound_is_never_decided_by_more() -> None:
    assert judge(Condition(at_least=0.5), SEEN).more_examples is None


def test_judged_by_the_estimate_there_are_two_endings() -> None:
    nothing = Interval(0, None, None, None)
    endings = [judge(Condition(at_least=0.5), seen, "estimate").ending for seen in (SEEN, nothing)]
    assert endings == ["met", "missed"]


def test_no_value_and_no_bounds_are_undecided() -> None:
    unseen = [Interval(0, None, None, None), Interval(1, 1.0, None, None)]
    assert [judge(Condition(at_least=0.5), each).ending for each in unseen] == ["undecided", "undecided"]


@pytest.mark.parametrize(
    ("endings", "all_in_all"),
    [
        (["met", "met"], "met"),
        (["met", "undecided"], "undecided"),
        (["undecided", "missed", "met"], "missed"),
        ([], "met"),
    ],
)
def test_one_missed_condition_misses_the_goal(endings: list[str], all_in_all: str) -> None:
    assert overall(endings) == all_in_all  # type: ignore[arg-type]
