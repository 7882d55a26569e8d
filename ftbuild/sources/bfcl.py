"""Berkeley Function Calling Leaderboard, version 4: a case a line, with its answers joined in as `ground_truth`.

A case has one turn; its answer is a set of acceptable values per argument. All of them go to the scorer, and one is
taken to learn from: an argument that may be left out and is not required is left out, of the others the first value.
Types that JSON Schema does not know get their names there, tools get names that providers take (`math.hcf` is
`math_hcf`), and what is required without being defined is not. A case whose answer contradicts its own tools is named
by its id. Source: ShishirPatil/gorilla, berkeley-function-call-leaderboard (2026-03).
"""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.example import Accepted
from ftbuild.problem import Problem
from ftbuild.sources.conversations import Converted
from ftbuild.tools.names import provider_names
from ftbuild.tools.schemas import CALLED, TYPES, nodes, shown

OMITTED = ""


def convert(value: Any) -> Converted:
    """Return a case as a training line."""
    try:
        line, accepted = _line(value)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        case = value.get("id") if isinstance(value, dict) else value
        said = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        fix = "join the answers into the cases: {id, question, function, ground_truth}."
        return Converted(None, (Problem(f"{shown(case)} is no case of one turn: {said}", fix=fix, rule="bad-case"),))
    return Converted(line, name=str(value["id"]), accepted=accepted)


def _line(value: Mapping[str, Any]) -> tuple[dict[str, Any], Accepted | None]:
    [messages] = value["question"]  # more turns need somebody who answers in between
    functions: Sequence[Mapping[str, Any]] = value["function"]
    names = provider_names([each["name"] for each in functions])
    tools = [_tool(each, names[each["name"]]) for each in functions]
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    calls = [(names.get(name, name), given) for answer in value["ground_truth"] for name, given in answer.items()]
    for name, given in calls:
        _drop_undefined(schemas.get(name), given)
    listed = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(_picked(given, schemas.get(name)), ensure_ascii=False)},
        }
        for number, (name, given) in enumerate(calls, 1)
    ]
    accepted = {f"call_{number}": given for number, (_, given) in enumerate(calls, 1)}
    return {"messages": [*messages, {"role": "assistant", "tool_calls": listed}], "tools": tools}, accepted or None


def _tool(function: Mapping[str, Any], name: str) -> dict[str, Any]:
    parameters = copy.deepcopy(dict(function["parameters"]))
    for _, node in nodes(parameters):
        assert isinstance(node, dict)
        node.pop("optional", None)
        known = node.get("type")
        if isinstance(known, str) and known not in TYPES:
            if known.lower() == "any":
                del node["type"]
            else:
                node["type"] = CALLED.get(known.lower(), known)
    return {
        "type": "function",
        "function": {"name": name, "description": function.get("description", ""), "parameters": parameters},
    }


def _drop_undefined(schema: dict[str, Any] | None, given: Mapping[str, Any]) -> None:
    """Take out of `required` what is no property, unless the answer gives it."""
    if schema is not None and isinstance(schema.get("required"), list):
        properties = schema.get("properties", {})
        schema["required"] = [name for name in schema["required"] if name in properties or name in given]


def _picked(given: Mapping[str, Sequence[Any]], schema: Mapping[str, Any] | None) -> dict[str, Any]:
    required = (schema or {}).get("required", ())
    return {name: _first(values) for name, values in given.items() if name in required or OMITTED not in values}


def _first(values: Sequence[Any]) -> Any:
    """Return the first value that says something; of a map, the first of each of its members."""
    value = next((each for each in values if each != OMITTED), OMITTED)
    return _inside(value)


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _first(each) if isinstance(each, list) else each
            for name, each in value.items()
            if not (isinstance(each, list) and OMITTED in each)
        }
    return [_inside(each) for each in value] if isinstance(value, list) else value
