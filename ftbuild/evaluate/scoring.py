"""Cases and scorers -> the score lines of one arm."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ftbuild.scorers import Case, Score, Scorer

WITH_TARGET = ("chrf", "exact", "facts")  # scorers that compare with the reference answer


def score(samples: Iterable[Sequence[Case]], scorers: Sequence[Scorer]) -> Iterator[dict[str, Any]]:
    """Yield one line per example, in order: `id, group, slices, scores, detail`; `samples` are its cases, one or more.

    `scores` and `detail` go by metric. A score is the mean of the samples that have a value, null where none has; a
    detail is that of the first sample that has one, and left out where none has.
    """
    for cases in samples:
        found = [[each for scorer in scorers for each in _scores(scorer, case)] for case in cases]
        metrics = [each.metric for each in found[0]]
        columns = dict(zip(metrics, zip(*found, strict=True), strict=True))
        details = {
            metric: [each.detail for each in column if each.detail is not None] for metric, column in columns.items()
        }
        yield {
            "id": cases[0].id,
            "group": cases[0].group,
            "slices": dict(cases[0].slices),
            "scores": {metric: _mean([each.value for each in column]) for metric, column in columns.items()},
            "detail": {metric: told[0] for metric, told in details.items() if told},
        }


def _scores(scorer: Scorer, case: Case) -> list[Score]:
    scores = scorer.score(case)
    return (
        scores if case.referenced or scorer.name not in WITH_TARGET else [Score(each.metric, None) for each in scores]
    )


def _mean(values: Sequence[float | None]) -> float | None:
    there = [each for each in values if each is not None]
    return there[0] if len(there) == 1 else sum(there) / len(there) if there else None
