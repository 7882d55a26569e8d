"""Pairs: what a line may be, what is told about each line that is not, and that the others are read."""

import json

import pytest
from hypothesis import example as also
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ftbuild.chat import Message
from ftbuild.digest import of_value
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.settings import Source
from ftbuild.sources import read, read_files

SOURCE = Source(
    kind="pairs", path="d/p.jsonl", input="casual", target="formal", group="topic", licence="CC0-1.0", origin="here"
)
TOO_LONG = (
    "a number too long, or brackets nested too deep, to be read\n"
    "    Fix: write the number as a text, or the value flatter.    not-json"
)
GOOD = b'{"casual": "hey", "formal": "Hello.", "topic": "t"}'
GOOD_EXAMPLE = Example(
    messages=(Message("user", "hey"), Message("assistant", "Hello.")),
    original=of_value(["example.v1", "hey", "Hello."]),
    source="mine",
    path="d/p.jsonl",
    line=1,
    group="t",
    raw="hey",
    slices={"source": "mine"},
)


def found(line: bytes) -> str:
    """Return the one finding about `line`, as printed, and see that the lines around it are read."""
    examples, problems = read(GOOD + b"\n" + line + b"\n" + GOOD, "mine", SOURCE)
    assert [each.line for each in examples] == [1, 3]
    (problem,) = problems
    assert (problem.path, problem.line, problem.severity) == ("d/p.jsonl", 2, "error")
    return str(problem)


def test_a_good_line_is_an_example() -> None:
    assert read(GOOD + b"\n", "mine", SOURCE) == ([GOOD_EXAMPLE], [])


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbf" + GOOD, GOOD + b"\r\n", b"\r\n\r\n" + GOOD, b"  " + GOOD + b" \t\n\n"]
)
def test_marks_and_line_ends_of_editors_are_passed_over(content: bytes) -> None:
    examples, problems = read(content, "mine", SOURCE)
    assert ([each.raw for each in examples], problems) == (["hey"], [])


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0c", "\x1c"])
def test_a_line_ends_at_line_feed_alone(separator: str) -> None:
    text = f"a{separator}b"
    line = json.dumps({"casual": text, "formal": text, "topic": "t"}, ensure_ascii=False)
    examples, problems = read(line.encode() + b"\n" + GOOD, "mine", SOURCE)
    assert ([(each.line, each.raw) for each in examples], problems) == ([(1, text), (2, "hey")], [])


