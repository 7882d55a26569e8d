"""A line that is read in parts says what it says when it is read whole, whatever stands in it."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ftbuild.example import said_in
from ftbuild.rows import DOUBTED, Shared, in_parts, plainly
from ftbuild.runners.formats import parse_examples, parse_lines

WORDS = st.sampled_from(["tools", '"tools"', ',"tools":', ',"raw":', "messages", "raw", "a", "", "}", "]", "é"])
VALUES = st.recursive(
    WORDS | st.integers(0, 10**25) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=3)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Return a line with tools somewhere, spaced or not; some bytes of it may be gone, doubled or moved."""
    value = draw(OBJECTS) | draw(st.just({}) | st.fixed_dictionaries({"tools": VALUES})) | draw(OBJECTS)
    line = json.dumps(value, separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")]))).encode()
    at, end = sorted(draw(st.tuples(st.integers(0, len(line)), st.integers(0, len(line)))))
    cut = draw(st.sampled_from([b"", line[at:end], line[at:end] * 2, b",", b"}"]))
    return line[:at] + cut + line[end:]


@settings(max_examples=500)
@given(lines())
@example(b'{,"tools":[]}')
@example(b'{"tools":[1],"tools":[2]}')
@example(b'{"a":1,"tools":[2],"a":3}')
@example(b'{"a":"\\"tools\\"","tools":[{}]} ')
@example(b'{"a":{"b":1,"tools":[]}}')
@example(b'{"a":[1,"tools"]}')
def test_a_line_is_read_in_parts_as_it_is_read_whole(line: bytes) -> None:
    found, whole = in_parts(line), plainly(line)
    assert (found is DOUBTED) == (whole is DOUBTED)
    assert found is DOUBTED or json.dumps(found) == json.dumps(whole)


def test_tools_that_lines_have_in_common_are_read_once() -> None:
    one, other = (in_parts(b'{"messages": [%d], "tools": [{"a": 1}]}' % n) for n in (1, 2))
    assert one["tools"] is other["tools"]
    assert isinstance(one["tools"], Shared)
    assert (one["tools"], one["tools"].text) == ([{"a": 1}], b'[{"a":1}]')


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=3), st.lists(VALUES, max_size=2), OBJECTS, st.booleans())
def test_an_example_is_read_in_parts_as_it_is_read_whole(
    messages: list[str], tools: list[Any], slices: dict[str, Any], has_tools: bool
) -> None:
    offered = {"tools": tools, "parallel_tool_calls": True} if has_tools else {}
    value = {"id": "0", "messages": messages, **offered, "raw": "x", "slices": slices}
    line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    (found,) = parse_examples(line + b"\n", b',"raw":')
    (whole,) = parse_lines(line + b"\n")
    assert json.dumps(found.value) == json.dumps(whole)
    assert json.loads(b"{%s}" % found.said, parse_int=float) == json.loads(json.dumps(said_in(whole)), parse_int=float)
