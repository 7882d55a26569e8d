"""Cases and scorers -> the score lines of one arm."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ftbuild.scorers import Case, Scorer


def score(cases: Iterable[Case], scorers: Sequence[Scorer]) -> Iterator[dict[str, Any]]:
    """Yield one line per case, in order: `id, group, slices, scores, detail`.

    `scores` and `detail` go by metric; a score null is no value, a detail null is left out.
    """
    for case in cases:
        found = [each for scorer in scorers for each in scorer.score(case)]
        yield {
            "id": case.id,
            "group": case.group,
            "slices": dict(case.slices),
            "scores": {each.metric: each.value for each in found},
            "detail": {each.metric: each.detail for each in found if each.detail is not None},
        }
