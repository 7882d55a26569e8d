"""Two arms on the same examples: the mean difference, how sure, and what the data could show.

Pairing removes what makes an example hard for both (Miller 2024, arXiv:2411.00640, section 4).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ftbuild.errors import EvaluationError
from ftbuild.stats.interval import clustered_se, t_quantile

EXACT_UP_TO = 14
N_FLIPS = 10_000
POWER = 0.8
NOISE = 1e-12


@dataclass(frozen=True)
class Difference:
    """`other` minus `base` over `n` shared examples; None is no value, a bound None is unbounded.

    `p` is two-sided, of `test`; `mde` is the smallest true difference that data like these show
    with 80 % power at the interval's level.
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


def compare(
    base: Mapping[str, float],
    other: Mapping[str, float],
    clusters: Mapping[str, str] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Return the difference of two arms joined by example id.

    The interval is mean ± t(G-1) x clustered standard error of the paired differences. An error of 0
    says too much (all differences equal, or the same sum in every cluster): it is then taken over
    examples, for 0/1 values from their table with half a case added to each cell (Agresti and Min
    2005, Statist. Med. 24:729).
    `p` is McNemar's exact test for 0/1 values, on examples; else a sign-flip permutation test, on
    clusters, exact up to 14 of them and seeded beyond.

    Raises:
        EvaluationError: an id of one arm is missing in the other, or has no cluster.
    """
    _check_ids(base, other, clusters)
    ids = sorted(base)
    if not ids:
        return Difference(0, None, None, None, None, None, None, None, "none", None)
    pairs = [(base[each], other[each]) for each in ids]
    names = [clusters[each] if clusters is not None else each for each in ids]
    differences = [after - before for before, after in pairs]
    is_binary = all(value in (0, 1) for pair in pairs for value in pair)
    mean = fmean(differences)
    se, n_clusters = clustered_se(differences, names)
    if se is not None and se < NOISE:
        se = _se_with_half_cases(differences) if is_binary else clustered_se(differences)[0]
    reach = None if se is None else t_quantile(0.5 + confidence / 2, n_clusters - 1) * se
    p, test = (mcnemar(pairs), "McNemar, exact") if is_binary else sign_flip(differences, names, seed)
    return Difference(
        n=len(pairs),
        base=fmean(before for before, _ in pairs),
        other=fmean(after for _, after in pairs),
        difference=mean,
        se=se,
        low=None if reach is None else mean - reach,
        high=None if reach is None else mean + reach,
        p=p,
        test=test,
        mde=smallest_shown(se, n_clusters, confidence),
    )


def _check_ids(base: Mapping[str, float], other: Mapping[str, float], clusters: Mapping[str, str] | None) -> None:
    missing = [f"example {each!r} has no value in the other arm" for each in sorted(base.keys() - other.keys())]
    missing += [f"example {each!r} has no value in the base arm" for each in sorted(other.keys() - base.keys())]
    if clusters is not None:
        missing += [f"example {each!r} has no cluster" for each in sorted(base.keys() - clusters.keys())]
    if missing:
        raise EvaluationError(*missing)


def _se_with_half_cases(differences: Sequence[float]) -> float:
    """Return the standard error of 0/1 differences, half a case added to each of the four cells."""
    wins, losses = differences.count(1) + 0.5, differences.count(-1) + 0.5
    total = len(differences) + 2.0
    return math.sqrt(wins + losses - (wins - losses) ** 2 / total) / total


def mcnemar(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the exact two-sided p of McNemar's test (McNemar 1947, Psychometrika 12:153).

    Only discordant pairs count: a binomial test of wins against losses at one half.
    """
    wins = sum(after > before for before, after in pairs)
    losses = sum(after < before for before, after in pairs)
    n = wins + losses
    tail = sum(math.comb(n, k) for k in range(min(wins, losses) + 1))
    return float(min(1.0, 2 * tail / 2**n))


def sign_flip(differences: Sequence[float], clusters: Sequence[str], seed: int) -> tuple[float, str]:
    """Return p and the test's name: how often random signs make a sum as large (Fisher 1935).

    Signs are drawn per cluster, whose members change together; clusters that sum to 0 play no part.
    """
    sums: defaultdict[str, float] = defaultdict(float)
    for name, difference in zip(clusters, differences, strict=True):
        sums[name] += difference
    moving = [total for total in sums.values() if abs(total) > 1e-12]
    observed = abs(math.fsum(moving)) - 1e-9
    if len(moving) <= EXACT_UP_TO:
        totals = [0.0]
        for each in moving:
            totals = [total + sign for total in totals for sign in (each, -each)]
        as_large = sum(abs(total) >= observed for total in totals)
        return as_large / len(totals), "sign flip, exact"
    import numpy  # slow to import

    signs = numpy.random.default_rng(seed).choice((-1.0, 1.0), size=(N_FLIPS, len(moving)))
    as_large = int((abs(signs @ numpy.array(moving)) >= observed).sum())
    return (1 + as_large) / (1 + N_FLIPS), f"sign flip, {N_FLIPS} draws"


def smallest_shown(se: float | None, n_clusters: int, confidence: float = 0.95) -> float | None:
    """Return the smallest true difference shown with 80 % power: (t(1-alpha/2) + t(power)) x se.

    Miller 2024, section 5. None without a standard error.
    """
    if se is None:
        return None
    degrees = n_clusters - 1
    return (t_quantile(0.5 + confidence / 2, degrees) + t_quantile(POWER, degrees)) * se
