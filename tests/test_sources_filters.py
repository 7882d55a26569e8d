"""Lines are kept by what their fields say; what is left out is counted; a filter that leaves nothing is an error."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ftbuild.settings import Source
from ftbuild.sources import Read, read_files

TICKETS = [
    {"in": "a", "out": "A.", "csat": 5, "topic": "billing", "meta": {"lang": "de"}},
    {"in": "b", "out": "B.", "csat": 3.5, "topic": "Billing ", "meta": {"lang": "en"}},
    {"in": "c", "out": "C.", "csat": None, "topic": "returns"},
    {"in": "d", "out": "D.", "topic": "returns"},
    {"in": "e", "out": "E.", "csat": "4", "topic": "billing", "done": True},
]


def kept(keep: dict[str, Any] | None, values: list[Any] = TICKETS, kind: str = "pairs") -> Read:
    source = Source.model_validate_json(
        json.dumps(
            {
                "kind": kind,
                "path": "d/x",
                "licence": "CC0-1.0",
                "origin": "here",
                **({"input": "in", "target": "out", "group": "in"} if kind == "pairs" else {}),
                **({"keep": keep} if keep is not None else {}),
            }
        )
    )
    return read_files([("d/x", b"".join(json.dumps(each).encode() + b"\n" for each in values))], "s", source)


@pytest.mark.parametrize(
    ("given_", "stays"),
    [
        ({"field": "csat", "at_least": 4}, "ae"),
        ({"field": "csat", "at_most": 4}, "be"),
        ({"field": "csat", "at_least": 3, "at_most": 4}, "be"),
        ({"field": "csat", "equals": 5}, "a"),
        ({"field": "csat", "equals": 4}, "e"),
        ({"field": "csat", "one_of": ["4", 3.5]}, "be"),
        ({"field": "topic", "equals": "Billing"}, "b"),
        ({"field": "topic", "matches": "(?i)^bill"}, "abe"),
        ({"field": "meta.lang", "one_of": ["de", "fr"]}, "a"),
        ({"field": "done", "equals": True}, "e"),
        ({"field": "done", "equals": "true"}, "e"),
    ],
)
def test_a_line_stays_if_its_field_passes_every_test(given_: dict[str, Any], stays: str) -> None:
    found = kept({"it": given_})
    assert "".join(each.raw for each in found.examples) == stays
    assert found.problems == []
    assert found.left_out == Counter({"by it": 5 - len(stays)})


def test_a_line_is_counted_by_the_first_filter_by_name_that_it_fails() -> None:
    keep = {"b_topic": {"field": "topic", "equals": "billing"}, "a_solved": {"field": "csat", "at_least": 4}}
    found = kept(keep)
    assert [(each.raw, each.line) for each in found.examples] == [("a", 1), ("e", 5)]
    assert found.note() == "2 examples; left out: 3 by a_solved"
    assert kept(None).note() == "5 examples"


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (
            {"field": "topics", "equals": "x"},
            "d/x: no example is left: left out: 5 by it\n    Fix: the nearest to 'topics' is 'topic'.    empty-source",
        ),
        (
            {"field": "wait", "equals": "x"},
            "d/x: no example is left: left out: 5 by it\n"
            "    Fix: no field 'wait'; a line has in, out, csat, topic, done.    empty-source",
        ),
        (
            {"field": "topic", "equals": "x"},
            "d/x: no example is left: left out: 5 by it    empty-source",
        ),
        (
            {"field": "topic", "at_least": 3},
            "d/x:1: topic: 'billing' is no number\n"
            "    Fix: keep.it bounds numbers: name another field, or use equals, one_of or matches.    not-a-number",
        ),
        (
            {"field": "meta", "equals": "x"},
            "d/x:1: meta: {'lang': 'de'} cannot be compared\n"
            "    Fix: keep.it.field names a text or a number.    not-a-text",
        ),
    ],
)
def test_what_cannot_be_compared_or_leaves_nothing_is_an_error(given_: dict[str, Any], said: str) -> None:
    found = kept({"it": given_})
    assert found.examples == []
    assert str(found.problems[0]) == said


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"field": "a"}, "a filter says one of at_least, at_most, equals, one_of, matches"),
        ({"field": "a", "matches": "("}, "'(' is no regular expression: missing ), unterminated subpattern"),
    ],
)
def test_a_filter_that_tests_nothing_is_refused(given_: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        kept({"it": given_})
    assert said in str(caught.value)


@pytest.mark.parametrize("keep", [{}, {"keep": None}, {"keep": {}}, {"keep": {"solved": None}}])
def test_no_filter_enters_no_key(keep: dict[str, Any]) -> None:
    source = {"kind": "chat_jsonl", "path": "d/x", "licence": "x", "origin": "x"}
    assert Source.model_validate({**source, **keep}).keyed() == {
        "kind": "chat_jsonl",
        "path": "d/x",
        "slices": {},
        "licence": "x",
    }


def test_what_is_no_object_or_no_json_goes_on_to_its_reader() -> None:
    found = kept({"it": {"field": "csat", "at_least": 4}}, [7, *TICKETS])
    assert [(each.line, each.rule) for each in found.problems] == [(1, "not-an-object")]


@given(
    st.lists(
        st.fixed_dictionaries({"in": st.just("q"), "out": st.just("a"), "v": st.none() | st.floats() | st.text()})
    ),
    st.floats(allow_nan=False),
)
def test_every_line_is_kept_left_out_or_named(values: list[dict[str, Any]], bound: float) -> None:
    found = kept({"it": {"field": "v", "at_least": bound}}, json.loads(json.dumps(values).replace("NaN", "null")))
    lines = {each.line for each in found.problems if each.line}
    assert len(found.examples) + sum(found.left_out.values()) + len(lines) == len(values)
