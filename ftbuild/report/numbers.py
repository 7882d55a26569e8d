"""The numbers of the page: every metric with its slices and rules, the arms of each on one scale."""

from collections.abc import Mapping
from typing import Any

from ftbuild.report import charts, words
from ftbuild.report.input import ReportInput


def numbers_shown(report_input: ReportInput) -> dict[str, Any]:
    """Return the blocks of the section, its scale, and among how many metrics a marked difference holds."""
    results, about = report_input.results, {name: each["about"] for name, each in report_input.arms.items()}
    metrics = results["metrics"]
    ends = [n for m in metrics for a in m["arms"].values() for n in (a["low"], a["mean"], a["high"]) if n is not None]
    scale = charts.scale_of(ends)
    blocks = []
    names = {m["metric"] for m in metrics}
    for metric in metrics:
        if metric["slice"] or words.whole_of(metric["metric"]) in names:
            continue
        slices = [m for m in metrics if m["metric"] == metric["metric"] and m["slice"]]
        rules = [m for m in metrics if words.whole_of(m["metric"]) == metric["metric"] and not m["slice"]]
        blocks.append(
            {
                "label": words.first_large(metric["label"]),
                "proxy": metric["proxy"],
                "lower": metric["lower_is_better"],
                "arms": _arm_rows(metric, results, about, scale),
                "slices": [
                    {"label": m["slice"].replace("=", ": ", 1), "arms": _arm_rows(m, results, about, scale)}
                    for m in slices
                ],
                "rules": [
                    {"label": words.first_large(m["label"]), "arms": _arm_rows(m, results, about, scale)} for m in rules
                ],
            }
        )
    return {"blocks": blocks, "ticks": scale.labels(), "compared": _compared(results)}


def _compared(results: Mapping[str, Any]) -> str:
    """Return among how many metrics the marked differences hold, "" where none was tested."""
    found = [n for arm in results["arms"] if (n := words.n_compared(results, arm))]
    if not found:
        return ""
    least, most = min(found), max(found)
    return f"{least} to {most} metrics" if least < most else words.count(most, "metric")


def _arm_rows(
    metric: Mapping[str, Any], results: Mapping[str, Any], about: Mapping[str, str], scale: charts.Scale
) -> list[dict[str, Any]]:
    found = []
    for arm in results["arms"]:
        numbers = metric["arms"].get(arm)
        if numbers is None:
            continue
        difference = metric["differences"].get(arm) or {"difference": None, "low": None, "high": None}
        digits = words.digits_of(difference)
        change = "" if difference["difference"] is None else words.signed(difference["difference"], digits=digits)
        found.append(
            {
                "arm": arm,
                "colour": colour(arm, results),
                "about": about[arm],
                "n": f"{numbers['n']:,}",
                "mean": words.value(numbers["mean"]),
                "interval": words.interval(numbers),
                "svg": charts.dot(numbers, scale, colour(arm, results)),
                "difference": change,
                "difference_interval": words.difference_interval(difference, digits),
                "held": _held(difference),
            }
        )
    return found


def _held(difference: Mapping[str, Any]) -> str:
    """Return the p of a difference that holds also among all metrics, "" for one that does not."""
    if not words.holds_among_all(difference):
        return ""
    return f"p {words.p_value(difference['p_clustered'])}, among all metrics {words.p_value(difference['p_adjusted'])}"


def colour(arm: str, results: Mapping[str, Any]) -> str:
    """Return by which name the style sheet knows an arm: what is judged looks as the tuned model does elsewhere."""
    if arm in (results["arm"], results["against"]):
        return "tuned" if arm == results["arm"] else "base"
    return arm if arm in ("echo", "rules") else "other"
