"""Which logged answers are worth a person's time: those that models disagree on, or that a model is unsure of.

Pure. Two answers differ by the measure that their kind is scored by: calls as sets, JSON of a schema by its fields,
texts by characters. Choosing what to label by the disagreement of models: Seung, Opper, Sompolinsky, "Query by
Committee" (COLT 1992); by how sure one is: Lewis, Gale, "A Sequential Algorithm for Training Text Classifiers" (SIGIR
1994). What is equal stays in the order in which it was drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ftbuild.chat import Message, Tool, said
from ftbuild.completion import Likelihood
from ftbuild.report.words import count
from ftbuild.scorers.case import Case
from ftbuild.scorers.chrf import Chrf
from ftbuild.scorers.json_schema import FIELDS, JsonSchema
from ftbuild.scorers.json_text import NOTHING, read
from ftbuild.scorers.tool_calls import EXACT_SET, ToolCalls
from ftbuild.settings.evaluation import ScorerOptions

By = Literal["disagreement", "uncertainty", "random"]


@dataclass(frozen=True)
class Candidate:
    """A trace that may be chosen: the answers to it by who gave them, in order, and how sure the model was of its own.

    `tools` are those it was asked with, `schema` the form that an answer must have.
    """

    id: str
    answers: Mapping[str, Message] = field(default_factory=dict)
    likelihood: Likelihood | None = None
    tools: Sequence[Tool] = ()
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Chosen:
    """A trace that was chosen, and why in words; `value` is what it was ranked by, the highest first."""

    candidate: Candidate
    value: float
    why: str


def by_disagreement(candidates: Sequence[Candidate], options: ScorerOptions) -> list[Chosen]:
    """Return the candidates on which their two answers differ, those that differ most first.

    `options` say how arguments of calls are compared.
    """
    found = [Chosen(each, *_apart(each, options)) for each in candidates]
    return sorted((each for each in found if each.value > 0), key=lambda each: -each.value)


def by_uncertainty(candidates: Sequence[Candidate]) -> list[Chosen]:
    """Return the candidates with a likelihood, those whose tokens were the least likely first."""
    return sorted((_unsure(each, each.likelihood) for each in candidates if each.likelihood), key=lambda it: -it.value)


def by_chance(candidates: Sequence[Candidate]) -> list[Chosen]:
    """Return the candidates as they were drawn."""
    return [Chosen(each, 0.0, "drawn at random") for each in candidates]


def _unsure(candidate: Candidate, likelihood: Likelihood) -> Chosen:
    margin = f", least ahead of a rival by {likelihood.margin:.2f}" if likelihood.margin is not None else ""
    why = f"unsure: {likelihood.mean:.2f} nats a token on average{margin}, {count(likelihood.n, 'token')}"
    return Chosen(candidate, -likelihood.mean, why)


def _apart(candidate: Candidate, options: ScorerOptions) -> tuple[float, str]:
    """Return how far two answers are apart, 0 where they agree and at most 1, and that in words."""
    (one, first), (other, second) = candidate.answers.items()
    names = f"{one} and {other}"
    case = Case(
        candidate.id, "", said(first), said(second),
        wanted=first.tool_calls, sent=second.tool_calls, tools=candidate.tools, schema=candidate.schema,
    )  # fmt: skip
    if first.tool_calls or second.tool_calls:
        score = next(each for each in ToolCalls(options).score(case) if each.metric == EXACT_SET.name)
        if not first.tool_calls or not second.tool_calls:
            return (
                1.0,
                f"{one if first.tool_calls else other} calls tools and {other if first.tool_calls else one} none",
            )
        return 1.0 - (score.value or 0.0), f"{names} make other calls"
    if candidate.schema is not None and read(case.target) is not NOTHING:
        score = next(each for each in JsonSchema().score(case) if each.metric == FIELDS.name)
        apart = 1.0 - (score.value or 0.0)
        return apart, f"{names} differ in {apart:.0%} of the fields"
    apart = 1.0 - (_alike(case.target, case.output) + _alike(case.output, case.target)) / 2
    return apart, f"{names} are {apart:.2f} apart in characters"


def _alike(target: str, output: str) -> float:
    """Return the character F-score of a text, 1 for one that is the same."""
    if target == output:
        return 1.0
    [score] = Chrf().score(Case("", "", target, output))
    return score.value or 0.0
