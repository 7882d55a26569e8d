"""What the scores of an answer make of it: kinds of miss, and the pieces that show them."""

from typing import Any

import pytest

from ftbuild.chat import Tool, ToolCall
from ftbuild.report import misses
from ftbuild.report.misses import Snippet
from ftbuild.scorers import Case, Scorer
from ftbuild.scorers.json_schema import JsonSchema
from ftbuild.scorers.tool_calls import ToolCalls

TOOL = Tool("remind", parameters={"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]})
FORM = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}, "required": ["name"]}


def example(scorer: Scorer, case: Case) -> dict[str, Any]:
    scores = scorer.score(case)
    return {
        "id": case.id,
        "path": "data/asked.jsonl",
        "line": 1,
        "answers": {"tuned": case.output},
        "scores": {"tuned": {each.metric: each.value for each in scores}},
        "detail": {"tuned": {each.metric: each.detail for each in scores if each.detail is not None}},
    }


def calls(wanted: list[ToolCall], sent: list[ToolCall]) -> dict[str, Any]:
    return example(ToolCalls(), Case("1", "", "", "said", wanted=wanted, sent=sent, tools=[TOOL]))


def remind(at: str) -> ToolCall:
    return ToolCall("", "remind", f'{{"at": "{at}"}}')


@pytest.mark.parametrize(
    ("wanted", "sent", "found"),
    [
        ([remind("9:00")], [remind("9:00")], []),
        ([remind("9:00")], [], [Snippet(misses.MISSING, 'remind({"at": "9:00"})')]),
        ([], [remind("9:00")], [Snippet(misses.EXTRA, 'remind({"at": "9:00"})')]),
        ([remind("9:00")], [remind("8:00")], [Snippet(misses.VALUE, 'at: "8:00", wanted "9:00"')]),
        (
            [remind("9:00")],
            [ToolCall("", "nap", "{}")],
            [
                Snippet(misses.MISSING, 'remind({"at": "9:00"})'),
                Snippet(misses.EXTRA, "nap({})"),
                Snippet(misses.MISFIT, "no tool 'nap'"),
            ],
        ),
    ],
)
def test_wrong_calls_are_missing_unwanted_or_differ_in_an_argument(
    wanted: list[ToolCall], sent: list[ToolCall], found: list[Snippet]
) -> None:
    told = calls(wanted, sent)
    assert misses.snippets(told, "tuned") == found
    assert misses.kinds(told, "tuned") == [each.kind for each in found]
    assert misses.misses([told]) == ([told] if found else [])


@pytest.mark.parametrize(
    ("output", "found", "kinds"),
    [
        ('{"name": "milk", "n": 2}', [], []),
        ('{"name": "milk", "n": 3}', [Snippet(misses.FIELD, "n: 3, wanted 2")], [misses.FIELD]),
        (
            '{"n": 2}',
            [Snippet(misses.FORM, "'name' is a required property"), Snippet(misses.FIELD, 'name: null, wanted "milk"')],
            [misses.FORM, misses.FIELD],
        ),
        (
            "milk, two",
            [Snippet(misses.FIELD, 'name: null, wanted "milk"'), Snippet(misses.FIELD, "n: null, wanted 2")],
            [misses.FIELD, misses.FORM],
        ),
    ],
)
def test_wrong_forms_and_wrong_fields_are_told_apart(output: str, found: list[Snippet], kinds: list[str]) -> None:
    told = example(JsonSchema(), Case("1", "", '{"name": "milk", "n": 2}', output, schema=FORM))
    assert misses.snippets(told, "tuned") == found
    assert misses.kinds(told, "tuned") == kinds


def test_every_kind_has_words_and_advice_of_its_own() -> None:
    told = [(misses.word(kind), misses.kind_label(kind), misses.advice(kind)) for kind in misses.ORDER]
    assert all(len({each[at] for each in told}) == len(told) for at in range(3))
    assert "." not in "".join(word for word, _, _ in told)
