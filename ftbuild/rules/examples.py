"""Rules of examples that are to be learnt from: those of the lines that will be written of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.problem import Problem
from ftbuild.render import dpo
from ftbuild.rules import lines
from ftbuild.rules.coverage import Coverage
from ftbuild.rules.pack import DEFAULT, PACKS, Method, Pack, found
from ftbuild.rules.sound import stays_sound
from ftbuild.tools.strict import Target

PACK = PACKS[DEFAULT]


def pack_for(strict: Target | None) -> Pack:
    """Return the rules where strict tools are for a model of this kind: a fine-tuned one if nothing is said."""
    return replace(PACK, strict=strict) if strict is not None else PACK


def check(
    conversation: dict[str, Any], path: str, line: int, pack: Pack = PACK, known: Pack | None = None
) -> list[Problem]:
    """Return every finding about one training example, given by what is said in it and where it stands.

    `known` are the rules that found nothing in it before.
    """
    if known is not None and stays_sound(conversation, known, pack):
        return []
    return [replace(each, path=path, line=line) for each in lines.check(*_line(conversation), pack)]


def together(n: int | None, covered: Coverage, found: Iterable[Sequence[Problem]]) -> list[Problem]:
    """Return the findings about `n` training examples: those of all together first, then in the order of their places.

    `found` are those of the single ones; `n` is None where nothing is to be learnt.
    """
    enough = _enough(n) if n is not None else ()
    whole = lines.weighed(iter([*enough, *covered.problems()]), PACK)
    single = [problem for each in found for problem in each]
    return [*whole, *sorted(single, key=lambda problem: (problem.path, problem.line or 0))]


def _line(conversation: dict[str, Any]) -> tuple[dict[str, Any], Method]:
    """Return the line that a conversation becomes, and its method."""
    if "rejected" in conversation:
        return dpo.value(conversation), "dpo"
    return {name: conversation[name] for name in lines.INPUT_KEYS if name in conversation}, "supervised"


def _enough(n: int) -> Iterator[Problem]:
    if n < PACK.min_examples:
        what = f"{n} examples to learn from, at least {PACK.min_examples} are needed"
        yield found("too-few-examples", "", what, "add examples to the sources.")
