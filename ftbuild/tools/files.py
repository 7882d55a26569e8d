"""Tools out of files of others: an OpenAPI description, the answer of an MCP server to tools/list.

Source: OpenAPI 3.1 (2024), Model Context Protocol 2025-06-18.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ftbuild.chat import Tool
from ftbuild.problem import nearest
from ftbuild.tools.python_file import UnreadableError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
COMPONENTS = "#/components/schemas/"
DEFS = "#/$defs/"


def openapi(content: bytes, operation: str) -> Tool:
    """Return the tool that an operation is: its parameters and the members of its JSON body, side by side.

    Raises:
        UnreadableError: the file is no OpenAPI description, has no such operation, or one that is written otherwise.
    """
    try:
        return _operation(_tree(content), operation)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"operation {operation!r} is not written as OpenAPI has it") from error


def _operation(tree: Mapping[str, Any], operation: str) -> Tool:
    if not isinstance(tree.get("paths"), Mapping):
        raise UnreadableError("no OpenAPI description: it has no paths")
    found = dict(_operations(tree["paths"]))
    if operation not in found:
        close = nearest(operation, found)
        fix = f"the nearest is {close!r}." if close else f"there are {', '.join(list(found)[:8])}."
        raise UnreadableError(f"no operation {operation!r}", fix=fix)
    shared, given = found[operation]
    properties: dict[str, Any] = {}
    required: list[str] = []
    for each in [*shared, *given.get("parameters", [])]:
        parameter = _followed(each, tree)
        if parameter.get("in") == "header":
            continue  # who calls fills these in, not the model
        schema = dict(parameter.get("schema") or {})
        if parameter.get("description"):
            schema.setdefault("description", parameter["description"])
        properties[parameter["name"]] = schema
        required += [parameter["name"]] if parameter.get("required") else []
    body = _followed(given.get("requestBody") or {}, tree)
    inside = _followed((body.get("content") or {}).get("application/json", {}).get("schema") or {}, tree)
    properties.update(inside.get("properties") or {})
    required += [name for name in inside.get("required") or [] if name not in required]
    parameters: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    if defs := _needed(parameters, tree):
        parameters["$defs"] = defs
    said = given.get("description") or given.get("summary")
    return Tool(operation, " ".join(said.split()) if said else None, _moved(parameters))


def mcp(content: bytes, name: str) -> Tool:
    """Return a tool of an answer to tools/list, whole or just its result.

    Raises:
        UnreadableError: the file is none, or has no such tool.
    """
    tree = _tree(content)
    result = tree.get("result", tree)
    listed = result.get("tools") if isinstance(result, Mapping) else None
    if not isinstance(listed, list):
        raise UnreadableError("no answer to tools/list: it has no list of tools")
    found = {each["name"]: each for each in listed if isinstance(each, Mapping) and isinstance(each.get("name"), str)}
    if name not in found:
        close = nearest(name, found)
        raise UnreadableError(
            f"no tool {name!r}", fix=f"the nearest is {close!r}." if close else f"there are {', '.join(found)}."
        )
    given = found[name]
    said, schema = given.get("description"), given.get("inputSchema") or {}
    if not isinstance(schema, Mapping) or not isinstance(said, str | None):
        raise UnreadableError(f"tool {name!r} is not written as MCP has it: inputSchema is a map, description a text")
    parameters = {key: value for key, value in schema.items() if key != "$schema"}
    return Tool(name, said, parameters or None)


def _tree(content: bytes) -> Mapping[str, Any]:
    try:
        tree = json.loads(content) if content.lstrip()[:1] == b"{" else yaml.load(content, yaml.CSafeLoader)
    except (ValueError, yaml.YAMLError, RecursionError):
        tree = None
    if not isinstance(tree, Mapping):
        raise UnreadableError("neither JSON nor YAML with a map")
    return tree


def _operations(paths: Mapping[str, Any]) -> Iterator[tuple[str, tuple[list[Any], Mapping[str, Any]]]]:
    """Yield the operations by id, each with the parameters that its path has for all."""
    for item in paths.values():
        for method in METHODS:
            given = item.get(method) if isinstance(item, Mapping) else None
            if isinstance(given, Mapping) and isinstance(given.get("operationId"), str):
                yield given["operationId"], (list(item.get("parameters") or []), given)


def _followed(value: Any, tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference leads to, the value itself if it is none."""
    seen: set[str] = set()
    while isinstance(value, Mapping) and isinstance(value.get("$ref"), str) and value["$ref"] not in seen:
        seen.add(value["$ref"])
        target: Any = tree
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        value = target
    if not isinstance(value, Mapping):
        raise UnreadableError(f"a reference leads nowhere: {sorted(seen)[-1] if seen else value!r}")
    return value


def _needed(value: Any, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the components that a schema refers to, and those they refer to."""
    found: dict[str, Any] = {}
    queue = [value]
    while queue:
        for name in _references(queue.pop()):
            if name not in found:
                found[name] = _followed({"$ref": COMPONENTS + name}, tree)
                queue.append(found[name])
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        target = value.get("$ref")
        if isinstance(target, str) and target.startswith(COMPONENTS):
            yield target.removeprefix(COMPONENTS)
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _moved(value: Any) -> Any:
    """Return a schema whose references lead into itself."""
    if isinstance(value, Mapping):
        return {
            key: DEFS + each.removeprefix(COMPONENTS) if key == "$ref" and isinstance(each, str) else _moved(each)
            for key, each in value.items()
        }
    return [_moved(each) for each in value] if isinstance(value, list) else value
