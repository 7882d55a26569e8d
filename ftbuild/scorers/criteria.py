"""Whether an answer meets the criteria of its own example: to hold a text, to match a pattern, to be JSON, ...

What `constraints` ask of every answer alike, these ask of one. They are promptfoo's deterministic assertions and the
string checks of OpenAI's Evals, to the letter: spaces and case count but where a name begins with i.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.criteria import KINDS
from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.json_text import NOTHING, checker, read
from ftbuild.scorers.values import same

ALL_MET = Metric("criteria.all_met", "its own criteria, all met")


@dataclass(frozen=True)
class Criteria:
    """1 where all criteria of a case are met, else 0, and the share that is met; no value where it has none."""

    name: str = "criteria"
    version: int = 1
    metrics: tuple[Metric, ...] = (ALL_MET, Metric("criteria.met", "share of its own criteria that is met"))

    def score(self, case: Case) -> list[Score]:
        """Return both scores; the detail of `all_met` are the criteria that are not met."""
        if not case.criteria:
            return [Score(each.name, None) for each in self.metrics]
        missed = [
            each.to_json() for each in case.criteria if CHECKS[each.kind](case.output, each.value) is each.negated
        ]
        share = 1 - len(missed) / len(case.criteria)
        return [Score(ALL_MET.name, float(not missed), missed or None), Score("criteria.met", share)]


def _equals(output: str, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return output == wanted
    value = read(output)
    return value is not NOTHING and same(value, wanted, "exact")


def _is_json(output: str, schema: Mapping[str, Any] | None) -> bool:
    value = read(output)
    return value is not NOTHING and (schema is None or not checker(json.dumps(schema)).misfits(value))


def _counts(output: str, bounds: Mapping[str, int]) -> bool:
    n = len(output.split())
    return bounds.get("min", 0) <= n <= bounds.get("max", n)


def _any_case(output: str, texts: Sequence[str]) -> list[bool]:
    return [each.lower() in output.lower() for each in texts]


CHECKS: dict[str, Callable[[str, Any], bool]] = {
    "equals": _equals,
    "contains": lambda output, text: text in output,
    "icontains": lambda output, text: all(_any_case(output, [text])),
    "starts-with": lambda output, text: output.startswith(text),
    "regex": lambda output, pattern: re.search(pattern, output) is not None,
    "contains-any": lambda output, texts: any(each in output for each in texts),
    "contains-all": lambda output, texts: all(each in output for each in texts),
    "icontains-any": lambda output, texts: any(_any_case(output, texts)),
    "icontains-all": lambda output, texts: all(_any_case(output, texts)),
    "is-json": _is_json,
    "word-count": _counts,
}
assert tuple(CHECKS) == KINDS
