"""One answer -> Scores: a file per scorer, each with its name and version.

Pure. Knows nothing of arms, files or requests.
"""

from collections.abc import Iterable

from ftbuild.scorers.case import Case, Metric, Score, Scorer
from ftbuild.scorers.chrf import Chrf
from ftbuild.scorers.exact import Exact
from ftbuild.scorers.facts import Facts
from ftbuild.scorers.style_rules import ALL_KEPT, StyleRulesKept, rule_metric
from ftbuild.settings import Style
from ftbuild.settings.evaluation import ScorerName
from ftbuild.style import RULES

TOP_METRICS: tuple[Metric, ...] = (ALL_KEPT, *Chrf().metrics, *Facts().metrics, *Exact().metrics)
METRICS: tuple[Metric, ...] = (*TOP_METRICS, *(rule_metric(rule) for rule in RULES))


def build(names: Iterable[ScorerName], style: Style) -> list[Scorer]:
    """Return the scorers of the config, in its order."""
    scorers: dict[ScorerName, Scorer] = {
        "style": StyleRulesKept(style),
        "chrf": Chrf(),
        "facts": Facts(),
        "exact": Exact(),
    }
    return [scorers[name] for name in names]


def versions(names: Iterable[ScorerName], style: Style) -> dict[str, int]:
    """Return the version of each scorer, by name."""
    return {scorer.name: scorer.version for scorer in build(names, style)}


__all__ = ["METRICS", "TOP_METRICS", "Case", "Metric", "Score", "Scorer", "ScorerName", "build", "versions"]
