"""Two arms on the same examples: the mean difference, how sure, and what the data could show.

Pairing removes what makes an example hard for both (Miller 2024, arXiv:2411.00640, section 4).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ftbuild.errors import EvaluationError
from ftbuild.stats.clustered import NOISE, Clusters
from ftbuild.stats.interval import bounds, pivot_of_any
from ftbuild.stats.pivot import Pivot, Tango
from ftbuild.stats.power import smallest_shown

if TYPE_CHECKING:
    import numpy

EXACT_UP_TO = 14
EXACT_STEPS = 1e9  # multiplications
N_FLIPS = 10_000

Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Difference:
    """`other` minus `base` over `n` shared examples; None is no value, a bound None is unbounded.

    `p` is two-sided, of `test`, which for 0/1 values is on examples; `p_clustered` asks the same of clusters, and is
    what a verdict goes by. `mde` is the smallest true difference that data like these show with 80 % power at the
    interval's level. `method` is how the bounds were found, "" where there are none.
    """

    n: int
    base: float | None
    other: float | None
    difference: float | None
    se: float | None
    low: float | None
    high: float | None
    p: float | None
    test: str
    mde: float | None
    p_clustered: float | None = None
    method: str = ""


def compare(
    base: Mapping[str, float],
    other: Mapping[str, float],
    clusters: Mapping[str, str] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Return the difference of two arms joined by example id.

    `se` is clustered. An error of 0 says too much (all differences equal, or the same sum in every cluster): it is then
    taken over examples, for 0/1 values from their table with half a case added to each cell (Agresti and Min 2005,
    Statist. Med. 24:729). For the bounds see `pivot_of`; those of scores between 0 and 1 stay inside -1 to 1.
    `p` is McNemar's exact test for 0/1 values, on examples; `p_clustered`, and `p` of all other values, is a sign-flip
    permutation test on clusters. Where each example is a cluster of its own, the two are one.

    Raises:
        EvaluationError: an id of one arm is missing in the other, or has no cluster.
    """
    _check_ids(base, other, clusters)
    ids = sorted(base)
    if not ids:
        return Difference(0, None, None, None, None, None, None, None, "none", None)
    pairs = [(base[each], other[each]) for each in ids]
    found = _differences(ids, pairs, clusters)
    is_binary, is_score = _all_binary(pairs), _all_scores(pairs)
    se = found.se
    if se is not None and se < NOISE:
        se = _se_with_half_cases(found.values) if is_binary else Clusters(found.values).se
    least = (Clusters(found.values).se or 0.0) if is_binary else 0.0  # no cluster narrows this interval
    pivot = pivot_of(found, pairs)
    low, high = bounds(pivot, confidence, (-1.0, 1.0) if is_score else None) if pivot else (None, None)
    p_clustered, flips = sign_flip(found.sums, seed)
    p, test = (mcnemar(pairs), "McNemar, exact") if is_binary else (p_clustered, flips)
    return Difference(
        n=len(pairs),
        base=fmean(before for before, _ in pairs),
        other=fmean(after for _, after in pairs),
        difference=found.mean,
        se=se,
        low=low,
        high=high,
        p=p,
        test=test,
        mde=None if se is None else smallest_shown(max(se, least), len(found.sizes), confidence),
        p_clustered=p_clustered,
        method=pivot.method if pivot else "",
    )


def _check_ids(base: Mapping[str, float], other: Mapping[str, float], clusters: Mapping[str, str] | None) -> None:
    missing = [f"example {each!r} has no value in the other arm" for each in sorted(base.keys() - other.keys())]
    missing += [f"example {each!r} has no value in the base arm" for each in sorted(other.keys() - base.keys())]
    if clusters is not None:
        missing += [f"example {each!r} has no cluster" for each in sorted(base.keys() - clusters.keys())]
    if missing:
        raise EvaluationError(*missing)


def p_of_difference(
    base: Mapping[str, float],
    other: Mapping[str, float],
    value: float,
    clusters: Mapping[str, str] | None = None,
) -> float | None:
    """Return the two-sided p of `value` being the true difference, by the method of the interval of `compare`.

    None where nothing tells. The two arms have the same ids.
    """
    ids = sorted(base)
    pairs = [(base[each], other[each]) for each in ids]
    pivot = pivot_of(_differences(ids, pairs, clusters), pairs) if ids else None
    return pivot.p(value) if pivot else None


def _differences(ids: Sequence[str], pairs: Pairs, clusters: Mapping[str, str] | None) -> Clusters:
    names = [clusters[each] for each in ids] if clusters is not None else None
    return Clusters([after - before for before, after in pairs], names)


def _all_binary(pairs: Pairs) -> bool:
    return all(value in (0, 1) for pair in pairs for value in pair)


def _all_scores(pairs: Pairs) -> bool:
    return all(0 <= value <= 1 for pair in pairs for value in pair)


