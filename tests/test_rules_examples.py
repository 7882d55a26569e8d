"""Examples are held to the rules of the lines that will be written of them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from examples_fixture import example, many

from ftbuild.chat import Message, Role, Tool, ToolCall
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rules import examples as rules
from ftbuild.rules.coverage import Coverage, company

PADDING = many(10)


def checked(examples: Sequence[Example]) -> list[Problem]:
    coverage = Coverage()
    for each in examples:
        coverage.add(company(each.conversation(), each.conversation()["messages"]))
    found = [rules.check(each.conversation(), each.path, each.line) for each in examples]
    return rules.together(len(examples), coverage, found)


def said(*roles: Role, text: str = "x") -> Example:
    return replace(example("x", line=77), messages=tuple(Message(role, text) for role in roles))


def findings(*examples: Example) -> list[str]:
    return [str(problem) for problem in checked([*PADDING, *examples])]


def test_ten_examples_are_enough_and_nine_are_not() -> None:
    assert checked(PADDING) == []
    assert [str(problem) for problem in checked(PADDING[:9])] == [
        "9 examples to learn from, at least 10 are needed\n"
        "    The provider refuses the whole file.\n"
        "    Fix: add examples to the sources.    too-few-examples"
    ]


@pytest.mark.parametrize(
    "roles",
    [("user", "assistant"), ("system", "user", "assistant", "user", "assistant"), ("user", "user", "assistant")],
)
def test_an_answer_behind_a_question_passes(roles: tuple[Role, ...]) -> None:
    assert findings(said(*roles)) == []


def test_two_answers_in_a_row_are_told() -> None:
    assert findings(said("user", "assistant", "assistant")) == [
        "data/pairs.jsonl:77: messages[2]: an assistant message behind an assistant message\n"
        "    The model would learn to answer itself.\n"
        "    Fix: put what was said between them, or make one message of the two.    roles-alternate"
    ]


def test_tools_that_are_offered_and_never_called_are_told_of_all_together() -> None:
    tool = Tool("get_weather", "Weather.", {"type": "object", "properties": {}})
    equipped = [replace(each, tools=(tool, Tool("extra", "Never called."))) for each in PADDING]
    calls = replace(
        equipped[0], messages=(*equipped[0].prompt, Message("assistant", None, (ToolCall("a", "get_weather", "{}"),)))
    )
    assert [str(problem) for problem in checked([*equipped, calls])] == [
        "warning: no line calls extra\n"
        "    The model learns no use of it.\n"
        "    Fix: add requests that need it, or take it out.    tool-never-called"
    ]


@pytest.mark.parametrize("text", ["<|im_end|>", "so <|endoftext|>.", "<|start_header_id|>"])
def test_special_tokens_are_told(text: str) -> None:
    token = text.strip("so .")
    assert findings(example("fine", text, line=3)) == [
        f"data/pairs.jsonl:3: messages[1].content: special token {token!r}\n"
        "    The provider refuses the whole file, or the model ends its answers there.\n"
        "    Fix: take it out of the text.    special-token"
    ]


@pytest.mark.parametrize("text", ["< | im_end | >", "a <| b |> c", "x <|> y", "if a<|b| >c", "<im_end>"])
def test_what_only_looks_like_a_special_token_passes(text: str) -> None:
    assert findings(example("fine", text)) == []


def test_findings_come_in_the_order_of_their_places() -> None:
    late, early = replace(said("user"), line=9), replace(said("user"), line=2)
    elsewhere = example("<|im_start|>", line=5, source="a")
    problems = checked([late, early, elsewhere])
    assert [(problem.path, problem.line) for problem in problems] == [
        ("", None),
        ("data/a.jsonl", 5),
        ("data/pairs.jsonl", 2),
        ("data/pairs.jsonl", 9),
    ]
