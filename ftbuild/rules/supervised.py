"""Rules of supervised training files."""

import re
from collections.abc import Iterator, Sequence

from ftbuild.example import Example
from ftbuild.problem import Problem

MIN_EXAMPLES = 10
SPECIAL_TOKEN = re.compile(r"<\|[a-z_]+\|>")


def check(examples: Sequence[Example]) -> list[Problem]:
    """Return every finding about training examples, in the order of their places."""
    problems = [problem for example in examples for rule in (roles, special_tokens) for problem in rule(example)]
    return sorted([*enough(examples), *problems], key=lambda problem: (problem.path, problem.line or 0))


def enough(examples: Sequence[Example]) -> Iterator[Problem]:
    """Refuse a file with fewer than ten examples: the provider fails the job after the upload."""
    if len(examples) < MIN_EXAMPLES:
        yield Problem(
            f"{len(examples)} examples to learn from, at least {MIN_EXAMPLES} are needed",
            why="The provider refuses the whole file.",
            fix="add examples to the sources.",
            rule="too-few-examples",
        )


def roles(example: Example) -> Iterator[Problem]:
    """A conversation ends with the assistant, and user and assistant alternate before."""
    said = [message.role for message in example.messages if message.role != "system"]
    if not said or said != ["user", "assistant"] * (len(said) // 2):
        yield Problem(
            f"roles {' '.join(said) or 'none'}: user and assistant must alternate and the assistant comes last",
            example.path,
            example.line,
            why="The model would learn to answer itself.",
            rule="roles-alternate",
        )


def special_tokens(example: Example) -> Iterator[Problem]:
    """No text may hold a token that only the chat template writes."""
    for index, message in enumerate(example.messages):
        if found := SPECIAL_TOKEN.search(message.content):
            yield Problem(
                f"messages[{index}].content: special token {found.group()!r}",
                example.path,
                example.line,
                why="The provider refuses the whole file, or the model ends its answers there.",
                fix="take it out of the text.",
                rule="special-token",
            )
