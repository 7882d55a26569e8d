"""The tools that a model may call."""

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, model_validator

from ftbuild.chat import Tool as ToolDefinition
from ftbuild.settings.node import Node, without_nulls

JsonType = Literal["string", "number", "integer", "boolean", "object", "array", "null"]
Value = str | int | float


class Argument(Node):
    """One argument of a tool: its `type` or the values it may have as `enum`; it must be given unless `optional`.

    `items` says what a list holds. `compare` says when two values are the same answer, for scoring alone: `exact`,
    `loose` (case, width and end punctuation do not count) or `value` (an expression of the same value).
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"compare"})
    type: JsonType | None = None
    enum: list[Value] | None = None
    description: str | None = None
    optional: bool = False
    items: "Argument | None" = None
    compare: Literal["exact", "loose", "value"] = "exact"

    @model_validator(mode="after")
    def _says_what_it_is(self) -> "Argument":
        if self.type is None and self.enum is None:
            raise ValueError("an argument has a type, or the values it may have as enum")
        return self

    def schema_(self) -> dict[str, Any]:
        """Return the JSON Schema of the argument."""
        value: dict[str, Any] = {}
        if self.type is not None:
            value["type"] = self.type
        elif self.enum is not None and all(isinstance(each, str) for each in self.enum):
            value["type"] = "string"
        if self.description is not None:
            value["description"] = self.description
        if self.enum is not None:
            value["enum"] = self.enum
        if self.items is not None:
            value["items"] = self.items.schema_()
        return value


class Tool(Node):
    """A tool: what it is for, and its arguments in short form as `args`, or as a JSON Schema under `parameters`."""

    description: str | None = None
    args: dict[str, Argument] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _has_one_form(self) -> "Tool":
        if self.args is not None and self.parameters is not None:
            raise ValueError("a tool has args, or parameters, not both")
        return self

    def definition(self, name: str) -> ToolDefinition:
        """Return the tool as a provider is told of it."""
        parameters = self.parameters
        if self.args is not None:
            parameters = {
                "type": "object",
                "properties": {each: argument.schema_() for each, argument in self.args.items()},
                "required": [each for each, argument in self.args.items() if not argument.optional],
                "additionalProperties": False,
            }
        return ToolDefinition(name, self.description, parameters, self.strict)


Tools = Annotated[dict[str, Tool], BeforeValidator(without_nulls)]


def keyed_tools(tools: dict[str, Tool]) -> list[str]:
    """Return the definitions as they enter a key: JSON texts, since the order of tools and arguments has meaning."""
    return [json.dumps(tool.definition(name).to_json(), ensure_ascii=False) for name, tool in tools.items()]
