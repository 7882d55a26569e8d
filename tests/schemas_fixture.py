"""JSON Schemas as strategies, and values that fit one: what tools say of their arguments, and what models give."""

from typing import Any

from hypothesis import strategies as st

names = st.sampled_from(["city", "day", "äpfel", "x", "to"])
texts = st.text("abü ", max_size=4)
KEYWORDS = st.dictionaries(
    st.sampled_from(["minLength", "maxLength", "pattern", "format", "default", "description", "minimum", "multipleOf"]),
    st.none(),
    max_size=2,
)
VALUES = {
    "minLength": 2,
    "maxLength": 3,
    "pattern": "^a",
    "format": "date",
    "default": "a",
    "description": "What it is.",
    "minimum": 2,
    "multipleOf": 2,
}
leaves = st.builds(
    lambda schema, keywords: schema | {name: VALUES[name] for name in keywords},
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "integer"},
            {"type": ["number", "null"]},
            {"type": "boolean"},
            {"enum": ["a", "b", 1]},
            {"type": "string", "enum": ["a", "b"]},
            {"const": "a"},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            {"type": ["string", "integer", "null"]},
        ]
    ),
    KEYWORDS,
)


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects with properties of the inner kind, some of them required."""
    return st.builds(
        lambda properties, needed, more: {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name in needed],
            **more,
        },
        st.dictionaries(names, inner, max_size=3),
        st.sets(names),
        st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": True}, {"maxProperties": 2}]),
    )


def arrays(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return lists of the inner kind."""
    return st.builds(
        lambda items, more: {"type": "array", "items": items, **more}, inner, st.sampled_from([{}, {"minItems": 1}])
    )


parts = st.recursive(leaves, lambda inner: st.one_of(objects(inner), arrays(inner)), max_leaves=4)
schemas = objects(parts)


def values_of(schema: Any) -> st.SearchStrategy[Any]:
    """Return values that fit a schema of the strict subset."""
    if "anyOf" in schema:
        return st.one_of(*map(values_of, schema["anyOf"]))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", ["string", "integer", "null"])
    return st.one_of(*(_of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)))


def _of_kind(kind: str, schema: Any) -> st.SearchStrategy[Any]:
    if kind == "object":
        return st.fixed_dictionaries({name: values_of(each) for name, each in schema.get("properties", {}).items()})
    if kind == "array":
        return st.lists(values_of(schema.get("items", {})), max_size=2)
    return {
        "string": texts,
        "integer": st.integers(-9, 9),
        "number": st.integers(-9, 9) | st.sampled_from([0.5, 2.25]),
        "boolean": st.booleans(),
        "null": st.none(),
    }[kind]
