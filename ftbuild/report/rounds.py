"""What a round came to since the one before it, in words; shared by the terminal, the page and Markdown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftbuild.plan.rounds import BEFORE
from ftbuild.report import words

HEAD = ("", "n", "before", "now", "change", "")
OFTEN = 3  # looks at one test split from which on gains may be of its examples alone
MOVED = {
    "better": "moved",
    "worse": "moved the wrong way",
    "no_difference": "did not move",
    "underpowered": "cannot tell",
}
ORDINALS = {1: "first", 2: "second", 3: "third"}


@dataclass(frozen=True)
class Row:
    """A metric, or a slice that was aimed at, before and now; `word` says whether an aim moved."""

    name: str
    n: str
    before: str
    now: str
    change: str
    word: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the texts below HEAD."""
        return (self.name, self.n, self.before, self.now, self.change, self.word)


def title(results: Mapping[str, Any]) -> str:
    """Return which round it is: `Round 2, after parallel_tools`."""
    return f"Round {results['round']['number']}, after {results['round']['after']}"


def rows(results: Mapping[str, Any]) -> list[Row]:
    """Return the metric of the verdict on everything, then on each slice that was aimed at."""
    found = _metric(results, None)
    whole = [_row(found, words.label(found) + (", lower is better" if found["lower_is_better"] else ""), results, "")]
    aims = results["round"]["aims"]
    return whole + [_aim(_metric(results, aim["slice"]), aim, results) for aim in aims]


def sentences(results: Mapping[str, Any]) -> list[str]:
    """Return whether the aims moved, and what to think of test examples that many rounds have looked at."""
    told = results["round"]
    said = [_aims(told["aims"])]
    if told["looks"] >= OFTEN:
        nth = ORDINALS.get(told["looks"], f"{told['looks']}th")
        fresh = "evaluation.split=confirm measures on examples that no round has looked at"
        held = (
            ""
            if told["fresh"]
            else "; hold them back first: a source with only: confirm, or +dataset.split.confirm=0.15"
        )
        said.append(
            f"This is the {nth} round that looks at these test examples: what it gains may be of them alone. "
            f"{fresh}{held}."
        )
    if told["split"] == "confirm":
        said.append("Measured on the confirm split, which is not looked at while nothing says so.")
    return said


def guards(results: Mapping[str, Any]) -> list[words.Finding]:
    """Return how what must not get worse has ended."""
    found = zip(results["goal"], words.findings(results), strict=True)
    return [finding for condition, finding in found if condition["part"] == "keep"]


def trained(told: Mapping[str, Any] | None) -> list[str]:
    """Return what both jobs took, and whose misses this round learns from, where that is said."""
    if told is None:
        return []
    jobs = told["jobs"].items()
    said = [
        f"{name} {words.count(job['trained_tokens'], 'token')}, {words.cost(job['cost_usd'])}" for name, job in jobs
    ]
    read = [f"What was missed in {told['run']} was read for it."] if told["run"] else []
    return [f"Trained on: {'; '.join(said)}.", *read]


def _metric(results: Mapping[str, Any], where: str | None) -> Mapping[str, Any]:
    found = words.metric_of(results, results["verdict_metric"], where)
    assert found is not None
    return found


def _aims(aims: list[Mapping[str, Any]]) -> str:
    if not aims:
        return "Nothing was aimed at: round.aims names the slices that a round should move."
    n_moved = sum(each["verdict"] == "better" for each in aims)
    if n_moved == len(aims):
        return "The one aim moved." if n_moved == 1 else f"All {n_moved} aims moved."
    if n_moved:
        return f"{n_moved} of {len(aims)} aims moved."
    unsure = all(each["verdict"] == "underpowered" for each in aims)
    told = ", as far as so few examples can tell" if unsure else ""
    return f"No aim moved{told}: this round did not show where it was meant to."


def _aim(metric: Mapping[str, Any], aim: Mapping[str, Any], results: Mapping[str, Any]) -> Row:
    word = MOVED[aim["verdict"]]
    if aim["verdict"] == "underpowered":
        word += f": {_least(metric['differences'][BEFORE])}"
    return _row(metric, f"aim {aim['slice']}", results, word)


def _least(change: Mapping[str, Any]) -> str:
    """Return the smallest change that the examples could have shown.

    Where hardly a value differs the spread says little, and an interval that is wider is the one to believe.
    """
    known = None not in (change["mde"], change["low"], change["high"])
    least = max(change["mde"], (change["high"] - change["low"]) / 2) if known else 1.0
    return f"{words.value(least)} or more would have shown" if least < 1 else "no change would show in so few examples"


def _row(metric: Mapping[str, Any], name: str, results: Mapping[str, Any], word: str) -> Row:
    before, now, change = metric["arms"][BEFORE], metric["arms"][results["arm"]], metric["differences"][BEFORE]
    ends = words.difference_interval(change)
    said = (
        words.signed(change["difference"]) + (f" ({ends})" if ends else "") if change["difference"] is not None else ""
    )
    return Row(name, f"{now['n']:,}", _mean(before), _mean(now), said, word)


def _mean(numbers: Mapping[str, Any]) -> str:
    ends = words.interval(numbers)
    return words.value(numbers["mean"]) + (f" ({ends})" if ends else "")
