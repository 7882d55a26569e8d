"""Many looks at once: p values corrected for how many there are."""

from collections.abc import Sequence


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Return each p corrected for all (Holm 1979, Scand. J. Statist. 6:65), in their order.

    Calling true what stays within alpha is wrong anywhere in the family at most that often, however the tests hang
    together. None is no test: it stays None and counts for nothing.
    """
    order = sorted((p, at) for at, p in enumerate(ps) if p is not None)
    found: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, at) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        found[at] = largest
    return found
