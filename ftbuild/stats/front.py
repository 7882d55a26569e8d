"""Of points with a cost and a value, those that no other beats in both (the Pareto front)."""

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return which of the points (cost, value) lie on the front, by their places, the cheapest first.

    Less cost and more value are better. A point is off the front where another costs no more, is worth no less, and is
    better in one of the two; points that are equal in both stay or go together. No points have an empty front.
    """
    by_cost = sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1], place))
    kept: list[int] = []
    for place in by_cost:
        if not kept or points[place][1] > points[kept[-1]][1] or points[place] == points[kept[-1]]:
            kept.append(place)
    return kept
