"""Rules of examples that are to be learnt from: those of the lines that will be written of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.problem import Problem
from ftbuild.render import dpo
from ftbuild.rules import lines
from ftbuild.rules.coverage import Coverage
from ftbuild.rules.pack import DEFAULT, PACKS, Method, found

PACK = PACKS[DEFAULT]


def check(conversation: dict[str, Any], path: str, line: int) -> list[Problem]:
    """Return every finding about one training example, given by what is said in it and where it stands."""
    return [replace(each, path=path, line=line) for each in lines.check(*_line(conversation), PACK)]


def together(n: int, covered: Coverage, found: Iterable[Sequence[Problem]]) -> list[Problem]:
    """Return the findings about `n` training examples: those of all together first, then in the order of their places.

    `found` are those of the single ones.
    """
    whole = lines.weighed(iter([*_enough(n), *covered.problems()]), PACK)
    single = [problem for each in found for problem in each]
    return [*whole, *sorted(single, key=lambda problem: (problem.path, problem.line or 0))]


def _line(conversation: dict[str, Any]) -> tuple[dict[str, Any], Method]:
    """Return the line that a conversation becomes, and its method."""
    return (dpo.value(conversation), "dpo") if "rejected" in conversation else (conversation, "supervised")


def _enough(n: int) -> Iterator[Problem]:
    if n < PACK.min_examples:
        what = f"{n} examples to learn from, at least {PACK.min_examples} are needed"
        yield found("too-few-examples", "", what, "add examples to the sources.")
