"""One answer -> Scores: a file per scorer, each with its name and version.

Pure. Knows nothing of arms, files or requests.
"""

from collections.abc import Iterable, Mapping

from ftbuild.scorers.case import Case, GivenPassage, Metric, Score, Scorer
from ftbuild.scorers.chrf import Chrf
from ftbuild.scorers.constraints import ALL_MET, Constraints, constraint_metric
from ftbuild.scorers.criteria import ALL_MET as CRITERIA_MET
from ftbuild.scorers.criteria import Criteria
from ftbuild.scorers.exact import Exact
from ftbuild.scorers.facts import Facts
from ftbuild.scorers.grounding import GROUNDING, GROUNDING_TOO, Grounding
from ftbuild.scorers.json_schema import FIELDS, PARSED, VALID, JsonSchema
from ftbuild.scorers.judge import JUDGE, Judged
from ftbuild.scorers.register import REGISTER, Register
from ftbuild.scorers.results import Results
from ftbuild.scorers.rouge_l import RougeL
from ftbuild.scorers.style_rules import ALL_KEPT, StyleRulesKept, rule_metric
from ftbuild.scorers.tool_calls import OTHERS, TOP, ToolCalls
from ftbuild.settings import Style
from ftbuild.settings.evaluation import CONSTRAINTS, ScorerName, ScorerOptions
from ftbuild.style import RULES

TOP_METRICS: tuple[Metric, ...] = (
    *(*TOP, VALID, FIELDS, *Results().metrics, ALL_MET, CRITERIA_MET),
    *(ALL_KEPT, *Chrf().metrics, *RougeL().metrics, *Facts().metrics, *Exact().metrics),
    *(*GROUNDING, *REGISTER, JUDGE),
)
METRICS: tuple[Metric, ...] = (
    *(*TOP_METRICS, *OTHERS, PARSED, *GROUNDING_TOO, *Criteria().metrics[1:]),
    *map(rule_metric, RULES),
    *map(constraint_metric, CONSTRAINTS),
)


def metric_of(name: str) -> Metric:
    """Return a metric, one of no scorer of ours as its name says it."""
    return next((each for each in METRICS if each.name == name), Metric(name, name))


def build(options: Mapping[ScorerName, ScorerOptions], style: Style) -> list[Scorer]:
    """Return the scorers of the config, in its order."""
    scorers: dict[ScorerName, Scorer] = {
        "style": StyleRulesKept(style),
        "chrf": Chrf(),
        "facts": Facts(),
        "exact": Exact(),
        "tool_calls": ToolCalls(options.get("tool_calls", ScorerOptions())),
        "json_schema": JsonSchema(),
        "results": Results(),
        "rouge_l": RougeL(),
        "constraints": Constraints(options.get("constraints", ScorerOptions())),
        "criteria": Criteria(),
        "judge": Judged(),
        "register": Register(style),
        "grounding": Grounding(options.get("grounding", ScorerOptions())),
    }
    return [scorers[name] for name in options]


def versions(names: Iterable[ScorerName], style: Style) -> dict[str, int]:
    """Return the version of each scorer, by name."""
    return {scorer.name: scorer.version for scorer in build({name: ScorerOptions() for name in names}, style)}


__all__ = [
    "METRICS",
    "TOP_METRICS",
    "Case",
    "GivenPassage",
    "Metric",
    "Score",
    "Scorer",
    "ScorerName",
    "build",
    "metric_of",
    "versions",
]
