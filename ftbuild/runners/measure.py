"""The measuring actions: choose what is answered, score one arm's answers, compare the arms."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ftbuild.chat import Message, Tool, ToolCall, said
from ftbuild.completion import Dialogue
from ftbuild.criteria import Criterion
from ftbuild.plan.resolve import LABELLED
from ftbuild.problem import Problem, nearest
from ftbuild.retrieval.grounding import passages_in
from ftbuild.runners.formats import dialogues, final, json_file, json_lines, parse_lines
from ftbuild.stream import Content
from ftbuild.tools.own import as_it_was
from ftbuild.workers import Made

if TYPE_CHECKING:
    from ftbuild.scorers import Case, GivenPassage
    from ftbuild.settings.evaluation import ScorerOptions


def score(settings: Any, inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    """Score the answers of one arm."""
    from ftbuild import scorers
    from ftbuild.evaluate import scoring
    from ftbuild.settings import Style
    from ftbuild.settings.evaluation import ScorerOptions

    answers, case = dialogues(inputs["predictions"]), _played if settings.get("turns", 1) > 1 else _answered
    wanted = {each["id"]: each["wanted"] for each in parse_lines(inputs["predictions"]) if "wanted" in each}
    golds = _golds(inputs["provenance"]) if "provenance" in inputs else {}
    replies = {
        (each["id"], each.get("sample", 0)): each["replies"] for each in parse_lines(inputs.get("judgements", b""))
    }
    samples = []
    for each in map(as_it_was, parse_lines(inputs["examples"])):
        found_with = _passages(each, golds.get(each["id"], ()))
        samples.append(
            [
                replace(
                    case(each, one, wanted.get(each["id"], ())),
                    passages=found_with,
                    judgements=replies.get((each["id"], number), ()),
                )
                for number, one in enumerate(answers[each["id"]])
            ]
        )
    kept = {name: settings[name] for name in ("rules", "slang", "language")}
    style = Style.model_validate_json(json.dumps({**kept, "system": ""}))
    options = {
        name: ScorerOptions.model_validate_json(json.dumps(said[0] if said else {}))
        for name, _version, *said in settings["scorers"]
    }
    found = scoring.score(samples, scorers.build(options, style))
    warnings = [each for one in options.values() for each in _idle(one, [cases[0] for cases in samples])]
    return Made({"scores.jsonl": json_lines(found)}, f"{sum(map(len, samples)):,} answers scored", warnings)


def targets(settings: Any, inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    """Make an example of every answer in the test split."""
    from ftbuild.evaluate.dialogue import every_target

    found = list(every_target(parse_lines(inputs["examples"]), whole=settings["whole"]))
    return Made({"test.jsonl": json_lines(found)}, f"{len(found):,} answers to be asked for")


def _golds(provenance: Content) -> dict[str, list[bool | None]]:
    """Return of each passage of an example whether the answer is taken from it, by the example's id."""
    return {each["id"]: [one.get("gold") for one in each.get("passages", ())] for each in parse_lines(provenance)}


def _passages(example: Mapping[str, Any], golds: Sequence[bool | None]) -> "list[GivenPassage]":
    """Return the passages of an example, whether an arm was asked with them or not."""
    from ftbuild.scorers import GivenPassage

    asked = [each["content"] or "" for each in example["messages"][:-1] if each["role"] == "user"]
    passages = passages_in(asked[-1])[: len(golds)] if golds else []  # the question, which comes after, may quote some
    return [GivenPassage(*each, gold) for each, gold in zip(passages, golds, strict=True)]


def _answered(example: Mapping[str, Any], answer: Dialogue, _wanted: Sequence[str]) -> "Case":
    """Return the case of an answer to all that stands before the last message."""
    from ftbuild.scorers import Case

    target = Message.from_json(example["messages"][-1])
    form = example.get("response_format")
    return Case(
        id=example["id"],
        input=example["raw"],
        target=said(target),
        output=final(answer, is_played=False),
        group=example["group"],
        slices=example["slices"],
        wanted=target.tool_calls,
        sent=answer.last.tool_calls,
        tools=[Tool.from_json(each) for each in example.get("tools", ())],
        schema=form["json_schema"]["schema"] if form else None,
        accepted=_accepted(example.get("accepted"), target.tool_calls),
        criteria=[Criterion.from_json(each) for each in example.get("criteria", ())],
    )


def _accepted(
    known: Mapping[str, Mapping[str, Sequence[Any]]] | None, calls: Sequence[ToolCall]
) -> list[Mapping[str, Sequence[Any]]] | None:
    """Return the accepted values of each call, None where one of them is of another message."""
    return [known[each.id] for each in calls] if known and all(each.id in known for each in calls) else None


def _played(example: Mapping[str, Any], answer: Dialogue, wanted: Sequence[str]) -> "Case":
    """Return the case of a dialogue: its first calls beside the first in the data, its answer beside the last there.

    One that ended before there was an answer has said nothing.
    """
    from ftbuild.evaluate.dialogue import begun

    reference = [Message.from_json(each) for each in example["messages"][begun(example["messages"]) :]]
    calls = [call for each in reference for call in each.tool_calls]
    return replace(
        _answered(example, answer, ()),
        output=final(answer, is_played=True),
        wanted=reference[0].tool_calls,
        sent=answer.first.tool_calls,
        wanted_results=list(zip(calls, wanted, strict=True)) if wanted else [],
        results=[str(each.content) for each in answer.way if each.role == "tool"],
        referenced=not reference[-1].tool_calls,
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
    from ftbuild.evaluate.trust import trust
    from ftbuild.settings import Goal

    scores = {name: list(parse_lines(inputs[name])) for name in settings["arms"]}
    judged = settings["goal"] is not None
    asked = settings["goal"] or {"metric": settings["metric"], "require": [], "keep": []}
    conditions = {part: dict(asked[part]) for part in ("require", "keep")}
    replies = inputs.get(LABELLED)
    trusted = trust(list(parse_lines(replies)), settings["judge"]["at_least"]) if replies is not None else None
    named = {name: settings[name] for name in ("arm", "against") if name in settings}
    goal = Goal.model_validate_json(json.dumps({**asked, **conditions, **named}))
    results = compare.compare(scores, goal, judged=judged, trusted=trusted, after=settings.get("round"))
    if (asked := settings.get("levers")) is not None:
        results["levers"] = levers(scores, asked["arms"], dict(asked["sides"]))
    if settings.get("rehearsed"):
        results["rehearsed"] = True
    ended = f", goal {results['ending']}" if results["goal"] else ""
    note = f"{results['verdict']}{ended}" if judged else "no verdict asked for"
    note = f"rehearsed: {note}" if settings.get("rehearsed") else note
    return Made({"results.json": json_file(results)}, note)
