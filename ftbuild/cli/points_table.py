"""The points of a sweep beside each other: what each came to by its goal's metric, how it ended, and the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.cli.grid import aligned
from ftbuild.report import words


@dataclass(frozen=True)
class Row:
    """A point: its name, how it ended in a line, and the results of its comparison, None where it was not built."""

    name: str
    said: str
    results: Mapping[str, Any] | None
    is_best: bool = False


def table(rows: Sequence[Row], width: int) -> str:
    """Return a line a point; where that is too wide, the numbers first and the endings below them.

    Without any numbers there are the endings alone.
    """
    metrics = list(dict.fromkeys(_metric(row.results)["label"] for row in rows if row.results))
    endings = aligned([(row.name, row.said) for row in rows])
    if not metrics:
        return "\n".join(endings)
    numbers = [(row.name, *_numbers(row.results, metrics), "best" if row.is_best else "") for row in rows]
    head = ("", metrics[0] if len(metrics) == 1 else "", "difference", "")
    whole = aligned([(*head, ""), *((*cells, row.said) for cells, row in zip(numbers, rows, strict=True))])
    return "\n".join(whole if max(map(len, whole)) <= width else [*aligned([head, *numbers]), "", *endings])


def _metric(results: Mapping[str, Any]) -> Mapping[str, Any]:
    found = words.metric_of(results, results["verdict_metric"])
    assert found is not None
    return found


def _numbers(results: Mapping[str, Any] | None, metrics: Sequence[str]) -> tuple[str, str]:
    """Return the value of the judged arm and its difference to the one that it is compared with."""
    if results is None:
        return "", ""
    metric, against = _metric(results), results["against"]
    found, change = metric["arms"][results["arm"]], metric["differences"].get(against)
    said = metric["label"] + " " if len(metrics) > 1 else ""
    said += _with(words.value(found["mean"]), words.interval(found))
    if change is None or change["difference"] is None:
        return said, ""
    digits = words.digits_of(change)
    gain = _with(words.signed(change["difference"], digits=digits), words.difference_interval(change, digits))
    return said, f"{gain} to {against}"


def _with(value: str, interval: str) -> str:
    return f"{value} ({interval})" if interval else value
