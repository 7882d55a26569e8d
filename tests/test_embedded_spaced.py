"""Texts in the arguments of calls behind a space of their own: what is written is read back, whole or cut off."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ftbuild.embedded.calls import LINES, Call
from ftbuild.embedded.spaced import spaced, spaced_schema, unspaced

TEXTS = st.text(alphabet=' a"\\:,{}[]é\n', max_size=6)
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


@given(value=st.dictionaries(TEXTS, VALUES, max_size=3))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    call = {"function": {"name": "f", "arguments": json.dumps(value)}}
    found = LINES.read(LINES.written([call, call]))
    assert found is not None
    assert found.whole
    assert [json.loads(each.arguments) for each in found.calls] == [value, value]


@given(value=st.dictionaries(st.text(alphabet="ab:", max_size=3), VALUES, max_size=3), cut=st.integers(0, 80))
def test_what_is_told_of_a_call_that_is_being_written_stays_true(value: dict[str, Any], cut: int) -> None:
    assume(not any(key.startswith(" ") for key in _keys(value)))  # until its colon a name may be a text
    text = json.dumps(spaced(value))
    assert unspaced(text).startswith(unspaced(text[:cut]))


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for each in value.values() for key in _keys(each))]
    return [key for each in value for key in _keys(each)] if isinstance(value, list) else []


def test_a_word_is_behind_its_space_and_a_call_that_is_cut_off_is_without() -> None:
    call = {"function": {"name": "f", "arguments": '{"city":"Oslo","days":[1,2]}'}}
    assert LINES.written([call]) == '-> f {"city": " Oslo", "days": [1, 2]}'
    found = LINES.read('-> f {"city": " Os')
    assert found is not None
    assert found.calls == (Call("f", '{"city": "Os'),)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "Oslo"),
        ({"enum": ["C", "F", 3]}, "C"),
        ({"const": "C"}, "C"),
        ({"type": "string", "maxLength": 1}, "C"),
        ({"type": "string", "minLength": 4, "maxLength": 4}, "Oslo"),
        ({"type": ["string", "null"], "pattern": "^[a-f]{2}$"}, "ab"),
        ({"type": "string", "pattern": "^(ab|c[|]d)$"}, "c|d"),
        ({"type": "string", "pattern": r"^\d+\|\d+$", "maxLength": 3}, "1|2"),
        ({"anyOf": [{"type": "null"}, {"enum": ["C"]}]}, "C"),
        ({"$ref": "#/properties/unit", "type": "string"}, "C"),
    ],
)
def test_a_spaced_text_keeps_to_the_spaced_schema_and_a_wrong_one_does_not(schema: dict[str, Any], text: str) -> None:
    whole = {"type": "object", "properties": {"unit": {"enum": ["C", "F"]}, "a": schema}, "required": ["a"]}
    Draft202012Validator(whole).validate({"a": text})
    held = Draft202012Validator(spaced_schema(whole))
    held.validate(spaced({"a": text}))
    if schema != {"type": "string"}:
        assert not held.is_valid({"a": f" {text}Z"})


@pytest.mark.parametrize("more", [{"pattern": "^a|b$"}, {"pattern": "b$"}, {"format": "date", "maxLength": 10}])
def test_where_a_space_cannot_be_put_in_the_text_is_held_to_what_it_is(more: dict[str, Any]) -> None:
    schema = {"type": "string", **more}
    assert spaced_schema(schema) == schema
