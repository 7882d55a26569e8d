"""Tools as the config says them -> as a provider is told of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.chat import Tool
from ftbuild.settings import Argument
from ftbuild.settings import Tool as Given


def definition(name: str, given: Given) -> Tool:
    """Return a tool that is written out in the config."""
    parameters = given.parameters if given.args is None else _parameters(given.args)
    return Tool(name, given.description, parameters, given.strict)


def keyed(tools: Sequence[Tool]) -> list[str]:
    """Return the tools as they enter a key: JSON texts, since the order of tools and of arguments has meaning."""
    return [json.dumps(tool.to_json(), ensure_ascii=False) for tool in tools]


def _parameters(arguments: Mapping[str, Argument]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _schema(argument) for name, argument in arguments.items()},
        "required": [name for name, argument in arguments.items() if not argument.optional],
        "additionalProperties": False,
    }


def _schema(argument: Argument) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if argument.type is not None:
        schema["type"] = argument.type
    elif argument.enum is not None and all(isinstance(each, str) for each in argument.enum):
        schema["type"] = "string"
    if argument.description is not None:
        schema["description"] = argument.description
    if argument.enum is not None:
        schema["enum"] = argument.enum
    if argument.items is not None:
        schema["items"] = _schema(argument.items)
    return schema
