"""The measuring actions: score one arm's answers, compare the arms."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftbuild.chat import Message, Tool, said
from ftbuild.problem import Problem, nearest
from ftbuild.runners.formats import json_file, json_lines, messages, parse_lines
from ftbuild.stream import Content
from ftbuild.tools.own import as_it_was
from ftbuild.workers import Made

if TYPE_CHECKING:
    from ftbuild.scorers import Case
    from ftbuild.settings.evaluation import ScorerOptions


def score(settings: Any, inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    """Score the answers of one arm."""
    from ftbuild import scorers
    from ftbuild.evaluate import scoring
    from ftbuild.settings import Style
    from ftbuild.settings.evaluation import ScorerOptions

    answers = messages(inputs["predictions"])
    cases = [_case(each, answers[each["id"]]) for each in map(as_it_was, parse_lines(inputs["examples"]))]
    kept = {name: settings[name] for name in ("rules", "slang", "language")}
    style = Style.model_validate_json(json.dumps({**kept, "system": ""}))
    options = {
        name: ScorerOptions.model_validate_json(json.dumps(said[0] if said else {}))
        for name, _version, *said in settings["scorers"]
    }
    found = scoring.score(cases, scorers.build(options, style))
    warnings = [each for one in options.values() for each in _idle(one, cases)]
    return Made({"scores.jsonl": json_lines(found)}, f"{len(cases):,} answers scored", warnings)


def _case(example: Mapping[str, Any], answer: Message) -> "Case":
    from ftbuild.scorers import Case

    target = Message.from_json(example["messages"][-1])
    form = example.get("response_format")
    return Case(
        id=example["id"],
        input=example["raw"],
        target=said(target),
        output=said(answer),
        group=example["group"],
        slices=example["slices"],
        wanted=target.tool_calls,
        sent=answer.tool_calls,
        tools=[Tool.from_json(each) for each in example.get("tools", ())],
        schema=form["json_schema"]["schema"] if form else None,
    )


def _idle(options: "ScorerOptions", cases: Sequence["Case"]) -> Iterator[Problem]:
    """Yield arguments whose comparison is said and that no tool has."""
    tools = {tool.name: (tool.parameters or {}).get("properties") or {} for case in cases for tool in case.tools}
    for name, arguments in (options.compare or {}).items():
        key = f"evaluation.scorers.tool_calls.compare.{name}"
        if name not in tools:
            yield _unknown("no test example has a tool of that name", key, name, sorted(tools))
            continue
        for argument in arguments:
            if argument not in tools[name]:
                yield _unknown(f"{name} has no argument of that name", f"{key}.{argument}", argument, list(tools[name]))


def _unknown(what: str, key: str, name: str, known: Sequence[str]) -> Problem:
    close = nearest(name, known)
    fix = f"write {close!r}." if close else f"there are {', '.join(known) or 'none'}."
    return Problem(what, key, fix=fix, severity="warning")


def compare(settings: Any, inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    """Compare the arms and judge the goal."""
    from ftbuild.evaluate import compare
    from ftbuild.evaluate.levers import levers
    from ftbuild.settings import Goal

    scores = {name: list(parse_lines(inputs[name])) for name in settings["arms"]}
    judged = settings["goal"] is not None
    asked = settings["goal"] or {"metric": settings["metric"], "require": [], "keep": []}
    conditions = {part: dict(asked[part]) for part in ("require", "keep")}
    named = {name: settings[name] for name in ("arm", "against") if name in settings}
    goal = Goal.model_validate_json(json.dumps({**asked, **conditions, **named}))
    results = compare.compare(scores, goal, judged=judged)
    if (asked := settings.get("levers")) is not None:
        results["levers"] = levers(scores, asked["arms"], dict(asked["sides"]))
    note = f"{results['verdict']}, goal {results['ending']}" if judged else "no verdict asked for"
    return Made({"results.json": json_file(results)}, note)
