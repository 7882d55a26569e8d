"""Scores of calls as a build makes them: options taken from the settings, names that fit nothing told."""

import json
from typing import Any

from ftbuild.problem import Problem
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.measure import score

TOOL = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {"to": {}}}}}


def calling(to: str) -> list[dict[str, Any]]:
    return [{"id": "c", "type": "function", "function": {"name": "send", "arguments": json.dumps({"to": to})}}]


def scored(compare: dict[str, Any]) -> tuple[float, list[Problem]]:
    target = {"role": "assistant", "tool_calls": calling("Ann")}
    example = {
        "id": "1",
        "raw": "To Ann.",
        "group": "g",
        "slices": {},
        "tools": [TOOL],
        "messages": [{"role": "user", "content": "To Ann."}, target],
    }
    inputs = {
        "examples": json_lines([example]),
        "predictions": json_lines([{"id": "1", "content": "", "tool_calls": calling("ann!")}]),
    }
    settings = {"scorers": [["tool_calls", 1, {"compare": compare}]], "rules": {}, "slang": [], "language": "en"}
    made = score(settings, inputs, {})
    [line] = parse_lines(made.outputs["scores.jsonl"])
    return line["scores"]["tool_calls.exact_set"], list(made.warnings)


def test_calls_are_compared_as_the_settings_say() -> None:
    assert scored({}) == (0, [])
    assert scored({"send": {"to": "loose"}}) == (1, [])


def test_a_tool_or_an_argument_that_is_nowhere_is_told_with_the_nearest() -> None:
    key = "evaluation.scorers.tool_calls.compare"
    value, warnings = scored({"sent": {"to": "loose"}, "send": {"too": "loose", "when": "loose"}})
    assert (value, warnings) == (
        0,
        [
            Problem("no test example has a tool of that name", f"{key}.sent", fix="write 'send'.", severity="warning"),
            Problem("send has no argument of that name", f"{key}.send.too", fix="write 'to'.", severity="warning"),
            Problem("send has no argument of that name", f"{key}.send.when", fix="there are to.", severity="warning"),
        ],
    )
