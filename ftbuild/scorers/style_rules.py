"""The style's own rules as metrics: one per rule that is on, and all of them together.

Every one is a proxy: a text can keep all rules and still be rude.
"""

from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.settings import Style
from ftbuild.style import RULES, violations

ALL_KEPT = Metric("style.all_kept", "style rules, all kept", proxy=True)


@dataclass(frozen=True)
class StyleRulesKept:
    """1 when a rule finds nothing to say, else 0; an empty answer keeps no rule."""

    style: Style
    name: str = "style"
    version: int = 1

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Return `style.all_kept` and the rules that are on."""
        return (ALL_KEPT, *(rule_metric(rule) for rule in RULES if rule in violations("", self.style)))

    def score(self, case: Case) -> list[Score]:
        """Return the scores; the detail of a rule lists what breaks it."""
        found = violations(case.output, self.style)
        is_blank = not case.output.strip()
        broken = [rule for rule, each in found.items() if each]
        return [
            Score(ALL_KEPT.name, float(not broken and not is_blank), broken),
            *(Score(f"style.{rule}", float(not each and not is_blank), each) for rule, each in found.items()),
        ]


def rule_metric(rule: str) -> Metric:
    """Return the metric of one rule."""
    return Metric(f"style.{rule}", rule.replace("_", " "), proxy=True)
