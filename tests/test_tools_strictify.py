"""The strict subset: what is brought into it is in it, arguments fit there, and come back as the tool's own."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemas_fixture import schemas, values_of

from ftbuild.tools.schemas import Checker
from ftbuild.tools.strict import Target, violations
from ftbuild.tools.strictify import strictify, with_nulls, without_nulls

targets = st.sampled_from(["base", "tuned"])
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "description": "Its name."},
        "day": {"type": "string", "enum": ["today", "tomorrow"], "default": "today"},
        "where": {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "more": {"type": "object"},
    },
    "required": ["city"],
}


def own_values(schema: Any) -> st.SearchStrategy[Any]:
    """Return what fits a tool's own schema, optional arguments given or not."""
    if schema.get("type") == "object" and "properties" in schema:
        properties = {name: own_values(each) for name, each in schema["properties"].items()}
        needed = {name: each for name, each in properties.items() if name in schema.get("required", ())}
        optional = {name: each for name, each in properties.items() if name not in needed}
        return st.fixed_dictionaries(needed, optional=optional)
    if schema.get("type") == "array":
        return st.lists(own_values(schema["items"]), max_size=2)
    return values_of(schema)


def strict_values(schema: Any) -> st.SearchStrategy[Any]:
    """Return what a model that is held to the schema may say."""
    checker = Checker(schema)
    return values_of(schema).filter(lambda value: not checker.misfits(value))


@given(schemas, targets)
def test_what_is_brought_into_the_subset_is_in_it(schema: dict[str, Any], target: Target) -> None:
    before = copy.deepcopy(schema)
    made = strictify(schema, target)
    assert list(violations(made.schema, target)) == list(made.broken) == []
    assert schema == before


@given(schemas, targets)
def test_what_is_in_the_subset_stays_and_loses_nothing(schema: dict[str, Any], target: Target) -> None:
    made = strictify(schema, target)
    again = strictify(made.schema, target)
    assert (again.schema, again.lost) == (made.schema, ())


@given(schemas, targets, st.data())
def test_strict_arguments_without_their_nulls_fit_the_tool_or_the_loss_is_told(
    schema: dict[str, Any], target: Target, data: st.DataObject
) -> None:
    made = strictify(schema, target)
    given_ = data.draw(strict_values(made.schema))
    own = without_nulls(given_, Checker(schema))
    assert made.lost or Checker(schema).misfits(own) == []


@given(schemas, targets, st.data())
def test_arguments_that_fit_the_tool_fit_the_strict_one_once_they_have_their_nulls(
    schema: dict[str, Any], target: Target, data: st.DataObject
) -> None:
    own = data.draw(own_values(schema).filter(lambda value: not Checker(schema).misfits(value)))
    made = strictify(schema, target)
    assert made.lost or Checker(made.schema).misfits(with_nulls(own, Checker(made.schema))) == []


@given(schemas, targets, st.data())
def test_arguments_of_the_tool_get_their_nulls_and_lose_them_again(
    schema: dict[str, Any], target: Target, data: st.DataObject
) -> None:
    """What strict arguments say of the tool is said again after the way there and back."""
    made = strictify(schema, target)
    own = without_nulls(data.draw(strict_values(made.schema)), Checker(schema))
    filled = with_nulls(own, Checker(made.schema))
    assert Checker(made.schema).misfits(filled) == []
    assert without_nulls(filled, Checker(schema)) == own


def test_a_tool_for_a_fine_tuned_model_is_written_out() -> None:
    made = strictify(WEATHER, "tuned")
    assert made.schema == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Its name. (minLength: 1)"},
            "day": {
                "type": ["string", "null"],
                "enum": ["today", "tomorrow", None],
                "description": 'default: "today"',
            },
            "where": {
                "type": ["object", "null"],
                "properties": {"lat": {"type": ["number", "null"]}, "lon": {"type": ["number", "null"]}},
                "additionalProperties": False,
                "required": ["lat", "lon"],
            },
            "tags": {"type": ["array", "null"], "items": {"type": "string"}, "description": "uniqueItems: true"},
            "more": {"type": ["object", "null"], "additionalProperties": False},
        },
        "required": ["city", "day", "where", "tags", "more"],
        "additionalProperties": False,
    }
    assert set(made.lost) == {
        ("properties.city.minLength", "1 is no longer demanded"),
        ("properties.tags.uniqueItems", "true is no longer demanded"),
        ("properties.more.additionalProperties", "nothing can be given beside the properties"),
    }


def test_a_base_model_takes_more() -> None:
    made = strictify(WEATHER, "base")
    assert made.schema["properties"]["city"] == {"type": "string", "minLength": 1, "description": "Its name."}


