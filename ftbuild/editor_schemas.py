"""JSON Schemas of the config files, for editors: drawn from the settings models, one per group of conf/.

Owns how a file differs from the settings it becomes part of. A file is partial (others fill the rest in), may begin
with a defaults list, may leave a value open with ???, may write ${...} where a value stands, and takes an inherited
entry of a map out with null. A key that no setting has is refused. Draft-07, which editors read best.
Knows nothing of Hydra or of files: the options of the groups are given. They are offered, never demanded, so that a
file added later is no error in a schema written before.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from ftbuild.settings import JsonSchema, Settings, Source
from ftbuild.settings.node import without_nulls
from ftbuild.settings.sweep import joined
from ftbuild.trees import GROUPS

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
OPEN = {"type": "string", "pattern": r"^\?\?\?$|\$\{.+\}"}
ANY_MAP = {"additionalProperties": True, "type": "object"}
ABOUT = ("description", "default")
NO_FIELDS: Mapping[str, Any] = {"schema": JsonSchema, "source": Source, "experiment": Settings, "config": Settings}


def schemas(options: Mapping[str, Sequence[str]]) -> dict[str, Schema]:
    """Return a schema for every group, and `config` for what holds everywhere; `options` are the names by group."""
    return {name: _file(name, _model(name), options) for name in (*GROUPS, "config")}


def globs(name: str) -> list[str]:
    """Return which files of a project the schema `name` is for."""
    return ["conf/config.yaml", "conf/local/*.yaml"] if name == "config" else [f"conf/{name}/*.yaml"]


def _model(name: str) -> Any:
    """Return the type of what a file of the group holds."""
    field = Settings.model_fields.get(name)
    if field is None:
        return NO_FIELDS[name]
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _file(name: str, model: Any, options: Mapping[str, Sequence[str]]) -> Schema:
    schema = TypeAdapter(model).json_schema(ref_template="#/definitions/{model}", schema_generator=_Partial)
    choices = {f"choice_of_{group}": _choice(names) for group, names in options.items()}
    definitions = {**schema.pop("$defs", {}), **choices}
    schema["properties"] = {"defaults": _defaults(name, options), **schema.get("properties", {})}
    return {"$schema": DRAFT, **schema, "definitions": definitions}


def _defaults(name: str, options: Mapping[str, Sequence[str]]) -> Schema:
    """Return the schema of the defaults list of a file of group `name`."""
    choices = {group: {"$ref": f"#/definitions/choice_of_{group}"} for group in options}
    offered = {"config": "", "experiment": "override /"}.get(name, "/")
    above = "/?" if name == "config" else "/"
    entry = {
        "type": "object",
        "description": "Which option of a group to take; `override` changes an earlier choice, and stands last.",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {f"{offered}{group}": choice for group, choice in choices.items() if group != name},
        "patternProperties": {
            "^optional ": _choice(()),
            **{rf"^(override )?{above}{re.escape(group)}(@[^ ]+)?$": choice for group, choice in choices.items()},
        },
        "additionalProperties": False,
    }
    own = {"enum": ["_self_", *options.get(name, ())]}
    return {
        "type": "array",
        "description": "The files this one builds on, later ones in front.",
        "items": {"anyOf": [entry, own, {"type": "string"}]},
    }


def _choice(options: Sequence[str]) -> Schema:
    """Return what may stand behind a group: an option, several, none, or ??? for others to choose."""
    free = {"type": ["string", "null", "array"], "items": {"type": "string"}}
    return {"anyOf": [{"enum": [*options, "???"]}, free]}


class _Partial(GenerateJsonSchema):
    """Draws the schema of a part of a config file rather than that of a whole value."""

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        """Return a model of which nothing is required; what its docstring says of a field is said at the field."""
        found = super().model_schema(schema)
        found.pop("required", None)
        said = found.get("description", "")
        for name, field in found.get("properties", {}).items():
            about = {"description": said} if f"`{name}`" in said else {}
            found["properties"][name] = {**about, **_or_open(field)}
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - as the base class has it
        """Say no: the title would be the key once more."""
        return False

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Schema:
        """Return a map; its entries may be null where that takes them out, or maps where these are joined."""
        found = super().function_before_schema(schema)
        if schema["function"]["function"] is without_nulls:
            if found["additionalProperties"]:
                found["additionalProperties"] = _or_null(found["additionalProperties"])
            else:
                found["properties"] = {name: _or_null(each) for name, each in found["properties"].items()}
        elif schema["function"]["function"] is joined:
            found["additionalProperties"] = {"anyOf": [*_allowed(found["additionalProperties"]), ANY_MAP]}
        return found

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        """Return a map; where its keys are a few fixed names they are listed, so that an editor offers them."""
        found = super().dict_schema(schema)
        if found["additionalProperties"] is True:
            return found
        value = found["additionalProperties"] = _or_open(found["additionalProperties"])
        if names := found.pop("propertyNames", {}).get("enum"):
            found |= {"properties": dict.fromkeys(names, value), "additionalProperties": False}
        return found

    def tuple_schema(self, schema: core_schema.TupleSchema) -> Schema:
        """Return a list."""
        found = super().tuple_schema(schema)
        return {**found, "items": _or_open(found["items"])}


def _or_open(schema: Schema) -> Schema:
    """Return what the schema allows, or a value that is left open or refers to a key; any text can do both."""
    allowed = _allowed(schema)
    if {"type": "string"} in allowed:
        return schema
    about = {name: each for name, each in schema.items() if name in ABOUT}
    return {**about, "anyOf": [*allowed, OPEN]}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [*_allowed(schema), {"type": "null"}]}


def _allowed(schema: Schema) -> list[Schema]:
    """Return the schemas of which a value must fit one."""
    plain = {name: each for name, each in schema.items() if name not in ABOUT}
    found: list[Schema] = plain.get("anyOf", [plain])
    return found
