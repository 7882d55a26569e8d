"""Parses, fits, and has the right fields: three questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.rows import written
from ftbuild.scorers import Case
from ftbuild.scorers.json_schema import JsonSchema

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["name"],
}
TARGET = '{"name": "milk", "tags": ["cold", "white"]}'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def scored(output: str, target: str = TARGET) -> dict[str, float | None]:
    return {each.metric: each.value for each in JsonSchema().score(Case("1", "", target, output, schema=SCHEMA))}


@pytest.mark.parametrize(
    ("output", "valid", "fields", "parsed"),
    [
        (TARGET, 1, 1, 1),
        ('{"tags":["cold","white"],"name":"milk"}', 1, 1, 1),
        ('{"name": "milk"}', 1, 1 / 3, 1),
        ('{"name": "milk", "tags": ["cold", "white", "old"]}', 1, 3 / 4, 1),
        ('{"name": 5, "tags": ["cold", "white"]}', 0, 2 / 3, 1),
        ('```json\n{"name": "milk"}\n```', 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_the_three_are_told_apart(output: str, valid: float, fields: float, parsed: float) -> None:
    assert scored(output) == {
        "json_schema.valid": valid,
        "json_schema.fields": pytest.approx(fields),
        "json_schema.parsed": parsed,
    }


def test_an_answer_without_a_schema_has_no_value() -> None:
    assert {each.value for each in JsonSchema().score(Case("1", "", TARGET, TARGET))} == {None}


def test_fields_of_a_reference_that_is_no_json_cannot_be_right_or_wrong() -> None:
    assert scored(TARGET, "milk")["json_schema.fields"] is None


@given(JSON)
def test_a_value_has_all_its_own_fields_and_a_text_that_is_no_json_has_none(value: object) -> None:
    said = written(value).decode()
    assert scored(said, said)["json_schema.fields"] == 1
    assert scored("[" + said, said)["json_schema.fields"] == 0
