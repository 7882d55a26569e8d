"""JSON Schemas: where their references lead."""

from typing import Any

import pytest

from ftbuild.tools.schemas import Checker, dangling, pointed

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
