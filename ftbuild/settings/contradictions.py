"""What two settings say against each other, each being valid: a goal on an arm, a metric or a slice that is not there.

Found before anything runs; without this it would come out after the training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftbuild.settings import Settings

NEEDED_ARMS = ("base", "tuned")


@dataclass(frozen=True)
class Contradiction:
    """`key` says `said`; `known` are the names it could have said."""

    key: str
    said: str
    known: Sequence[str]
    name: str = ""


def contradictions(settings: "Settings") -> Iterator[Contradiction]:
    """Yield them in the order of the settings."""
    metrics, arms = metrics_of(settings), list(settings.evaluation.arms)
    for arm in NEEDED_ARMS:
        if arm not in arms:
            yield Contradiction("evaluation.arms", f"no arm {arm!r}, and the verdict compares tuned with base", arms)
    if settings.goal.metric not in metrics:
        yield _no_metric("goal.metric", settings.goal.metric, metrics)
    for part, conditions in (("require", settings.goal.require), ("keep", settings.goal.keep)):
        for name, condition in conditions.items():
            key = f"goal.{part}.{name}"
            if condition.metric is not None and condition.metric not in metrics:
                yield _no_metric(f"{key}.metric", condition.metric, metrics)
            for field in ("beats", "compared_to"):
                other = getattr(condition, field)
                if other is not None and other not in arms:
                    yield Contradiction(f"{key}.{field}", f"no arm {other!r} in evaluation.arms", arms, other)
            if condition.slice is not None:
                yield from _slice(f"{key}.slice", condition.slice, settings)


def metrics_of(settings: "Settings") -> list[str]:
    """Return the metrics that the scorers and the style's rules give."""
    rules = settings.style.rules
    given = {
        "style": ["style.all_kept", *(f"style.{name}" for name in type(rules).model_fields if getattr(rules, name))],
        "chrf": ["chrf"],
        "facts": ["facts.kept", "facts.invented"],
        "exact": ["exact"],
    }
    return [metric for scorer in settings.evaluation.scorers for metric in given[scorer]]


def _no_metric(key: str, metric: str, metrics: Sequence[str]) -> Contradiction:
    return Contradiction(key, f"no metric {metric!r} comes from evaluation.scorers and style.rules", metrics, metric)


def _slice(key: str, said: str, settings: "Settings") -> Iterator[Contradiction]:
    name, _, value = said.partition("=")
    sources = settings.dataset.sources
    fields = list(dict.fromkeys(["source", *(field for each in sources.values() for field in each.slices)]))
    if name not in fields or not value:
        yield Contradiction(key, f"no slice {said!r}", [f"{field}=VALUE" for field in fields], said)
    elif name == "source" and value not in sources:
        yield Contradiction(key, f"no source {value!r} in dataset.sources", list(sources), value)
