"""What a scorer gets, what it returns, and what a metric is called.

A scorer is a pure function of a Case; a new one costs no request. No value is None, never 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ftbuild.chat import Tool, ToolCall
from ftbuild.criteria import Criterion


@dataclass(frozen=True)
class GivenPassage:
    """A passage that stood in the prompt; `gold` says whether the answer is taken from it, None where nobody knows."""

    name: str
    text: str
    gold: bool | None = None


@dataclass(frozen=True)
class Case:
    """One answer beside what was asked. `input` is the user's text as typed, `target` the reference.

    Of answers that call tools: the calls wanted and sent, and the tools there were. `accepted` are, for each call
    wanted, the values that its arguments may have, "" among them where one may be left out; else those of the call.
    A map among the values has a list of values for each of its members, in turn.
    `schema` is the form that the answer must have, and `criteria` what this one is to be like beside; `passages` are
    those it was asked with; `judgements` are the replies of a judge that was asked to compare output and target, and
    target and output.

    Of a dialogue, `sent` and `wanted` are the calls of its first turn, `output` is the answer at its end;
    `wanted_results` are the calls in the data, each with its result, and `results` what calls returned. Without a
    reference answer it is not `referenced`, and what compares with the target has no value.
    """

    id: str
    input: str
    target: str
    output: str
    group: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)
    wanted: Sequence[ToolCall] = ()
    sent: Sequence[ToolCall] = ()
    tools: Sequence[Tool] = ()
    accepted: Sequence[Mapping[str, Sequence[Any]]] | None = None
    schema: Mapping[str, Any] | None = None
    wanted_results: Sequence[tuple[ToolCall, str]] = ()
    results: Sequence[str] = ()
    referenced: bool = True
    passages: Sequence[GivenPassage] = ()
    judgements: Sequence[str] = ()
    criteria: Sequence[Criterion] = ()


@dataclass(frozen=True)
class Score:
    """One metric of one case; `value` None says that the case holds nothing to measure."""

    metric: str
    value: float | None
    detail: Any = None


@dataclass(frozen=True)
class Metric:
    """How a metric is shown. A proxy counts what can be counted instead of what is meant.

    One `with_target` compares with the reference answer, and has no value where there is none.
    """

    name: str
    label: str
    proxy: bool = False
    lower_is_better: bool = False
    with_target: bool = False


class Scorer(Protocol):
    """Scores of one case; `version` changes whenever a case could score differently."""

    @property
    def name(self) -> str:
        """Return the name used in the config."""

    @property
    def version(self) -> int:
        """Return the version that enters the key of a score action."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Return the metrics of every case, in the order of its scores."""

    def score(self, case: Case) -> list[Score]:
        """Return one score per metric."""
