"""A JSON Schema that answers must fit. Source of the keywords: JSON Schema 2020-12."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict
from typing_extensions import TypedDict

from ftbuild.settings.node import without_nulls
from ftbuild.settings.tools import JsonType

Constant = str | int | float | None

# Written as a call because of $ref, not and if. What of it a provider takes is told where schemas are read.
JsonSchema = TypedDict(
    "JsonSchema",
    {
        "$schema": str,
        "$id": str,
        "$comment": str,
        "title": str,
        "description": str,
        "type": JsonType | list[JsonType],
        "enum": list[Constant],
        "const": Constant,
        "properties": dict[str, "JsonSchema"],
        "required": list[str],
        "additionalProperties": "bool | JsonSchema",
        "items": "JsonSchema",
        "anyOf": list["JsonSchema"],
        "$ref": str,
        "$defs": dict[str, "JsonSchema"],
        "default": Any,
        "examples": list[Any],
        "format": str,
        "pattern": str,
        "minLength": int,
        "maxLength": int,
        "minimum": float,
        "maximum": float,
        "exclusiveMinimum": float,
        "exclusiveMaximum": float,
        "multipleOf": float,
        "minItems": int,
        "maxItems": int,
        "uniqueItems": bool,
        "minProperties": int,
        "maxProperties": int,
        "patternProperties": dict[str, "JsonSchema"],
        "propertyNames": "JsonSchema",
        "prefixItems": list["JsonSchema"],
        "contains": "JsonSchema",
        "minContains": int,
        "maxContains": int,
        "oneOf": list["JsonSchema"],
        "allOf": list["JsonSchema"],
        "not": "JsonSchema",
        "if": "JsonSchema",
        "then": "JsonSchema",
        "else": "JsonSchema",
        "dependentRequired": dict[str, list[str]],
        "dependentSchemas": dict[str, "JsonSchema"],
        "unevaluatedProperties": "bool | JsonSchema",
        "unevaluatedItems": "bool | JsonSchema",
    },
    total=False,
)
JsonSchema.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[attr-defined]
JsonSchema.__doc__ = """A JSON Schema; what YAML reads otherwise than meant (a bare on, no or null) is refused."""

Schemas = Annotated[dict[str, JsonSchema], BeforeValidator(without_nulls)]
