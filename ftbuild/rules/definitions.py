"""Rules of tool definitions, and of the flag for parallel calls beside them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ftbuild.problem import Problem
from ftbuild.rows import written
from ftbuild.rules.calls import Offered
from ftbuild.rules.pack import Pack, found
from ftbuild.tools.schemas import Checker, dangling, incomplete, nodes, shown, within, wrong_schema, wrong_types
from ftbuild.tools.strict import Target, violations

TOOL_KEYS = ("type", "function")
FUNCTION_KEYS = ("name", "description", "parameters", "strict")
FLAT = {"name", "description", "parameters"}
SOUND = ("beyond-strict", "incomplete-schema")  # what breaks these is a schema still
UNSAID = {
    "type": ("the schema does not say that it is an object", 'write "type": "object".'),
    "properties": ("the schema says nothing of properties", 'write "properties": {}: ftbuild check --fix does.'),
    "items": ("a list, and not of what", 'write "items": {"type": "string"}, or what it holds; --fix writes {}.'),
}
Checked = tuple[Offered, tuple[Problem, ...]]


def tools(line: Mapping[str, Any], pack: Pack, at: str = "") -> Checked:
    """Return the tools that a line offers, and what is wrong with them and with the flag."""
    parallel = line.get("parallel_tool_calls", True)
    problems: list[Problem] = []
    if not isinstance(parallel, bool) or ("parallel_tool_calls" in line and "tools" not in line):
        here = within(at, "parallel_tool_calls")
        if not isinstance(parallel, bool):
            problems.append(found("flag-not-a-boolean", here, f"{shown(parallel)} is neither true nor false"))
        if "tools" not in line:
            problems.append(found("flag-without-tools", here, "the flag, and no tools", "take it out."))
    if line.get("tools") is None:
        legacy = line.get("functions") is not None
        return Offered(parallel=parallel is not False, are_known=not legacy), tuple(problems)
    offered, wrong = _tools(written(line["tools"]), at, pack)
    if parallel is False:
        offered = replace(offered, parallel=False)
    return offered, (*problems, *wrong)


@lru_cache(maxsize=256)  # the lines of a file mostly offer the same tools
def _tools(text: bytes, at: str, pack: Pack) -> Checked:
    listed, at = json.loads(text), within(at, "tools")
    if not isinstance(listed, list):
        return Offered(are_known=False), (found("not-a-list", at, f"{shown(listed)} is not a list of tools"),)
    problems: list[Problem] = []
    if not listed:
        problems.append(found("no-tools", at, "an empty list", "leave the key out."))
    if len(listed) > pack.max_tools:
        problems.append(found("too-many-tools", at, f"{len(listed)} tools, at most {pack.max_tools}"))
    elif len(listed) > pack.many_tools:
        problems.append(found("many-tools", at, f"{len(listed)} tools", "offer those that the request may need."))
    schemas: dict[str, Checker | None] = {}
    for number, tool in enumerate(listed):
        here = f"{at}[{number}]"
        wrong = list(_tool(tool, here, pack))
        problems += wrong
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str):
            continue
        if name in schemas:
            problems.append(found("duplicate-tool", f"{here}.function.name", f"{name!r} twice", "keep one of them."))
        broken = any(each.severity == "error" and each.rule not in SOUND for each in wrong)
        assert isinstance(function, dict)
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        schemas[name] = None if broken else Checker(schema)
    return Offered(schemas, are_known=bool(schemas) or not listed), tuple(problems)


def _tool(tool: Any, at: str, pack: Pack) -> Iterator[Problem]:
    fix = 'write {"type": "function", "function": {"name": ..., "description": ..., "parameters": {...}}}.'
    if not isinstance(tool, dict) or not isinstance(tool.get("function"), dict):
        if isinstance(tool, dict) and tool.keys() & FLAT:
            fix = 'put it inside {"type": "function", "function": ...}.'
        yield found("bad-tool", at, f"{shown(tool)} is not a tool", fix)
        return
    if tool.get("type") != "function":
        yield found("bad-tool", f"{at}.type", f"{shown(tool.get('type'))} instead of 'function'", fix)
    function = tool["function"]
    for value, known, inside in ((tool, TOOL_KEYS, at), (function, FUNCTION_KEYS, f"{at}.function")):
        for key in value:
            if key not in known:
                what = f"no key {key!r} in a tool"
                yield found("unknown-tool-key", f"{inside}.{key}", what, f"it has {', '.join(known)}.")
    at = f"{at}.function"
    name = function.get("name")
    if not isinstance(name, str) or not re.fullmatch(pack.name_pattern, name):
        said = "no name" if name is None else f"{shown(name)} is no name of a tool"
        yield found("bad-tool-name", f"{at}.name", said, "up to 64 of a-z, A-Z, 0-9, _ and -.")
    if function.get("description") is not None and not isinstance(function["description"], str):
        what = f"{shown(function['description'])} is not a text"
        yield found("bad-tool", f"{at}.description", what)
    elif not function.get("description"):
        yield found("tool-without-description", at, "no description", "say in a sentence what it is for.")
    if "strict" in function and not isinstance(function["strict"], bool | None):
        yield found("bad-tool", f"{at}.strict", f"{shown(function['strict'])} is neither true nor false")
    if "parameters" in function:
        strict = pack.strict if function.get("strict") is True else None
        yield from _schema(function["parameters"], f"{at}.parameters", strict)


def _schema(schema: Any, at: str, strict: Target | None) -> Iterator[Problem]:
    if not isinstance(schema, dict):
        yield found("not-an-object-schema", at, f"{shown(schema)} is not a JSON Schema")
        return
    unknown = list(wrong_types(schema))
    for inner, name, fix in unknown:
        yield found("unknown-type", within(at, inner), f"JSON Schema has no type {shown(name)}", fix)
    if not unknown:
        broken = wrong_schema(schema)
        for inner, said in broken:
            yield found("bad-schema", within(at, inner), said)
        if broken:
            return
        if schema and schema.get("type", "object") != "object":
            what = f"{shown(schema['type'])} instead of 'object'"
            yield found("not-an-object-schema", f"{at}.type", what)
    for inner, target in dangling(schema):
        yield found("dangling-reference", within(at, inner), f"leads nowhere: {shown(target)}")
    for inner, node in nodes(schema):
        properties = node.get("properties")
        named = node.get("required")
        for name in named if isinstance(named, list) else []:
            if isinstance(properties, dict) and isinstance(name, str) and name not in properties:
                what = f"{shown(name)} is required, and no property"
                yield found("required-without-property", within(at, within(inner, "required")), what)
    if not unknown:
        yield from _unsaid(schema, at, strict)


def _unsaid(schema: dict[str, Any], at: str, strict: Target | None) -> Iterator[Problem]:
    """Yield where a sound schema leaves what the provider takes: the strict subset first, which wants more said."""
    beyond = list(violations(schema, strict)) if strict else []
    for inner, said in beyond:
        fix = "leave strict out, or bring the schema into the strict subset."
        yield found("beyond-strict", within(at, inner), said, fix)
    for _, inner, key in incomplete(schema):
        here = within(inner, key)
        if all(place != here for place, _ in beyond):
            yield found("incomplete-schema", within(at, here), *UNSAID[key])
