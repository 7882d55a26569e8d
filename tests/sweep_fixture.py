"""Sweeps as `SweepInput`, written by hand: what the points came to is given, so all that is told can be counted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.report.sweep_input import PointInput, SweepInput

EPOCHS, RATE, SEED = "method.hyperparameters.n_epochs", "method.hyperparameters.learning_rate_multiplier", "seed"


def results(mean: float | None, base: float | None = 0.25, **more: Any) -> dict[str, Any]:
    """Return the results of a point whose judged arm has this mean, 0.05 on either side, and `base` as its base arm."""
    gain = None if mean is None or base is None else round(mean - base, 4)
    metric = {
        "metric": "chrf",
        "label": "character F-score",
        "proxy": False,
        "lower_is_better": False,
        "slice": None,
        "arms": {"base": numbers(base), "tuned": numbers(mean)},
        "differences": {"base": {"difference": gain, "low": _around(gain, -1), "high": _around(gain, 1)}},
    }
    found = {
        "arm": "tuned",
        "against": "base",
        "confidence": 0.95,
        "verdict_metric": "chrf",
        "verdict": "better",
        "ending": "met",
        "rehearsed": False,
        "goal": [
            {
                "name": "good_enough",
                "part": "require",
                "metric": "chrf",
                "slice": None,
                "kind": "at_least",
                "arm": None,
                "wanted": 0.3,
                "estimate": mean,
                "low": _around(mean, -1),
                "high": _around(mean, 1),
                "ending": "met",
                "more_examples": None,
            }
        ],
        "metrics": [metric],
    }
    return found | more


def numbers(mean: float | None) -> dict[str, Any]:
    return {"n": 40, "mean": mean, "low": _around(mean, -1), "high": _around(mean, 1)}


def _around(number: float | None, side: int) -> float | None:
    return None if number is None else round(number + side * 0.05, 4)


def point(settings: Mapping[str, Any], mean: float | None, **more: Any) -> PointInput:
    """Return a point that was built and judged, its words those of its settings."""
    said = [f"{key}={value}" for key, value in settings.items()]
    found = PointInput(
        name=" ".join(f"{key.rpartition('.')[2]}={value}" for key, value in settings.items()),
        experiment="tone_formal",
        command=" ".join(["ftbuild", "+experiment=tone_formal", *said]),
        settings=settings,
        run_id="20261126-101500-tone_formal",
        report="../../runs/20261126-101500-tone_formal/report.html",
        error=None,
        results=results(mean),
        verdict="better",
        p=0.012,
        seconds=90.0,
        training_seconds=60.0,
        trained_tokens=12_400,
        cost_usd=0,
    )
    return replace(found, **more)


def failed(settings: Mapping[str, Any], error: str = "no disk") -> PointInput:
    """Return a point that was not built to its end."""
    nothing: dict[str, Any] = dict.fromkeys(("run_id", "report", "results", "verdict", "p", "trained_tokens"))
    return point(settings, None, error=error, seconds=3.0, training_seconds=None, **nothing)


def sweep(
    points: Sequence[PointInput],
    best: int | None = None,
    front: Sequence[int] = (),
    by: str | None = "training_seconds",
    **more: Any,
) -> SweepInput:
    """Return the sweep of these points; its settings are those that they have."""
    found = SweepInput(
        name="tone_formal-0a1b2c3d",
        path="outputs/sweeps/tone_formal-0a1b2c3d",
        description="Casual message in, formal message out.",
        command="ftbuild -m +experiment=tone_formal method.hyperparameters.n_epochs=1,2",
        started_at="2026-11-26T10:15:00Z",
        ftbuild="0.1.0",
        settings=list(points[0].settings),
        points=points,
        best=best,
        winner=None,
        unasked="",
        seeds=[],
        front={"by": by, "points": list(front)},
    )
    return replace(found, **more)


def grid() -> SweepInput:
    """Return six points, epochs by rate: the fifth is the best, the last has failed; three are on the front."""
    means = [(1, 0.5, 0.40, 30), (1, 2, 0.46, 30), (2, 0.5, 0.44, 60), (2, 2, 0.52, 60), (4, 0.5, 0.55, 120)]
    points = [point({EPOCHS: n, RATE: rate}, mean, training_seconds=took) for n, rate, mean, took in means]
    return sweep(
        [*points, failed({EPOCHS: 4, RATE: 2}, "job ftjob-9 failed: out of memory\n    Fix: model=tiny")],
        best=5,
        front=[2, 4, 5],
    )


def many() -> SweepInput:
    """Return 150 points, ten epochs by fifteen rates: the last is the best, every tenth is on the front."""
    pairs = [(n, round(0.1 * 1.4**power, 4)) for n in range(1, 11) for power in range(15)]
    points = [
        point({EPOCHS: n, RATE: rate}, round(0.2 + place / 1000, 3), training_seconds=30 * n + place)
        for place, (n, rate) in enumerate(pairs)
    ]
    return sweep(points, best=150, front=range(10, 151, 10))


def epochs() -> SweepInput:
    """Return three points that differ in their epochs, with prices; the second is best and has been confirmed."""
    points = [
        point({EPOCHS: n}, mean, cost_usd=usd) for n, mean, usd in ((1, 0.40, 1.25), (2, 0.55, 2.5), (3, 0.5, 3.75))
    ]
    asked = {"point": 2, "looks": 3, "verdict": "better", "p": 0.012, "confirmed": results(0.52), "asked_before": 1}
    return sweep(points, best=2, front=[1, 2], by="cost_usd", winner=asked)


def seeds() -> SweepInput:
    """Return three points that differ in their seed alone."""
    points = [point({SEED: n}, mean) for n, mean in ((1, 0.48), (2, 0.50), (3, 0.55))]
    found = {
        "metric": "chrf",
        "label": "character F-score",
        "lower_is_better": False,
        "arm": "tuned",
        "against": "base",
        "seeds": [1, 2, 3],
        "spread": {"n": 3, "mean": 0.51, "sd": 0.0361, "least": 0.48, "most": 0.55},
        "over_examples": {"n": 40, "mean": 0.51, "low": 0.45, "high": 0.57},
        "gain": {"difference": 0.26, "low": 0.2, "high": 0.32},
        "is_hidden": False,
    }
    return sweep(points, best=3, front=[3], seeds=[{"name": "", "points": [1, 2, 3], "found": found}])
