"""Tools out of files of others: an OpenAPI description, the answer of an MCP server to tools/list.

Source: OpenAPI 3.1 (2024), Model Context Protocol 2025-06-18.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ftbuild.chat import Tool
from ftbuild.problem import nearest
from ftbuild.rows import NotJsonError, parse
from ftbuild.tools.python_file import UnreadableError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
COMPONENTS = "#/components/schemas/"
DEFS = "#/$defs/"
# The forms of a body, the first that there is is taken: JSON, or a form with fields.
BODIES = (
    re.compile(r"application/(\S+\+)?json(;.*)?"),
    re.compile(r"application/x-www-form-urlencoded(;.*)?|multipart/form-data(;.*)?"),
)
WRITTEN = "write the arguments out in the config, as parameters."
Argument = tuple[str, str, Any, bool]  # where it goes, its name, its schema, whether it must be given


def openapi(content: bytes, operation: str) -> Tool:
    """Return the tool that an operation is: its parameters and the members of its JSON body, side by side.

    Raises:
        UnreadableError: the file is no OpenAPI description, has no such operation, or one that is written otherwise.
    """
    try:
        return _operation(_tree(content), operation)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"operation {operation!r} is not written as OpenAPI has it") from error


def _operation(tree: Mapping[str, Any], operation: str) -> Tool:
    if "swagger" in tree:
        raise UnreadableError(f"Swagger {tree['swagger']}, and not OpenAPI 3", fix="convert it to OpenAPI 3.")
    if not isinstance(tree.get("paths"), Mapping):
        raise UnreadableError("no OpenAPI description: it has no paths")
    found = dict(_operations(tree["paths"]))
    if operation not in found:
        close = nearest(operation, found)
        named = f"there are {', '.join(list(found)[:8])}." if found else "give the operations an operationId."
        raise UnreadableError(f"no operation {operation!r}", fix=f"the nearest is {close!r}." if close else named)
    shared, given = found[operation]
    properties: dict[str, Any] = {}
    required: list[str] = []
    for place, name, schema, is_required in [*_parameters(shared, given, tree), *_body(given, tree)]:
        if name in properties:
            raise UnreadableError(f"two arguments {name!r}, one of them in the {place}", fix=WRITTEN)
        properties[name] = schema
        required += [name] if is_required else []
    parameters: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    if defs := _needed(parameters, tree):
        parameters["$defs"] = defs
    said = given.get("description") or given.get("summary")
    return Tool(operation, " ".join(said.split()) if said else None, _moved(parameters))


def _parameters(shared: list[Any], given: Mapping[str, Any], tree: Mapping[str, Any]) -> Iterator[Argument]:
    """Yield the parameters of an operation; its own stand for those of its path."""
    listed = [_followed(each, tree) for each in [*shared, *given.get("parameters", [])]]
    for place, name in dict.fromkeys((each["in"], each["name"]) for each in listed):
        if place in ("header", "cookie"):
            continue  # who calls fills these in, not the model
        parameter = next(each for each in reversed(listed) if (each["in"], each["name"]) == (place, name))
        media = list((parameter.get("content") or {}).values())
        schema = dict(parameter.get("schema") or (media[0].get("schema") if media else None) or {})
        if parameter.get("description"):
            schema.setdefault("description", parameter["description"])
        yield place, name, schema, bool(parameter.get("required"))


def _body(given: Mapping[str, Any], tree: Mapping[str, Any]) -> Iterator[Argument]:
    """Yield the members of the body of a request; those that only an answer has are none."""
    media = _followed(given.get("requestBody") or {}, tree).get("content") or {}
    form = next((each for wanted in BODIES for each in media if wanted.fullmatch(each)), None)
    if form is None and media:
        raise UnreadableError(f"a body of {', '.join(media)}, and no JSON", fix=WRITTEN)
    listed = list(_objects(media[form].get("schema") or {}, tree)) if form is not None else []
    required = [name for each in listed for name in each.get("required") or []]
    properties = {name: inner for each in listed for name, inner in (each.get("properties") or {}).items()}
    for name, inner in properties.items():
        if not (isinstance(inner, Mapping) and inner.get("readOnly")):
            yield "body", name, inner, name in required


def _objects(schema: Any, tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that a schema is put together from.

    Raises:
        UnreadableError: it is more than members with names.
    """
    found = _followed(schema, tree)
    is_object = found.get("type", "object") in ("object", ["object"]) and found.keys() & {"properties", "allOf"}
    if not is_object or found.keys() & {"oneOf", "anyOf", "not"}:
        raise UnreadableError("a body that is no object with members that have names", fix=WRITTEN)
    yield found
    for each in found.get("allOf") or []:
        yield from _objects(each, tree)


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
    if sum(isinstance(each, Mapping) and each.get("name") == name for each in listed) > 1:
        raise UnreadableError(f"two tools {name!r}", fix="take one of them out of the file.")
    given = found[name]
    said, schema = given.get("description"), given.get("inputSchema") or {}
    if not isinstance(schema, Mapping) or not isinstance(said, str | None):
        raise UnreadableError(f"tool {name!r} is not written as MCP has it: inputSchema is a map, description a text")
    parameters = {key: value for key, value in schema.items() if key != "$schema"}
    return Tool(name, said, parameters or None)


class _Yaml(yaml.CSafeLoader):
    """YAML as OpenAPI has it, of the values of JSON: a date is a text, and so are yes and no."""


_Yaml.yaml_implicit_resolvers = {
    letter: [(tag, form) for tag, form in listed if not tag.endswith((":timestamp", ":bool"))]
    for letter, listed in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|True|TRUE|false|False|FALSE"), [*"tTfF"])


def _tree(content: bytes) -> Mapping[str, Any]:
    try:
        tree = parse(content) if content.lstrip()[:1] == b"{" else yaml.load(content, _Yaml)
    except NotJsonError as error:
        raise UnreadableError(error.problem.what, fix=error.problem.fix) from error
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
    """Return a schema whose references lead into itself, in the words of JSON Schema where OpenAPI 3.0 has its own."""
    if isinstance(value, Mapping):
        moved = {
            key: DEFS + each.removeprefix(COMPONENTS) if key == "$ref" and isinstance(each, str) else _moved(each)
            for key, each in value.items()
        }
        return _of_json_schema(moved)
    return [_moved(each) for each in value] if isinstance(value, list) else value


def _of_json_schema(node: dict[str, Any]) -> dict[str, Any]:
    for limit, key in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(node.get(key), bool):
            is_exclusive = node.pop(key)
            if is_exclusive and limit in node:
                node[key] = node.pop(limit)
    if not isinstance(node.get("nullable"), bool):
        return node
    if not node.pop("nullable"):
        return node
    if not isinstance(node.get("type"), str):
        said = {"description": node.pop("description")} if "description" in node else {}
        return {"anyOf": [node, {"type": "null"}], **said}
    node["type"] = [node["type"], "null"]
    if isinstance(node.get("enum"), list) and None not in node["enum"]:
        node["enum"] = [*node["enum"], None]
    return node
