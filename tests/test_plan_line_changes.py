"""Which lines of a source changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.plan.line_changes import LineChange, line_changes


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("a\nb\nc\n", "a\nB\nc\n", [LineChange(2, "b", "B")]),
        ("a\nb\n", "a\nb\nc\n", [LineChange(3, None, "c")]),
        ("a\nb\nc\n", "a\nc\n", [LineChange(2, "b", None)]),
        ("a\n", "b\nc\n", [LineChange(1, "a", "b"), LineChange(2, None, "c")]),
        ("a\nb\n", "a \n\nb\n", []),
        ("", "", []),
    ],
)
def test_lines_that_say_something_else_are_told(old: str, new: str, changes: list[LineChange]) -> None:
    assert line_changes(old.encode(), new.encode()) == changes


texts = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=8).map(lambda lines: "\n".join(lines).encode())


@given(texts, texts)
def test_what_is_told_is_in_the_text_it_is_told_of(old: bytes, new: bytes) -> None:
    assert line_changes(old, old) == []
    was, now = old.decode().split("\n"), new.decode().split("\n")
    for each in line_changes(old, new):
        assert each.new is None or now[each.number - 1] == each.new
        assert each.old is None or each.old in was
        assert each.new is not None or was[each.number - 1] == each.old
