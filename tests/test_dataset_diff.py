"""What differs between two datasets, as a person who edited a file would tell it."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ftbuild.dataset.diff import ExampleChange, Placed, diff
from ftbuild.digest import of_value

SAID = ("hey", "thx!!", "c u at 8", "gonna be late", "ok", "pls call", "no clue", "btw im out")


def placed(raw: str, line: int, target: str = "Yes.", split: str = "train", path: str = "a.jsonl") -> Placed:
    messages = [{"role": "user", "content": raw}, {"role": "assistant", "content": target}]
    return Placed(of_value([raw, target])[:16], split, "pairs", path, line, raw, target, messages, "g", {})


FILE = [placed(raw, line) for line, raw in enumerate(SAID, 1)]


def shifted(examples: Sequence[Placed], by: int) -> list[Placed]:
    return [replace(each, line=each.line + by) for each in examples]


def told(old: Sequence[Placed], new: Sequence[Placed]) -> list[tuple[str, int | None, int | None]]:
    return [
        (each.what, each.old.line if each.old else None, each.new.line if each.new else None) for each in diff(old, new)
    ]


def test_equal_datasets_differ_in_nothing() -> None:
    assert diff(FILE, reversed(FILE)) == []


def test_lines_inserted_above_are_added_and_nothing_else_is_told() -> None:
    assert told(FILE, [placed("new one", 1), *shifted(FILE, 1)]) == [("added", None, 1)]


def test_a_renamed_file_is_no_change() -> None:
    assert diff(FILE, [replace(each, path="b.jsonl", source="chat") for each in FILE]) == []


def test_an_edited_answer_is_a_change() -> None:
    new = placed("thx!!", 2, "You are welcome.")
    assert diff(FILE, [FILE[0], new, *FILE[2:]]) == [ExampleChange(FILE[1], new)]


def test_an_edited_message_is_a_change_and_so_is_a_line_written_anew() -> None:
    assert told(FILE, [*FILE[:4], placed("oki", 5), *FILE[5:]]) == [("changed", 5, 5)]
    assert told(FILE, [*FILE[:4], placed("Quite another thing", 5, "No."), *FILE[5:]]) == [("changed", 5, 5)]


def test_a_line_edited_below_inserted_ones_is_found_again() -> None:
    new = [placed("one", 1), placed("two", 2), *shifted(FILE, 2)]
    new[5] = placed("gonna be v late, sorry", 6, "I will be late.")
    assert told(FILE, new) == [("added", None, 1), ("added", None, 2), ("changed", 4, 6)]


def test_of_two_that_stand_in_the_place_the_one_most_alike_is_the_edited() -> None:
    new = [*FILE[:3], placed("a b c", 4, "No."), placed("gonna be latee", 5, "Yes!"), *shifted(FILE[4:], 1)]
    assert told(FILE, new) == [("added", None, 4), ("changed", 4, 5)]


def test_a_line_taken_out_and_one_put_in_elsewhere_are_two_things() -> None:
    new = [*shifted(FILE[1:6], -1), placed("quite new", 6), *FILE[6:]]
    assert told(FILE, new) == [("removed", 1, None), ("added", None, 6)]


def test_lines_with_one_answer_are_not_taken_for_each_other() -> None:
    assert told(FILE, [*FILE[1:], placed("quite new", 30)]) == [("removed", 1, None), ("added", None, 30)]


def test_an_example_in_another_split_has_moved_and_an_edited_one_may_have_too() -> None:
    moved = replace(FILE[0], split="test")
    edited = placed("thx!!", 2, "You are welcome.", "validation")
    (first, second) = diff(FILE, [moved, edited, *FILE[2:]])
    assert (first.what, first.has_moved, first.here) == ("changed", True, edited)
    assert (second.what, second.has_moved, second.here) == ("moved", True, moved)


def test_another_system_message_is_no_edit_of_the_source() -> None:
    new = [replace(each, messages=[{"role": "system", "content": "Be kind."}, *each.messages]) for each in FILE]
    assert {each.what for each in diff(FILE, new)} == {"reworked"}


def test_one_message_with_two_histories_is_two_examples() -> None:
    other = replace(FILE[0], messages=[{"role": "user", "content": "before"}], line=9)
    assert told([FILE[0], other], [other]) == [("removed", 1, None)]
    assert diff([FILE[0], other], [replace(other, line=1), replace(FILE[0], line=9)]) == []


examples = st.lists(
    st.builds(
        placed,
        st.sampled_from(SAID),
        st.integers(1, 6),
        st.sampled_from(["Yes.", "No."]),
        st.sampled_from(["train", "validation", "test"]),
        st.sampled_from(["a.jsonl", "b.jsonl"]),
    ),
    max_size=8,
)


@given(examples)
def test_a_dataset_does_not_differ_from_itself(some: list[Placed]) -> None:
    assert diff(some, some) == []


@given(examples, examples)
def test_told_the_other_way_round_everything_is_turned(old: list[Placed], new: list[Placed]) -> None:
    there = [(each.old, each.new) for each in diff(old, new)]
    back = [(each.new, each.old) for each in diff(new, old)]
    assert sorted(map(repr, there)) == sorted(map(repr, back))


@given(examples, examples)
def test_each_example_is_told_once_at_most_and_the_counts_add_up(old: list[Placed], new: list[Placed]) -> None:
    found = diff(old, new)
    gone = sum(each.new is None for each in found)
    come = sum(each.old is None for each in found)
    assert len(old) - gone + come == len(new)
    assert len({id(each.old) for each in found if each.old}) == sum(each.old is not None for each in found)
