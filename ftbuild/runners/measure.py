"""The measuring actions: score one arm's answers, compare the arms."""

import json
from collections.abc import Mapping
from typing import Any

from ftbuild.chat import Message, said
from ftbuild.runners.formats import json_file, json_lines, parse_lines, texts
from ftbuild.stream import Content
from ftbuild.tools.own import as_it_was
from ftbuild.workers import Made


def score(settings: Any, inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    """Score the answers of one arm."""
    from ftbuild import scorers
    from ftbuild.evaluate import scoring
    from ftbuild.settings import Style

    answers = texts(inputs["predictions"])
    cases = [
        scorers.Case(
            id=each["id"],
            input=each["raw"],
            target=said(Message.from_json(each["messages"][-1])),
            output=answers[each["id"]],
            group=each["group"],
            slices=each["slices"],
        )
        for each in map(as_it_was, parse_lines(inputs["examples"]))
    ]
    kept = {name: settings[name] for name in ("rules", "slang", "language")}
    style = Style.model_validate_json(json.dumps({**kept, "system": ""}))
    built = scorers.build([name for name, _version in settings["scorers"]], style)
    return Made({"scores.jsonl": json_lines(scoring.score(cases, built))}, f"{len(cases):,} answers scored")


def compare(settings: Any, inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    """Compare the arms and judge the goal."""
    from ftbuild.evaluate import compare
    from ftbuild.settings import Goal

    scores = {name: list(parse_lines(inputs[name])) for name in settings["arms"]}
    judged = settings["goal"] is not None
    asked = settings["goal"] or {"metric": settings["metric"], "require": [], "keep": []}
    conditions = {part: dict(asked[part]) for part in ("require", "keep")}
    goal = Goal.model_validate_json(json.dumps({**asked, **conditions}))
    results = compare.compare(scores, goal, judged=judged)
    note = f"{results['verdict']}, goal {results['ending']}" if judged else "no verdict asked for"
    return Made({"results.json": json_file(results)}, note)
