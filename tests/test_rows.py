"""JSON values out of bytes: what is read is what Python's own parser reads, and what JSON leaves open is refused."""

import json
from math import isinf
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftbuild.rows import NotJsonError, line, parse, written

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(['"', '\\"', "e20", "1e5", ".", "20260101000000000000"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


def told(content: bytes) -> Any:
    """Return what Python's parser reads, the types of numbers with it; None where it reads nothing,
    a key twice or a number without end."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    def refuse(_: str) -> None:
        raise ValueError

    def finite(digits: str) -> float:
        if isinf(float(digits)):
            raise ValueError
        return float(digits)

    try:
        value = json.loads(content.decode(), object_pairs_hook=once, parse_constant=refuse, parse_float=finite)
        json.dumps(value, ensure_ascii=False).encode()
        return repr(value)
    except (ValueError, RecursionError):
        return None


def read(content: bytes) -> Any:
    try:
        return repr(parse(content))
    except NotJsonError:
        return None


@given(VALUES, st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_every_value_is_read_as_python_reads_it(value: Any, ascii_only: bool, separators: tuple[str, str]) -> None:
    try:
        content = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    except UnicodeEncodeError:
        return
    assert read(content) == told(content)


@given(VALUES, st.data())
def test_so_is_what_a_typing_error_leaves(value: Any, data: st.DataObject) -> None:
    content = json.dumps(value).encode()
    at, length = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 3))
    noise = data.draw(st.sampled_from([b'"', b",", b"0", b"1e400", b"NaN", b"\\u0022", b'"a":1,"a":1,', b"\xff", b"-"]))
    content = content[:at] + noise + content[at + length :]
    assert read(content) == told(content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}, "c": "\\u0022\\u0022"}',
        b"[18446744073709551616, 1.0e5, 100000000000000000000]",
        b"-123456789012345678901234567890",
        b'"\\ud800"',
        b'"\\ud83d\\ude00"',
        b"[" * 300 + b"]" * 300,
        b"[" * 100_000,
    ],
)
def test_what_two_parsers_might_read_in_two_ways_is_read_in_one(content: bytes) -> None:
    assert read(content) == told(content)


@given(VALUES)
@example(10**30)
def test_what_is_written_is_read_again(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parse(written(value)) == value


@given(st.dictionaries(st.sampled_from(["messages", "tools", "raw", "a"]), VALUES))
def test_a_line_says_what_python_says(value: dict[str, Any]) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        with pytest.raises(ValueError, match=r"^not JSON: half a surrogate pair in a text$"):
            line(value)
        return
    assert told(line(value)) == repr(value)
    assert b"\n" not in line(value)
    if "e-" not in repr(value):  # where Python writes 6e-05, a line may write 0.00006
        assert len(line(value)) <= len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        line({"a": [number]})


@pytest.mark.parametrize("content", [b"1e400", b'{"a": [-1e999]}'])
def test_a_number_that_could_not_be_written_again_is_refused(content: bytes) -> None:
    with pytest.raises(NotJsonError, match=r"^the number -?1e\d+ is too large to be read$"):
        parse(content)
