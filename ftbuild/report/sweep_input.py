"""What the report of a sweep is made of.

Owns the shape of its input, which is also the form of sweep.json: plain JSON values. Points are numbered from 1, in
their order; whatever names a point names it by its number. Knows nothing of where the values come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PointInput:
    """One point of a sweep.

    `name`: what sets it apart from the others, of its `experiment`. `command` builds it alone. `settings`: what it has
    for each key in which the points differ, None where it says nothing. `run_id`, and `report` as a link seen from the
    page, are None where it was not built to its end: `error` says why.
    `results`: of its comparison `arm, against, confidence, verdict_metric, verdict, ending, rehearsed, goal`, and as
    `metrics` those that these name; None as above.
    `verdict, p`: among all points that were judged, corrected; None where it was not judged.
    `seconds, training_seconds, trained_tokens, cost_usd`: of all its actions but those that ask a winner once more,
    whichever build ran them: what is shared counts for each. Training and tokens are None where nothing was trained, a
    cost of None is "unknown".
    """

    name: str
    experiment: str
    command: str
    settings: Mapping[str, Any]
    run_id: str | None
    report: str | None
    error: str | None
    results: Mapping[str, Any] | None
    verdict: str | None
    p: float | None
    seconds: float
    training_seconds: float | None
    trained_tokens: int | None
    cost_usd: float | None


@dataclass(frozen=True)
class SweepInput:
    """A sweep as plain JSON values.

    `settings`: the keys in which the points differ, in the order in which they were said.
    `best`: the best point by the one metric of all, None where they have several or no number is real.
    `winner`: of the point that is asked once more `point, looks, verdict, p`, and `confirmed`, the results on examples
    that nobody had looked at, None where it was not asked, with `asked_before`, how many winners had been by then;
    None where none is asked, `unasked` says why although points have such examples.
    `seeds`: of each configuration built with several seeds its `name`, its `points` and `found`, as `over_seeds` says.
    `front`: the points on the Pareto front of value and `by`, cost_usd or training_seconds; `by` is None where there is
    neither.
    `chosen`: how others were given up on the way, as `rungs` or `search`; they are no points of it.
    """

    name: str
    path: str
    description: str
    command: str
    started_at: str
    ftbuild: str
    settings: Sequence[str]
    points: Sequence[PointInput]
    best: int | None
    winner: Mapping[str, Any] | None
    unasked: str
    seeds: Sequence[Mapping[str, Any]]
    front: Mapping[str, Any]
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_asked(self) -> int:
        """Return how many points it began with."""
        rungs, search = self.chosen.get("rungs"), self.chosen.get("search")
        return len(rungs[0]["points"]) if rungs else len(search["trials"]) if search else len(self.points)

    @property
    def experiments(self) -> list[str]:
        """Return the experiments of its points, each once."""
        return list(dict.fromkeys(each.experiment for each in self.points))

    @property
    def is_rehearsed(self) -> bool:
        """Return whether any number of it is made up."""
        return any(each.results["rehearsed"] for each in self.points if each.results)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, that of sweep.json."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "SweepInput":
        """Return the input that `to_json` wrote."""
        told = {"chosen": {}} | {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        return cls(**{**told, "points": [PointInput(**each) for each in value["points"]]})
