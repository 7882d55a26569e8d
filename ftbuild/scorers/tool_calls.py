"""Tool calls: the right ones, with the right arguments, no more and no fewer, in whatever order.

Calls are paired so that as many as can be are the same, and the others are as near as can be (Kuhn 1955, the
assignment problem; scipy's form of it): an order of looking decides nothing. A call is the same as another if tool
and every argument are; one left out counts as its schema's default, where that has one.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ftbuild.chat import Tool, ToolCall
from ftbuild.rows import NotJsonError, parse
from ftbuild.scorers import leaderboard
from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.leaderboard import OMITTED
from ftbuild.scorers.values import same
from ftbuild.settings.evaluation import Comparison, ScorerOptions
from ftbuild.tools.schemas import Checker

EXACT_SET = Metric("tool_calls.exact_set", "exactly the calls wanted")
NO_CALL = Metric("tool_calls.no_call", "no call where none is wanted")
TOP = (EXACT_SET, NO_CALL)
OTHERS = (
    Metric("tool_calls.recall", "calls wanted that were sent"),
    Metric("tool_calls.precision", "calls sent that were wanted"),
    Metric("tool_calls.f1", "F1 of calls"),
    Metric("tool_calls.names", "the right tools"),
    Metric("tool_calls.valid", "calls that fit their tools"),
    Metric("tool_calls.over", "more calls than wanted", lower_is_better=True),
    Metric("tool_calls.under", "fewer calls than wanted", lower_is_better=True),
)
LEFT_OUT = object()  # in the place of a value
Values = Sequence[Any]
Differences = dict[str, tuple[Any, Any]]  # by argument: sent, wanted; None where there is none


@dataclass(frozen=True)
class ToolCalls:
    """Calls sent against calls wanted, one to one; a case without tools and without calls has no value.

    `valid` is 0 if one call sent is no JSON object, of no tool, or does not fit its tool's schema. Where no call is
    wanted, `exact_set` and `no_call` are 1 if none was sent, and there is no recall.
    """

    options: ScorerOptions = field(default_factory=ScorerOptions)
    name: str = "tool_calls"
    version: int = 1
    metrics: tuple[Metric, ...] = (*TOP, *OTHERS)

    def score(self, case: Case) -> list[Score]:
        """Return the scores; the detail of `exact_set` says what is missing, what is extra and what differs."""
        wanted, sent = case.wanted, case.sent
        if not (case.tools or wanted or sent):
            return [Score(metric.name, None) for metric in self.metrics]
        pairs = self._pairs(case)
        n_same = sum(not differences for _, _, differences in pairs)
        is_exact = n_same == len(wanted) == len(sent)
        wrong = [found for call in sent if (found := misfit(call, case.tools))]
        values: dict[str, float | None] = {
            "exact_set": float(is_exact),
            "no_call": float(not sent) if not wanted else None,
            "recall": n_same / len(wanted) if wanted else None,
            "precision": n_same / len(sent) if sent else None,
            "f1": 2 * n_same / (len(wanted) + len(sent)) if wanted else None,
            "names": float(Counter(each.name for each in wanted) == Counter(each.name for each in sent)),
            "valid": float(not wrong) if sent else None,
            "over": float(len(sent) > len(wanted)),
            "under": float(len(sent) < len(wanted)),
        }
        details = {"exact_set": None if is_exact else _told(case, pairs), "valid": wrong or None}
        return [
            Score(metric.name, values[short], details.get(short))
            for metric in self.metrics
            for short in [metric.name.removeprefix("tool_calls.")]
        ]

    def _pairs(self, case: Case) -> list[tuple[int, int, Differences]]:
        """Return which call wanted belongs to which one sent, and in what they differ; calls of two tools never do."""
        if self.options.mode == "bfcl":
            return self._as_the_leaderboard_does(case)
        found = {
            (one, other): self._differences(case, one, other)
            for one, wanted in enumerate(case.wanted)
            for other, sent in enumerate(case.sent)
            if wanted.name == sent.name
        }
        if not found:
            return []
        import numpy as np
        from scipy.optimize import linear_sum_assignment

        worth = np.zeros((len(case.wanted), len(case.sent)))
        for at, differences in found.items():
            n_arguments = len(_accepted(case, at[0])) + len(differences) + 1
            # One more that is the same is worth more than any number of near ones.
            worth[at] = 1 + len(case.wanted) if not differences else 1 - len(differences) / n_arguments
        rows, columns = linear_sum_assignment(worth, maximize=True)
        pairs = [(int(one), int(other)) for one, other in zip(rows, columns, strict=True)]
        return [(*at, found[at]) for at in pairs if at in found]

    def _as_the_leaderboard_does(self, case: Case) -> list[tuple[int, int, Differences]]:
        """Return the same by its rules: each call wanted takes the first one sent that is right and not taken."""
        tools = {each.name: each for each in case.tools}
        pairs: list[tuple[int, int, Differences]] = []
        for one, wanted in enumerate(case.wanted):
            accepted = case.accepted[one] if case.accepted else _alternatives(_arguments(wanted) or {})
            taken = {other for _, other, _ in pairs}
            for other, sent in enumerate(case.sent):
                given = _arguments(sent)
                schema = (tools[wanted.name].parameters if wanted.name in tools else None) or {}
                if other in taken or sent.name != wanted.name or given is None:
                    continue
                if leaderboard.is_right(given, accepted, schema):
                    pairs.append((one, other, {}))
                    break
        return pairs

    def _differences(self, case: Case, one: int, other: int) -> Differences:
        wanted, sent = case.wanted[one], case.sent[other]
        given = _arguments(sent)
        if given is None:
            return {"": (sent.arguments, wanted.arguments)}
        accepted, meant = _accepted(case, one), _arguments(wanted) or {}
        tool = next((each for each in case.tools if each.name == wanted.name), None)
        properties = (tool.parameters or {}).get("properties") or {} if tool is not None else {}
        ways = (self.options.compare or {}).get(wanted.name, {})
        found: Differences = {}
        for name in dict.fromkeys([*accepted, *given]):
            values = list(accepted.get(name, (LEFT_OUT,)))
            schema = properties.get(name)
            if isinstance(schema, Mapping) and "default" in schema:
                default = _alternatives(schema["default"])
                values += [default] if LEFT_OUT in values else []
                values += [LEFT_OUT] if any(_is(schema["default"], each, "exact") for each in values) else []
            if not _fits(given.get(name, LEFT_OUT), values, ways.get(name, "exact")):
                found[name] = (given.get(name), meant.get(name))
        return found


def misfit(call: ToolCall, tools: Sequence[Tool]) -> str | None:
    """Return why a call is none of a tool's, None if it is one."""
    tool = next((each for each in tools if each.name == call.name), None)
    if tool is None:
        return f"no tool {call.name!r}"
    value = _arguments(call)
    if value is None:
        return f"{call.name}: the arguments are no JSON object"
    wrong = _checker(json.dumps(tool.parameters or {})).misfits(value)
    return f"{call.name}: {wrong[0][0] + ': ' if wrong[0][0] else ''}{wrong[0][1]}" if wrong else None


