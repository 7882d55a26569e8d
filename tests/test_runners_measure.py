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


def test_an_answer_is_measured_by_the_criteria_of_its_example() -> None:
    example = {
        "id": "1",
        "raw": "2 + 2?",
        "group": "g",
        "slices": {},
        "messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],
        "criteria": [{"type": "contains", "value": "4"}, {"type": "not-icontains", "value": "AS AN AI"}],
    }
    settings = {"scorers": [["criteria", 1]], "rules": {}, "slang": [], "language": "en"}
    answers = json_lines([{"id": "1", "content": "It is 4, as an AI would say."}])
    [line] = parse_lines(
        score(settings, {"examples": json_lines([example]), "predictions": answers}, {}).outputs["scores.jsonl"]
    )
    assert line["scores"] == {"criteria.all_met": 0, "criteria.met": 0.5}
    assert line["detail"] == {"criteria.all_met": [{"type": "not-icontains", "value": "AS AN AI"}]}
