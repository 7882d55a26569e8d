"""One answer -> Scores: a file per scorer, each with its name and version.

Pure. Knows nothing of arms, files or requests.
"""

from collections.abc import Iterable, Mapping

from ftbuild.scorers.case import Case, Metric, Score, Scorer
from ftbuild.scorers.chrf import Chrf
from ftbuild.scorers.cited import Cited
from ftbuild.scorers.exact import Exact
from ftbuild.scorers.facts import Facts
from ftbuild.scorers.json_schema import FIELDS, PARSED, VALID, JsonSchema
from ftbuild.scorers.style_rules import ALL_KEPT, StyleRulesKept, rule_metric
from ftbuild.scorers.tool_calls import OTHERS, TOP, ToolCalls
from ftbuild.settings import Style
from ftbuild.settings.evaluation import ScorerName, ScorerOptions
from ftbuild.style import RULES

TOP_METRICS: tuple[Metric, ...] = (
    *(*TOP, VALID, FIELDS),
    *(ALL_KEPT, *Chrf().metrics, *Facts().metrics, *Cited().metrics, *Exact().metrics),
)
METRICS: tuple[Metric, ...] = (*TOP_METRICS, *OTHERS, PARSED, *(rule_metric(rule) for rule in RULES))


def build(options: Mapping[ScorerName, ScorerOptions], style: Style) -> list[Scorer]:
    """Return the scorers of the config, in its order."""
    scorers: dict[ScorerName, Scorer] = {
        "style": StyleRulesKept(style),
        "chrf": Chrf(),
        "facts": Facts(),
        "exact": Exact(),
        "cited": Cited(),
        "tool_calls": ToolCalls(options.get("tool_calls", ScorerOptions())),
        "json_schema": JsonSchema(),
    }
    return [scorers[name] for name in options]


def versions(names: Iterable[ScorerName], style: Style) -> dict[str, int]:
    """Return the version of each scorer, by name."""
    return {scorer.name: scorer.version for scorer in build({name: ScorerOptions() for name in names}, style)}


__all__ = ["METRICS", "TOP_METRICS", "Case", "Metric", "Score", "Scorer", "ScorerName", "build", "versions"]