@lru_cache(maxsize=1024)
def _checker(schema: str) -> Checker:
    return Checker(json.loads(schema))


def _accepted(case: Case, number: int) -> Mapping[str, Values]:
    """Return the values that each argument of a call wanted may have."""
    if case.accepted is None:
        return {name: [_alternatives(each)] for name, each in (_arguments(case.wanted[number]) or {}).items()}
    return {name: _values(each) for name, each in case.accepted[number].items()}


def _values(accepted: Sequence[Any]) -> Values:
    """Return accepted values with a sign of its own for what may be left out."""
    return [LEFT_OUT if each == OMITTED else _inside(each) for each in accepted]


def _inside(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _values(each if isinstance(each, list) else [each]) for name, each in value.items()}
    return [*map(_inside, value)] if isinstance(value, list) else value


def _alternatives(value: Any) -> Any:
    """Return a value as the only one accepted: every member of a map has a list of values."""
    if isinstance(value, Mapping):
        return {name: [_alternatives(each)] for name, each in value.items()}
    return [*map(_alternatives, value)] if isinstance(value, list) else value


def _fits(value: Any, accepted: Values, how: Comparison) -> bool:
    """Return whether a value, or LEFT_OUT, is one of those accepted."""
    return any(_is(value, each, how) for each in accepted)


def _is(value: Any, accepted: Any, how: Comparison) -> bool:
    if value is LEFT_OUT or accepted is LEFT_OUT:
        return value is accepted
    if isinstance(value, Mapping) and isinstance(accepted, Mapping):
        names = dict.fromkeys([*value, *accepted])
        return all(_fits(value.get(name, LEFT_OUT), accepted.get(name, (LEFT_OUT,)), how) for name in names)
    if isinstance(value, list) and isinstance(accepted, list):
        return len(value) == len(accepted) and all(map(lambda one, other: _is(one, other, how), value, accepted))
    return same(value, accepted, how)


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    """Return the arguments of a call, None where they are no JSON object."""
    try:
        value = parse(call.arguments.encode("utf-8", "surrogatepass"))
    except NotJsonError:
        return None
    return value if isinstance(value, dict) else None


def _told(case: Case, pairs: Sequence[tuple[int, int, Differences]]) -> dict[str, Any]:
    """Return what is wrong with the calls sent, for people and for the next step."""
    paired = {one for one, _, _ in pairs}, {other for _, other, _ in pairs}
    return {
        "missing": [_shown(each) for number, each in enumerate(case.wanted) if number not in paired[0]],
        "extra": [_shown(each) for number, each in enumerate(case.sent) if number not in paired[1]],
        "differs": [
            {
                "call": _shown(case.sent[other]),
                "arguments": [{"name": name, "sent": sent, "wanted": wanted} for name, (sent, wanted) in found.items()],
            }
            for _, other, found in pairs
            if found
        ],
    }


def _shown(call: ToolCall) -> str:
    return f"{call.name}({call.arguments})"
