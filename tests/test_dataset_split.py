"""The split: a partition by group that does not move when the data grows."""

from collections.abc import Iterable

from examples_fixture import example, many
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.dataset.split import split_of
from ftbuild.example import SPLITS, Split
from ftbuild.settings import Shares

SHARES = Shares(validation=0.1, test=0.2, seed=9)
shares = st.builds(
    Shares,
    validation=st.floats(0, 0.5, allow_nan=False),
    test=st.floats(0, 0.5, allow_nan=False),
    seed=st.integers(0, 99),
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def where(groups: Iterable[str], drawn_by: Shares) -> dict[str, Split]:
    return {group: split_of(example("x", group=group), drawn_by) for group in groups}


@given(st.sets(names), st.sets(names), shares)
def test_new_groups_move_no_old_one(old: set[str], new: set[str], drawn_by: Shares) -> None:
    assert where(old | new, drawn_by).items() >= where(old, drawn_by).items()


@given(names, names, names, shares)
def test_a_group_stays_whole(group: str, one: str, other: str, drawn_by: Shares) -> None:
    assert split_of(example(one, group=group), drawn_by) == split_of(example(other, group=group), drawn_by)


@given(names, shares, st.sampled_from(SPLITS))
def test_a_pinned_example_stays_where_it_is_pinned(group: str, drawn_by: Shares, only: Split) -> None:
    assert split_of(example("x", group=group, only=only), drawn_by) == only


def test_shares_are_kept_on_many_groups() -> None:
    drawn = [split_of(each, SHARES) for each in many(4000, 4000)]
    assert {split: round(drawn.count(split) / 4000, 1) for split in SPLITS} == {
        "confirm": 0.0,
        "train": 0.7,
        "validation": 0.1,
        "test": 0.2,
    }


@given(names, st.integers(0, 99))
def test_shares_of_zero_leave_everything_in_train(group: str, seed: int) -> None:
    assert split_of(example("x", group=group), Shares(validation=0, test=0, seed=seed)) == "train"


def test_the_draw_is_pinned() -> None:
    drawn = {"refunds": "train", "interviews": "test", "größe": "train"}
    assert where(drawn, SHARES) == drawn
