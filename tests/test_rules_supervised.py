"""Each rule of supervised files fires on its case, with the whole text, and not on the twin beside it."""

from dataclasses import replace

import pytest
from examples_fixture import example, many

from ftbuild.chat import Message, Role
from ftbuild.example import Example
from ftbuild.rules import supervised as rules

PADDING = many(10)


def said(*roles: Role, text: str = "x") -> Example:
    return replace(example("x", line=77), messages=tuple(Message(role, text) for role in roles))


def findings(*examples: Example) -> list[str]:
    return [str(problem) for problem in rules.check([*PADDING, *examples])]


def test_ten_examples_are_enough_and_nine_are_not() -> None:
    assert rules.check(PADDING) == []
    assert [str(problem) for problem in rules.check(PADDING[:9])] == [
        "9 examples to learn from, at least 10 are needed\n"
        "    The provider refuses the whole file.\n"
        "    Fix: add examples to the sources.    too-few-examples"
    ]


@pytest.mark.parametrize("roles", [("user", "assistant"), ("system", "user", "assistant", "user", "assistant")])
def test_alternating_roles_pass(roles: tuple[Role, ...]) -> None:
    assert findings(said(*roles)) == []


@pytest.mark.parametrize(
    "roles", [("user",), ("user", "user", "assistant"), ("user", "assistant", "user"), ("assistant",)]
)
def test_roles_that_do_not_alternate_are_told(roles: tuple[Role, ...]) -> None:
    assert findings(said("system", *roles)) == [
        f"data/pairs.jsonl:77: roles {' '.join(roles)}: user and assistant must alternate and the assistant "
        "comes last\n    The model would learn to answer itself.    roles-alternate"
    ]


def test_a_conversation_without_a_question_is_told() -> None:
    assert findings(said("system")) == [
        "data/pairs.jsonl:77: roles none: user and assistant must alternate and the assistant comes last\n"
        "    The model would learn to answer itself.    roles-alternate"
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
    problems = rules.check([late, early, elsewhere])
    assert [(problem.path, problem.line) for problem in problems] == [
        ("", None),
        ("data/a.jsonl", 5),
        ("data/pairs.jsonl", 2),
        ("data/pairs.jsonl", 9),
    ]
