"""Rules of examples that are to be learnt from: those of the lines that will be written of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.render import dpo
from ftbuild.rules import lines
from ftbuild.rules.coverage import Coverage
from ftbuild.rules.pack import PACKS, Method, Pack, found


def check(examples: Sequence[Example], pack: Pack = PACKS["openai"]) -> list[Problem]:
    """Return every finding about training examples: those of all together first, then in the order of their places."""
    problems: list[Problem] = []
    coverage = Coverage()
    for example in examples:
        line = example.conversation()
        coverage.add(line, line["messages"])
        wrong = lines.check(*_line(line), pack)
        problems += [replace(each, path=example.path, line=example.line) for each in wrong]
    together = lines.weighed(iter([*_enough(len(examples), pack), *coverage.problems()]), pack)
    return [*together, *sorted(problems, key=lambda problem: (problem.path, problem.line or 0))]


def _line(conversation: dict[str, Any]) -> tuple[dict[str, Any], Method]:
    """Return the line that a conversation becomes, and its method."""
    return (dpo.value(conversation), "dpo") if "rejected" in conversation else (conversation, "supervised")


def _enough(n: int, pack: Pack) -> Iterator[Problem]:
    if n < pack.min_examples:
        what = f"{n} examples to learn from, at least {pack.min_examples} are needed"
        yield found("too-few-examples", "", what, "add examples to the sources.")
