"""What came of the calls: the results that were wanted, reached by whatever call, and said in the answer.

A call that is spelt otherwise and comes to the same is as good here as the one in the data: 2+3 and 3+2. Values are
the numbers and texts in a result, those aside that the call said already. Of a result with several values only those
count that the reference answer states; without such an answer only a result that is one value counts.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ftbuild.chat import ToolCall
from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.json_text import NOTHING, read
from ftbuild.scorers.words import occurring
from ftbuild.tools.glossary import folded

NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?![\d])|(?<![\d.,])\d+(?:,\d{3})*(?:\.\d+)?")
NEAR = 0.05  # a number rounded further than that is another one
FINE = 2  # decimals that are enough where no answer shows how many are
Value = float | str


@dataclass(frozen=True)
class Results:
    """`results.stated`: share of the values wanted that the answer states; `results.obtained`: that calls returned.

    A case whose calls have no results has no value.
    """

    name: str = "results"
    version: int = 1
    metrics: tuple[Metric, ...] = (
        Metric("results.stated", "results stated in the answer"),
        Metric("results.obtained", "results obtained"),
    )

    def score(self, case: Case) -> list[Score]:
        """Return both scores; the detail says which values are missing."""
        target = case.target if case.referenced else ""
        wanted = [
            each for call, content in case.wanted_results for each in dict.fromkeys(_values(call, content, target))
        ]
        if not wanted:
            return [Score(metric.name, None) for metric in self.metrics]
        untold = [each for each in wanted if not _states(case.output, each, target)]
        got = " ".join(f" {each} " for content in case.results for each in _leaves(_parsed(content)))
        missing = [each for each in wanted if not _states(got, each, target)]
        return [
            Score(name, 1 - len(lacking) / len(wanted), {"missing": lacking} if lacking else None)
            for name, lacking in (("results.stated", untold), ("results.obtained", missing))
        ]


def _values(call: ToolCall, content: str, target: str) -> list[Value]:
    """Return what a result wanted says beyond its call, as far as it is to be said again."""
    found = _parsed(content)
    if isinstance(found, dict) and "error" in found:
        return []
    said = {folded(str(each)) for each in _leaves(_parsed(call.arguments))}
    values = [each for each in _leaves(found) if folded(str(each)) not in said]
    if target:
        return [each for each in values if _states(target, each, target)]
    return values if len(values) == 1 else []


def _states(text: str, value: Value, target: str) -> bool:
    """Return whether a text holds a value: texts as whole words, numbers as in the target or to two decimals."""
    if isinstance(value, str):
        return bool(occurring(folded(text), [folded(value)]))
    enough = min((decimals for number, decimals in _numbers(target) if _is(value, number, decimals)), default=FINE)
    return any(
        number == value or (decimals >= enough and _is(value, number, decimals)) for number, decimals in _numbers(text)
    )


def _is(value: float, number: float, decimals: int) -> bool:
    """Return whether a number is the value, rounded to so many decimals."""
    off = abs(value - number)
    return off <= 0.5 * 10**-decimals * (1 + 1e-9) and off <= NEAR * abs(value)


def _numbers(text: str) -> list[tuple[float, int]]:
    """Return the numbers of a text, and how many decimals each is written with."""
    found = [match.replace(",", "").replace("−", "-") for match in NUMBER.findall(unicodedata.normalize("NFKC", text))]
    return [(float(each), len(each.partition(".")[2])) for each in found]


def _parsed(text: str) -> Any:
    """Return the JSON value of a text, or the text where it is none."""
    value = read(text)
    return text if value is NOTHING else value


def _leaves(value: Any) -> Iterator[Value]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    elif isinstance(value, str):
        if folded(value):
            yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
