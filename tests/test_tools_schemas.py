"""JSON Schemas: where their references lead."""

from typing import Any

import pytest

from ftbuild.tools.schemas import Checker, complete, dangling, pointed, wrong_schema

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"x": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "a/b~": {"type": "null"}},
    "$defs": {"ä b": {"$anchor": "here", "type": "boolean"}},
}


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("#", SCHEMA),
        ("", SCHEMA),
        ("#/properties/x/anyOf/1", {"type": "integer"}),
        ("#/properties/a~1b~0", {"type": "null"}),
        ("#/$defs/%C3%A4%20b", SCHEMA["$defs"]["ä b"]),
        ("#here", SCHEMA["$defs"]["ä b"]),
    ],
)
def test_a_reference_leads_where_the_validator_goes(target: str, found: Any) -> None:
    assert pointed(SCHEMA, target) == found
    whole = {**SCHEMA, "additionalProperties": {"$ref": target}}
    assert list(dangling(whole)) == []
    Checker(whole).misfits({"more": {}})  # it can follow the reference


@pytest.mark.parametrize("target", ["#there", "#/properties/x/anyOf/2", "#/properties/x/anyOf/a", "http://a/b#", "a"])
def test_a_reference_that_leads_nowhere_is_told(target: str) -> None:
    assert list(dangling({**SCHEMA, "not": {"$ref": target}})) == [("not.$ref", target)]


def test_what_openai_wants_said_is_added_and_takes_what_it_took() -> None:
    given = {"properties": {"a": {"anyOf": [{"type": ["array", "null"]}, {"type": "object"}]}}}
    assert complete(given) == {
        "properties": {"a": {"anyOf": [{"type": ["array", "null"], "items": {}}, {"type": "object"}]}},
        "type": "object",
    }
    assert given == {"properties": {"a": {"anyOf": [{"type": ["array", "null"]}, {"type": "object"}]}}}
    assert complete({"type": "object"}) == {"type": "object", "properties": {}}
    assert (complete(SCHEMA), complete({}), complete(None)) == (SCHEMA, {}, None)


def test_a_dynamic_reference_that_leads_nowhere_is_told() -> None:
    there = {"$ref": "#/$defs/b", "$defs": {"b": {"$dynamicAnchor": "node"}}}
    assert list(dangling({**there, "items": {"$dynamicRef": "#node"}})) == []
    assert list(dangling({**there, "items": {"$dynamicRef": "#nod"}})) == [("items.$dynamicRef", "#nod")]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": {"pattern": "(["}}, [("items.pattern", "'([' is no regular expression")]),
        ({"patternProperties": {"a)": {}}}, [("patternProperties.a)", "'a)' is no regular expression")]),
        ({"pattern": r"^\p{L}+$"}, []),  # of ECMA-262, and not of Python
        ({"pattern": r"(?<!a)b\Z"}, []),  # of Python alone
        ({"items": [{"type": "string"}]}, [("items", "[{'type': 'string'}] is not of type object or boolean")]),
    ],
)
def test_what_no_validator_can_read_is_no_schema(schema: dict[str, Any], said: list[tuple[str, str]]) -> None:
    assert wrong_schema(schema) == said


ROUND: dict[str, Any] = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}}


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"pattern": r"^\p{L}+$"}, "1", [("", '"1" does not match "^\\p{L}+$"')]),
        ({**ROUND, "required": ["b"]}, {"a": 1}, [("", '"b" is a required property')]),
        ({**ROUND, "required": ["a"]}, {"a": 1}, []),
    ],
)
def test_what_one_validator_cannot_follow_the_other_tells(schema: Any, value: Any, said: Any) -> None:
    assert Checker(schema).misfits(value) == said


def test_a_schema_that_no_validator_can_follow_is_told_and_not_raised() -> None:
    inner = {"$id": "http://a/b", "properties": {"x": {"$ref": "#/$defs/B"}}}
    [(at, said)] = Checker({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": inner, "B": {}}}).misfits(
        {"a": {"x": 1}}
    )
    assert (at, said[:18]) == ("", "cannot be checked:")
