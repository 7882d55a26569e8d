"""The rounds an experiment belongs to, as the newest run of each tells: what they reached, and what they changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ftbuild.cli.grid import aligned
from ftbuild.cli.layout import hang
from ftbuild.history import Run
from ftbuild.report.sparkline import sparkline
from ftbuild.report.words import asked_for, count, interval, metric_of, setting, value

SETTINGS_AT_MOST = 3
OF_THE_ROUND = ("round.", "evaluation.arms.before.")  # keys that say no more than that it is one


@dataclass(frozen=True)
class Reached:
    """What a round reached by the metric of its verdict, and what is other than in the one before it."""

    experiment: str
    run_id: str
    metric: str
    label: str
    n: int | None
    mean: float | None
    low: float | None
    high: float | None
    ended: str
    changed: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def rounds(name: str, found: Sequence[Run]) -> list[Reached]:
    """Return the rounds up to the experiment of a name and from it on, the first of them first; none where it is alone.

    `found` are all runs, newest first. Of several rounds after one, the one that was built last goes on.
    """
    newest: dict[str, Run] = {}
    for run in found:
        newest.setdefault(run.told["experiment"], run)
    reports = {each: report for each, run in newest.items() if (report := run.report()) is not None}
    after = {
        each: report["results"]["round"]["after"] for each, report in reports.items() if "round" in report["results"]
    }
    chain = [name]
    while (earlier := after.get(chain[0])) is not None and earlier not in chain:
        chain.insert(0, earlier)
    while later := next((each for each in newest if after.get(each) == chain[-1] and each not in chain), None):
        chain.append(later)
    built = [each for each in chain if each in reports]
    if len(chain) < 2:
        return []
    before = [None, *(reports[each] for each in built)]
    return [_reached(newest[each], reports[each], was) for each, was in zip(built, before, strict=False)]


def text(told: Sequence[Reached], width: int) -> str:
    """Return a line a round, and a curve of what they reached where they have one metric."""
    metrics = dict.fromkeys(each.label for each in told)
    means = [each.mean for each in told if each.mean is not None]
    curve = f"   {sparkline(means)}" if len(metrics) == 1 and len(means) > 1 else ""
    rows = [(str(number), each.experiment, _value(each), each.ended) for number, each in enumerate(told, 1)]
    lines = [f"Rounds by {', '.join(metrics)}{curve}"]
    for line, each in zip(aligned(rows, [0]), told, strict=True):
        lines.append(hang("  ", line, width))
        lines += [hang("     ", f"changed: {'; '.join(each.changed)}", width)] if each.changed else []
    if len(told) > 1:
        lines.append(hang("  ", f"All that differs: ftbuild diff {told[-2].run_id} {told[-1].run_id}", width))
    return "\n".join(lines)


def _value(each: Reached) -> str:
    ends = interval({"low": each.low, "high": each.high})
    return value(each.mean) + (f" ({ends})" if ends else "")


def _reached(run: Run, report: Mapping[str, Any], before: Mapping[str, Any] | None) -> Reached:
    name = report["results"]["verdict_metric"]
    metric = metric_of(run.told, name)
    numbers = (metric or {"arms": {}})["arms"].get(run.told.get("arm", "tuned")) or {}
    return Reached(
        experiment=run.told["experiment"],
        run_id=run.run_id,
        metric=name,
        label=metric["label"] if metric is not None else name,
        **{part: numbers.get(part) for part in ("n", "mean", "low", "high")},
        ended=asked_for(run.told),
        changed=list(_changed(before, report)) if before is not None else [],
    )


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sources that came and went, with how many examples they have, and the settings that are other."""
    was, are = (_sources(each) for each in (before, now))
    yield from (f"+ source {name}, {_n(are[name])}" for name in are if name not in was)
    yield from (f"- source {name}, {_n(was[name])}" for name in was if name not in are)
    other = {f"dataset.sources.{name}." for name in was.keys() ^ are.keys()}
    old, new = (_settings(each, (*OF_THE_ROUND, *other)) for each in (before, now))
    said = [
        f"{key} {setting(old.get(key))} -> {setting(new.get(key))}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]
    yield from said[:SETTINGS_AT_MOST]
    if len(said) > SETTINGS_AT_MOST:
        yield f"and {count(len(said) - SETTINGS_AT_MOST, 'more setting')}"


def _sources(report: Mapping[str, Any]) -> dict[str, int | None]:
    return {each["name"]: each["n"] for each in (report.get("dataset") or {}).get("sources", ())}


def _n(n: int | None) -> str:
    return "passages" if n is None else count(n, "example")


def _settings(report: Mapping[str, Any], less: tuple[str, ...]) -> dict[str, Any]:
    lines = report["run"]["settings_lines"]
    return {each["key"]: each["value"] for each in lines if not f"{each['key']}.".startswith(less)}