def pivot_of(found: Clusters, pairs: Pairs) -> Pivot | None:
    """Return what is known of a mean of paired differences, None where nothing is.

    For 0/1 values it is Tango's, with the effective number of pairs and t(G-1) where there are clusters. So it is for
    scores between 0 and 1 that differ in fewer than 5 clusters, their sums for wins and losses: zeros and ones of the
    same mean spread more. For the rest see `pivot_of_any`.
    """
    if found.se is None:
        return None
    if _all_binary(pairs) or (_all_scores(pairs) and found.are_mostly(0)):
        share = found.n_effective / len(found.values)
        wins, losses = (share * math.fsum(max(0.0, side * each) for each in found.values) for side in (1, -1))
        return Tango(wins, losses, found.n_effective, None if found.are_single else len(found.sizes) - 1)
    return pivot_of_any(found)


def _se_with_half_cases(differences: Sequence[float]) -> float:
    """Return the standard error of 0/1 differences, half a case added to each of the four cells."""
    wins, losses = differences.count(1) + 0.5, differences.count(-1) + 0.5
    total = len(differences) + 2.0
    return math.sqrt(wins + losses - (wins - losses) ** 2 / total) / total


def mcnemar(pairs: Pairs) -> float:
    """Return the exact two-sided p of McNemar's test (McNemar 1947, Psychometrika 12:153).

    Only discordant pairs count: a binomial test of wins against losses at one half.
    """
    wins = sum(after > before for before, after in pairs)
    losses = sum(after < before for before, after in pairs)
    return _binomial(wins, losses)


def _binomial(wins: int, losses: int) -> float:
    n, ways, tail = wins + losses, 1, 1
    for k in range(min(wins, losses)):
        ways = ways * (n - k) // (k + 1)  # each from the one before: a binomial of its own takes long to work out
        tail += ways
    return float(min(1.0, 2 * tail / 2**n))


def sign_flip(sums: Sequence[float], seed: int) -> tuple[float, str]:
    """Return p and the test's name: how often random signs of the clusters' sums add up to as much (Fisher 1935).

    Members of a cluster change sign together; clusters that sum to 0 play no part. Exact up to 14 clusters, and where
    the sums are whole numbers, as wins less losses are, for as long as that takes about a second; seeded beyond.
    """
    moving = [abs(total) for total in sums if abs(total) > NOISE]
    observed = abs(math.fsum(sums)) - 1e-9
    if len(moving) <= EXACT_UP_TO:
        totals = [0.0]
        for size in moving:
            totals = [total + up for total in totals for up in (size, -size)]
        return sum(abs(total) >= observed for total in totals) / len(totals), "sign flip, exact"
    if all(each == int(each) for each in moving):
        sizes = Counter(map(int, moving))
        if len(sizes) == 1:
            wins = sum(total > NOISE for total in sums)
            return _binomial(wins, len(moving) - wins), "sign flip, exact"
        if len(moving) * sum(moving) / math.gcd(*sizes) <= EXACT_STEPS:
            return _as_large(sizes, observed), "sign flip, exact"
    import numpy  # slow to import

    bits = numpy.random.default_rng(seed).integers(0, 256, (N_FLIPS, -(-len(moving) // 8)), dtype=numpy.uint8)
    up = numpy.unpackbits(bits, axis=1, count=len(moving)) @ numpy.array(moving)
    as_many = int((abs(2 * up - math.fsum(moving)) >= observed).sum())
    return (1 + as_many) / (1 + N_FLIPS), f"sign flip, {N_FLIPS} draws"


def _as_large(sizes: Mapping[int, int], observed: float) -> float:
    """Return how often random signs of whole numbers, so many of each size, add up to `observed` or more.

    By convolution in floats: no term is negative, so nothing is lost in a sum.
    """
    import numpy

    unit = math.gcd(*sizes)
    ways = numpy.ones(1)  # of what goes up to come to 0, 1, 2 ... units
    for size, n in sizes.items():
        step = size // unit
        rows = numpy.pad(ways, (0, -len(ways) % step)).reshape(-1, step)
        flipped = [numpy.convolve(row, _binomial_weights(n)) for row in rows.T]
        ways = numpy.stack(flipped, axis=1).ravel()[: len(ways) + step * n]
    total = (len(ways) - 1) * unit
    up = numpy.arange(len(ways)) * unit
    return float(min(1.0, ways[abs(2 * up - total) >= observed].sum()))


def _binomial_weights(n: int) -> "numpy.ndarray[Any, Any]":
    """Return the shares of 0 to `n` heads among `n` coins, from the middle outwards, where they are largest."""
    import numpy

    middle = n // 2
    heads = numpy.arange(middle, n)
    found = numpy.empty(n + 1)
    found[middle:] = numpy.cumprod(numpy.concatenate(([1.0], (n - heads) / (heads + 1))))
    found[:middle] = found[n - middle + 1 :][::-1]
    found /= found.sum()
    return found