def test_space_around_texts_is_dropped_and_fields_of_others_are_left_alone() -> None:
    line = {"casual": " hey\n", "formal": "\tHello. ", "topic": " t ", "team": "a ", "note": None}
    source = SOURCE.model_copy(update={"slices": {"squad": "team", "about": "topic"}, "only": "test"})
    (only,), problems = read(json.dumps(line).encode(), "mine", source)
    assert problems == []
    assert only == Example(
        messages=(Message("user", "hey"), Message("assistant", "Hello.")),
        original=of_value(["example.v1", "hey", "Hello."]),
        source="mine",
        path="d/p.jsonl",
        line=1,
        group="t",
        raw="hey",
        slices={"source": "mine", "about": "t", "squad": "a"},
        only="test",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"casual": "he\xff"}', "not UTF-8 (byte 15 of the line)\n    Fix: save it as UTF-8.    not-utf8"),
        (b'{"casual": "hey", "formal": "Hel', "not JSON (column 29: unterminated string starting)\n    FIX"),
        (b'{"casual": "hey" "formal": 1}', "not JSON (column 18: expecting ',' delimiter)\n    FIX"),
        (b"{'casual': 'hey'}", "not JSON (column 2: expecting property name enclosed in double quotes)\n    FIX"),
        (b'{"casual": "a\tb"}', "not JSON (column 14: invalid control character)\n    FIX"),
        (GOOD + b" " + GOOD, "not JSON (column 53: extra data)\n    FIX"),
        (b'{"casual": NaN}', "NaN is not JSON\n    NUMBER"),
        (
            b'{"casual": -Infinity}',
            "-Infinity is not JSON\n    NUMBER",
        ),
        (
            b'{"casual": "a", "b": {"c": 1, "c": 2}}',
            "key 'c' twice in one object\n    Fix: keep one of them.    duplicate-key",
        ),
        (b"[1]", "list instead of a JSON object    not-an-object"),
        (b"null", "NoneType instead of a JSON object    not-an-object"),
        (b'"hey"', "str instead of a JSON object    not-an-object"),
        (b"[" * 100_000, TOO_LONG),
        (b'{"a": ' + b"9" * 5000 + b"}", TOO_LONG),
        (
            b'{"casuall": "hey", "formal": "Hello.", "topic": "t"}',
            "no field 'casual'\n    Fix: the line has 'casuall': rename it, or name the field in the source's YAML."
            "    missing-field",
        ),
        (
            b'{"casual": "hey", "formal": "Hello.", "x": 1}',
            "no field 'topic'\n    Fix: the line has casual, formal, x; the source's YAML says which to take."
            "    missing-field",
        ),
        (b'{"casual": " ", "formal": "Hello.", "topic": "t"}', "casual: ' ' is not a text    not-a-text"),
        (b'{"casual": "hey", "formal": null, "topic": "t"}', "formal: None is not a text    not-a-text"),
        (b'{"casual": "hey", "formal": "Hello.", "topic": [3]}', "topic: [3] is not a text    not-a-text"),
        (
            b'{"casual": ["' + b"long " * 99 + b'"], "formal": "Hello.", "topic": "t"}',
            "casual: ['" + "long " * 11 + "... is not a text    not-a-text",
        ),
        (
            b'{"casual": "hey \\ud83d", "formal": "Hello.", "topic": "t"}',
            "half a surrogate pair in a text\n    Fix: write the whole character.    lone-surrogate",
        ),
        (
            b'{"casual": "hey", "formal": "Hello.", "\\ud83d": "t"}',
            "half a surrogate pair in a text\n    Fix: write the whole character.    lone-surrogate",
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_bad_line_is_told_and_the_others_are_read(line: bytes, said: str) -> None:
    said = said.replace("FIX", "Fix: mend the line; every line is one JSON object.    not-json")
    said = said.replace("NUMBER", "Fix: write a number, a text, or leave the key out.    not-a-number")
    assert found(line) == f"d/p.jsonl:2: {said}"


def test_all_problems_of_a_line_and_of_a_file_come_at_once_in_order() -> None:
    _, problems = read(b'{"casual": ""}\n[]\n' + GOOD + b"\n{", "mine", SOURCE)
    assert [(problem.line, problem.what) for problem in problems] == [
        (1, "casual: '' is not a text"),
        (1, "no field 'formal'"),
        (1, "no field 'topic'"),
        (2, "list instead of a JSON object"),
        (4, "the file ends in the middle of this line"),
    ]


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_a_file_without_examples_is_told(content: bytes) -> None:
    assert read(content, "mine", SOURCE) == ([], [Problem("no examples in the file", "d/p.jsonl", rule="empty-source")])


@given(
    st.lists(
        st.tuples(st.integers(0, 160), st.sampled_from(["insert", "delete", "replace"]), st.binary(max_size=3)),
        max_size=6,
    )
)
@also([(0, "insert", b"\xef\xbb\xbf"), (30, "delete", b"")])
def test_damaged_bytes_give_findings_and_never_an_exception(changes: list[tuple[int, str, bytes]]) -> None:
    content = GOOD + b"\r\n" + '{"casual": "ü\\u00fc", "formal": "2", "topic": "t"}\n'.encode() + GOOD
    for place, how, new in changes:
        end = place if how == "insert" else place + max(len(new), 1)
        content = content[:place] + (b"" if how == "delete" else new) + content[end:]
    examples, problems = read(content, "mine", SOURCE)
    assert examples or problems
    for each in examples:
        json.dumps(each.to_json(), ensure_ascii=False).encode()
    for problem in problems:
        str(problem).encode()


@given(st.binary(max_size=200))
def test_any_bytes_give_findings_or_examples(content: bytes) -> None:
    examples, problems = read(content, "mine", SOURCE)
    assert examples or problems


def test_a_field_that_no_line_has_is_one_mistake_and_told_once() -> None:
    lines = b'{"casual": "hey", "formal": "Hello.", "topic": "t"}\n' * 30
    source = SOURCE.model_copy(update={"input": "casul"})
    found = read_files([("d/p.jsonl", lines)], "p", source)
    assert [str(each) for each in found.problems] == [
        "d/p.jsonl: dataset.sources.p.input: 'casul' is a field of no line\n"
        "    Fix: a line has 'casual'; dataset.sources.p.input=FIELD.    missing-field"
    ]
    half = read_files([("d/p.jsonl", lines + lines.replace(b"casual", b"casul"))], "p", source)
    assert (len(half.examples), len(half.problems)) == (30, 30)


def test_pairs_without_a_group_are_told_what_to_write_where_lines_stand_alone() -> None:
    said = "a source of the kind pairs needs group; where every line stands alone, group: casual"
    with pytest.raises(ValidationError, match=said):
        Source.model_validate({**SOURCE.model_dump(by_alias=True), "group": None})