def test_what_can_be_no_strict_tool_is_told_and_left() -> None:
    made = strictify({"type": "object", "anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]}, "base")
    assert made.broken == (("anyOf", "the outermost schema offers a choice"),)


@pytest.mark.parametrize(
    ("given_", "filled"),
    [
        ({"city": "Rome"}, {"city": "Rome", "day": None, "where": None, "tags": None, "more": None}),
        (
            {"where": {"lon": 1}, "city": "Rome", "more": {}},
            {"city": "Rome", "day": None, "where": {"lat": None, "lon": 1}, "tags": None, "more": {}},
        ),
    ],
)
def test_nulls_stand_where_nothing_was_said_in_the_order_of_the_tool(given_: Any, filled: Any) -> None:
    strict = Checker(strictify(WEATHER, "tuned").schema)
    assert json.dumps(with_nulls(given_, strict)) == json.dumps(filled)
    assert without_nulls(filled, Checker(WEATHER)) == given_


def test_references_are_followed_also_where_they_lead_round() -> None:
    node = {
        "type": "object",
        "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
        "required": ["v"],
    }
    schema = {"type": "object", "properties": {"head": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}}
    made = strictify(schema, "tuned")
    assert (made.broken, made.lost) == ((), ())
    own = {"head": {"v": 1, "next": {"v": 2}}}
    filled = with_nulls(own, Checker(made.schema))
    assert filled == {"head": {"v": 1, "next": {"v": 2, "next": None}}}
    assert without_nulls(filled, Checker(schema)) == own


NODE: dict[str, Any] = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
    "required": ["v"],
}


def test_a_schema_that_is_one_reference_says_at_its_root_what_that_is() -> None:
    """The way pydantic writes a model that holds itself."""
    made = strictify({"$ref": "#/$defs/node", "$defs": {"node": NODE}}, "tuned")
    told = {
        "type": "object",
        "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        "required": ["v", "next"],
        "additionalProperties": False,
    }
    assert made.schema == {**told, "$defs": {"node": told}}
    assert (made.lost, made.broken) == ((), ())
    assert Checker(made.schema).misfits(with_nulls({"v": 1, "next": {"v": 2}}, Checker(made.schema))) == []


def test_a_schema_that_refers_to_anything_at_all_can_be_no_strict_tool() -> None:
    assert strictify({"$ref": "#/$defs/any", "$defs": {"any": True}}, "tuned").broken != ()


def test_what_is_said_beside_a_reference_is_kept_and_the_reference_stands_alone() -> None:
    schema = {
        "type": "object",
        "properties": {"head": {"$ref": "#/$defs/node", "description": "The first.", "default": {"v": 1}}},
        "required": ["head"],
        "$defs": {"node": NODE},
    }
    made = strictify(schema, "tuned")
    assert made.schema["properties"]["head"] == {"description": "The first.", "anyOf": [{"$ref": "#/$defs/node"}]}
    assert (made.lost, made.broken) == ((), ())
    beside = {**schema, "properties": {"head": {"$ref": "#/$defs/node", "type": "object"}}}
    assert strictify(beside, "tuned").broken == (("properties.head.$ref", "does not stand alone"),)


def test_what_is_referred_to_does_not_become_null_with_the_property_it_stands_in() -> None:
    """The way converters of other languages' types write a type that is used twice."""
    schema = {
        "type": "object",
        "properties": {
            "start": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
            "end": {"$ref": "#/properties/start"},
            "days": {"type": "array", "items": {"$ref": "#/properties/start/properties/day"}},
        },
        "required": ["end", "days"],
    }
    made = strictify(schema, "tuned")
    assert (made.lost, made.broken) == ((), ())
    strict = Checker(made.schema)
    assert strict.misfits({"start": None, "end": {"day": "Mon"}, "days": ["Tue"]}) == []
    assert strict.misfits({"start": None, "end": None, "days": []}) != []
    assert strict.misfits({"start": None, "end": {"day": "Mon"}, "days": [None]}) != []


def test_a_null_that_is_the_default_is_as_good_as_nothing_and_another_is_not() -> None:
    """The way pydantic writes `Optional[str] = None`."""
    nullable = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    schema = {"type": "object", "properties": {"a": {**nullable, "default": None}, "b": nullable}}
    assert with_nulls({}, Checker(strictify(schema, "tuned").schema)) == {"a": None, "b": None}
    assert without_nulls({"a": None, "b": None}, Checker(schema)) == {"b": None}


@pytest.mark.parametrize(
    ("given_", "lost", "broken"),
    [
        ({}, (), (("properties.a.type", "is not said"),)),
        (True, (), (("properties.a", "does not say what it is"),)),
        ({"type": "array"}, (), (("properties.a.items", "are not said"),)),
        (
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
            (("properties.a.type", "nothing but an object will do"),),
            (),
        ),
        (
            {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": True},
            (("properties.a.additionalProperties", "nothing can be given beside the properties"),),
            (),
        ),
    ],
)
def test_what_is_not_said_keeps_a_tool_from_being_strict_or_is_told(given_: Any, lost: Any, broken: Any) -> None:
    made = strictify({"type": "object", "properties": {"a": given_}, "required": ["a"]}, "tuned")
    assert (made.lost, made.broken) == (lost, broken)


def test_an_object_that_may_be_null_is_closed_too() -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["object", "null"]}}, "required": ["a"]}
    found = list(violations({**schema, "additionalProperties": False}))
    assert found == [("properties.a.additionalProperties", "is not false")]
