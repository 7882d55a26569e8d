"""How often the intervals cover and the verdicts err: python -m tests.bench.coverage [--times N]

Simulated examples whose truth is known, put through the very functions that a build calls. A nominal 95 % interval
should cover in 93.5 to 96.5 of 100 simulations; where it does not, the row says so, and what is done there is said
below the table. Unpaired is one arm alone: arms are always compared on the same examples.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy

from ftbuild.stats import compare, interval, verdict, verdicts

NS = (30, 100, 400)
LOW, HIGH = 0.935, 0.965
PER_CLUSTER = 4
POINTS = 12
MARGIN = 0.05
CLAIMS = ("better", "worse")
WHERE_NOT = """\
Rates of few examples take few values, so no interval covers them at 95 % throughout: near 0 and 1, and with few pairs
that differ, Wilson and Tango cover more than that, at single rates a little less. Scores of which fewer than 5 clusters
differ from the rest say nothing of their spread: they are taken for shares of the same mean, which spread more, and the
interval is wider than needed (or a cluster of 5 to 10 moves, and the bootstrap is). Where all values of clusters are
equal, a correlation of 0.3 inside them is assumed. Nothing is done about an interval that is too wide but to say how
many more examples would tell."""
Random = numpy.random.Generator
Numbers = numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.float64]]


@dataclass(frozen=True)
class Design:
    """`draw` gives the values of base and other and the clusters of n examples; base None is one arm alone.

    `truth` is the mean of other, or of other less base.
    """

    name: str
    what: str
    truth: float
    draw: Callable[[Random, int], tuple[Numbers | None, Numbers, list[str] | None]]


def clusters_of(random: Random, n: int) -> tuple[list[str], Numbers]:
    """Return the cluster of each example, sizes 1 to 7, and the number of each."""
    sizes: list[int] = []
    while sum(sizes) < n:
        sizes.append(int(random.integers(1, 2 * PER_CLUSTER)))
    numbers = numpy.repeat(numpy.arange(len(sizes)), sizes)[:n]
    return [str(each) for each in numbers], numbers


def shares(random: Random, chances: Numbers) -> Numbers:
    return (random.random(len(chances)) < chances).astype(float)


def spread(random: Random, mean: float, numbers: Numbers, correlation: float) -> Numbers:
    """Return a chance per example, one for a cluster, with that mean and correlation inside clusters."""
    strength = 1 / correlation - 1
    return random.beta(mean * strength, (1 - mean) * strength, int(numbers.max()) + 1)[numbers]


def rate(p: float) -> Design:
    return Design("unpaired", f"rate {p}", p, lambda random, n: (None, shares(random, numpy.full(n, p)), None))


def scores(a: float, b: float, what: str) -> Design:
    return Design("unpaired", what, a / (a + b), lambda random, n: (None, random.beta(a, b, n), None))


def rate_in_clusters(p: float, correlation: float) -> Design:
    def draw(random: Random, n: int) -> tuple[None, Numbers, list[str]]:
        names, numbers = clusters_of(random, n)
        return None, shares(random, spread(random, p, numbers, correlation)), names

    return Design("clustered", f"rate {p}", p, draw)


def scores_in_clusters(a: float, b: float, what: str) -> Design:
    def draw(random: Random, n: int) -> tuple[None, Numbers, list[str]]:
        names, numbers = clusters_of(random, n)
        own = random.beta(a, b, n)
        shared = random.beta(a, b, int(numbers.max()) + 1)[numbers]
        return None, numpy.where(random.random(n) < 0.5, shared, own), names

    return Design("clustered", what, a / (a + b), draw)


def paired_rates(wins: float, losses: float, is_clustered: bool) -> Design:
    """Examples of which a share is won and a share is lost; in clusters, some clusters are won more often."""

    def draw(random: Random, n: int) -> tuple[Numbers, Numbers, list[str] | None]:
        names, numbers = clusters_of(random, n) if is_clustered else (None, numpy.arange(n))
        won = spread(random, wins, numbers, 0.3) if is_clustered else numpy.full(n, wins)
        luck = random.random(n)
        lost = (luck >= won) & (luck < won + (1 - won) * losses / (1 - wins))
        right = random.random(n) < 0.5
        base = numpy.where(luck < won, 0.0, numpy.where(lost, 1.0, right))
        return base, numpy.where(luck < won, 1.0, numpy.where(lost, 0.0, right)), names

    kind = "paired, clustered" if is_clustered else "paired"
    return Design(kind, f"rates, {wins:.0%} won, {losses:.0%} lost", wins - losses, draw)


def paired_scores(moved: float, is_clustered: bool) -> Design:
    """Scores of which a share changes: by 0.1 upwards on average."""

    def draw(random: Random, n: int) -> tuple[Numbers, Numbers, list[str] | None]:
        names, numbers = clusters_of(random, n) if is_clustered else (None, numpy.arange(n))
        base = 0.2 + 0.4 * random.random(n)
        step = random.beta(2, 2, int(numbers.max()) + 1)[numbers] * 0.4 - 0.1
        step = step + 0.1 * (random.random(n) - 0.5)
        changed = random.random(int(numbers.max()) + 1)[numbers] < moved
        return base, base + numpy.where(changed, step, 0.0), names

    kind = "paired, clustered" if is_clustered else "paired"
    return Design(kind, f"scores, {moved:.0%} changed", moved * 0.1, draw)


DESIGNS = (
    *(rate(p) for p in (0.5, 0.8, 0.95)),
    scores(4, 2, "scores, even"),
    scores(9, 0.6, "scores, most near 1"),
    *(rate_in_clusters(p, 0.3) for p in (0.5, 0.8, 0.95)),
    scores_in_clusters(4, 2, "scores, even"),
    scores_in_clusters(9, 0.6, "scores, most near 1"),
    *(
        paired_rates(*each, is_clustered)
        for is_clustered in (False, True)
        for each in ((0.3, 0.1), (0.1, 0.1), (0.05, 0.01))
    ),
    *(paired_scores(share, is_clustered) for is_clustered in (False, True) for share in (1.0, 0.2, 0.05)),
)


def bounds(design: Design, random: Random, n: int) -> tuple[float | None, float | None, str]:
    base, other, names = design.draw(random, n)
    if base is None:
        one = interval(other.tolist(), names)
        return one.low, one.high, one.method
    two = compare(named(base), named(other), dict(zip(ids(n), names, strict=True)) if names else None)
    return two.low, two.high, two.method


def ids(n: int) -> list[str]:
    return [f"{number:03}" for number in range(n)]


def named(values: Numbers) -> dict[str, float]:
    return dict(zip(ids(len(values)), values.tolist(), strict=True))


def coverage(design: Design, n: int, times: int) -> tuple[float, float, float, str]:
    """Return how often the interval covers, lies above and lies below the truth, and the methods, commonest first."""
    random = numpy.random.default_rng([n, DESIGNS.index(design)])
    above = below = 0
    methods: dict[str, int] = {}
    for _ in range(times):
        low, high, method = bounds(design, random, n)
        above += low is not None and low > design.truth + 1e-12
        below += high is not None and high < design.truth - 1e-12
        methods[method] = methods.get(method, 0) + 1
    used = ", ".join(
        f"{each} {100 * count / times:.0f} %" for each, count in sorted(methods.items(), key=lambda item: -item[1])
    )
    return 1 - (above + below) / times, above / times, below / times, used


def wrong_verdicts(n: int, times: int, is_clustered: bool) -> tuple[float, float]:
    """Return how often any of 12 points that differ in nothing is called better or worse: together, and one by one."""
    random = numpy.random.default_rng([n, is_clustered])
    together = alone = 0
    for _ in range(times):
        names, numbers = clusters_of(random, n)
        chances = spread(random, 0.5, numbers, 0.3) if is_clustered else numpy.full(n, 0.5)
        base, clusters = named(shares(random, chances)), dict(zip(ids(n), names, strict=True)) if is_clustered else None
        points = [compare(base, named(shares(random, chances)), clusters) for _ in range(POINTS)]
        together += any(each in CLAIMS for each in verdicts(points, [MARGIN] * POINTS, [False] * POINTS))
        alone += any(verdict(each) in CLAIMS for each in points)
    return together / times, alone / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=1000, help="simulations a row")
    times = parser.parse_args().times
    started = time.process_time()
    print(
        f"{times} simulations a row; the error of a rate of 95 % is {100 * (0.95 * 0.05 / times) ** 0.5:.1f} points\n"
    )
    print("| design | values | n | covers | truth below | truth above | method | |\n|---|---|---|---|---|---|---|---|")
    for design in DESIGNS:
        for n in NS:
            covers, above, below, used = coverage(design, n, times)
            said = "" if LOW <= covers <= HIGH else "too narrow" if covers < LOW else "wider than needed"
            print(
                f"| {design.name} | {design.what} | {n} | {covers:.3f} | {above:.3f} | {below:.3f} | {used} | {said} |"
            )
    print(f"\n{WHERE_NOT}\n\n| {POINTS} points, no difference | n | any called better or worse | without Holm |")
    print("|---|---|---|---|")
    for is_clustered in (False, True):
        for n in NS:
            together, alone = wrong_verdicts(n, times // 2, is_clustered)
            print(f"| {'clustered' if is_clustered else 'paired'} | {n} | {together:.3f} | {alone:.3f} |")
    print(f"\n{time.process_time() - started:.0f} s of CPU")


if __name__ == "__main__":
    main()
