"""The tools that a model may call."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from ftbuild.settings.node import Node, without_nulls

JsonType = Literal["string", "number", "integer", "boolean", "object", "array", "null"]
Value = str | int | float


class Argument(Node):
    """One argument of a tool: its `type` or the values it may have as `enum`; it must be given unless `optional`.

    `items` says what a list holds.
    """

    type: JsonType | None = None
    enum: list[Value] | None = None
    description: str | None = None
    optional: bool = False
    items: "Argument | None" = None

    @model_validator(mode="after")
    def _says_what_it_is(self) -> "Argument":
        if self.type is None and self.enum is None:
            raise ValueError("an argument has a type, or the values it may have as enum")
        return self


class Tool(Node):
    """A tool: what it is for, and its arguments in short form as `args`, or as a JSON Schema under `parameters`.

    One that is described elsewhere is read from there: `python`, a typed function as FILE:NAME, never run;
    `openapi`, an operation as FILE#ID; `mcp`, a tool of an answer to tools/list as FILE#NAME.
    """

    description: str | None = None
    args: dict[str, Argument] | None = None
    parameters: dict[str, Any] | None = None
    python: str | None = None
    openapi: str | None = None
    mcp: str | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _has_one_form(self) -> "Tool":
        forms = ("args", "parameters", "python", "openapi", "mcp")
        if len(given := [form for form in forms if getattr(self, form) is not None]) > 1:
            raise ValueError(f"a tool has {' or '.join(given)}, not both")
        return self


Tools = Annotated[dict[str, Tool], BeforeValidator(without_nulls)]
