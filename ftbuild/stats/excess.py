"""Whether misses are commoner in one part of the examples than in the others."""

from math import comb


def p_of_excess(missed: int, n: int, missed_elsewhere: int, n_elsewhere: int) -> float:
    """Return the p of so many misses or more among `n` if all examples were missed alike; one-sided, 1 for no examples.

    Fisher's exact test (1922), by the hypergeometric distribution.
    """
    all_missed, total = missed + missed_elsewhere, n + n_elsewhere
    ways = comb(total, n)
    upper = min(n, all_missed)
    return sum(comb(all_missed, k) * comb(total - all_missed, n - k) for k in range(missed, upper + 1)) / ways
