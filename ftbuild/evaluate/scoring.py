"""Cases and scorers -> the score lines of one arm."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ftbuild.scorers import Case, Metric, Score, Scorer, metric_of


def score(samples: Iterable[Sequence[Case]], scorers: Sequence[Scorer]) -> Iterator[dict[str, Any]]:
    """Yield one line per example, in order: `id, group, slices, scores, detail`; `samples` are its cases, one or more.

    `scores` and `detail` go by metric. A score is the mean of the samples that have a value, null where none has. Of
    several samples the worst is the one to be looked at: `sample` is its number where it is not the first, and details
    are those of it, left out where it has none.
    """
    metrics = {metric.name: metric for scorer in scorers for metric in scorer.metrics}
    for cases in samples:
        found = [[each for scorer in scorers for each in scores(scorer, case)] for case in cases]
        worst = min(range(len(cases)), key=lambda number: _goodness(found[number], metrics))
        columns = zip(*found, strict=True)
        yield {
            "id": cases[0].id,
            "group": cases[0].group,
            "slices": dict(cases[0].slices),
            "scores": {column[0].metric: _mean([each.value for each in column]) for column in columns},
            "detail": {each.metric: each.detail for each in found[worst] if each.detail is not None},
            **({"sample": worst} if worst else {}),
        }


def evaluation(lines: Iterable[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    """Return what score lines come to by one metric: its name, n, the mean, None where n is 0, and which way is better.

    Who chooses by it, among checkpoints or points, gives those of the validation split.
    """
    values = [each["scores"][metric] for each in lines if each["scores"].get(metric) is not None]
    mean = sum(values) / len(values) if values else None
    return {"metric": metric, "n": len(values), "mean": mean, "lower_is_better": metric_of(metric).lower_is_better}


def scores(scorer: Scorer, case: Case) -> list[Score]:
    """Return the scores of a case; what compares with a reference has no value where there is none."""
    found = scorer.score(case)
    if case.referenced:
        return found
    with_target = {metric.name for metric in scorer.metrics if metric.with_target}
    return [Score(each.metric, None) if each.metric in with_target else each for each in found]


def _goodness(scores: Sequence[Score], metrics: Mapping[str, Metric]) -> float:
    """Return the mean of a sample's scores, each turned so that more is better."""
    known = [(each.value, metrics[each.metric].lower_is_better) for each in scores if each.value is not None]
    return _mean([1 - value if lower else value for value, lower in known]) or 0.0


def _mean(values: Sequence[float | None]) -> float | None:
    there = [each for each in values if each is not None]
    return there[0] if len(there) == 1 else sum(there) / len(there) if there else None
