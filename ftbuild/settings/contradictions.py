"""What two settings say against each other, each being valid: a goal on an arm, a metric or a slice that is not there,
shares that do not add up, a split by time without any.

Found before anything runs; without this it would come out after the training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftbuild.settings import Settings

NEEDED_ARMS = ("base", "tuned")
CLOSE = 1e-9


@dataclass(frozen=True)
class Contradiction:
    """`key` says `said`; `known` are the names it could have said, `fix` what to do where it is no name."""

    key: str
    said: str
    known: Sequence[str]
    name: str = ""
    fix: str = ""


def contradictions(settings: "Settings") -> Iterator[Contradiction]:
    """Yield them in the order of the settings."""
    yield from _shares(settings)
    yield from _times(settings)
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


def _shares(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that the shares of the training split are more than there is, or that nothing fills the rest."""
    sources = {name: each for name, each in settings.dataset.sources.items() if each.only in (None, "train")}
    shares = {name: each.share for name, each in sources.items() if each.share is not None}
    total = sum(shares.values())
    if not shares or (total < 1 - CLOSE and len(shares) < len(sources)):
        return
    key = f"dataset.sources.{list(shares)[-1]}.share"
    said = f"{shares[list(shares)[-1]]:g}, and the shares of {', '.join(shares)} are {total:g} in all"
    if len(shares) < len(sources):
        rest = ", ".join(name for name in sources if name not in shares)
        yield Contradiction(key, f"{said}, which leaves nothing to {rest}", [], fix="lower the shares to less than 1.")
    elif abs(total - 1) > CLOSE:
        fix = "leave one source without a share: it fills the rest."
        yield Contradiction(key, f"{said}; no other source is learnt from", [], fix=fix)


def _times(settings: "Settings") -> Iterator[Contradiction]:
    """Yield that a split by time finds no time in any source that is to be split."""
    sources = {name: each for name, each in settings.dataset.sources.items() if each.only is None}
    if settings.dataset.split.by == "time" and sources and not any(each.time for each in sources.values()):
        fix = f"name its field: dataset.sources.{next(iter(sources))}.time=FIELD"
        yield Contradiction("dataset.split.by", "time, and no source says where its time stands", [], fix=fix)


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
