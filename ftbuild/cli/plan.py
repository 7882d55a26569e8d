"""`ftbuild plan`: what a build would do, and why. Writes nothing."""

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftbuild import planfile
from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.chosen import driver_of
from ftbuild.cli.layout import columns, hang, label_width
from ftbuild.cli.options import Options
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.errors import ExitCode, StoreError
from ftbuild.lookup import LedgerFolder, Planned, look_up
from ftbuild.plan import drawing
from ftbuild.plan.action import DATASET, JOB
from ftbuild.plan.estimate import NOTHING, Estimate
from ftbuild.points import Point, apart, has_more_to_say, one_graph, with_before
from ftbuild.problem import render
from ftbuild.rehearsal import makes_up
from ftbuild.report.words import asked, duration, exact
from ftbuild.store.store import Store

if TYPE_CHECKING:
    from ftbuild.estimates import Bill
    from ftbuild.foresight import Foresight

WORDS = {
    "HIT": "cached",
    "RUN": "run",
    "MAYBE": "run",
    "ATTACH": "attach",
    "WAIT": "wait",
    "BLOCKED": "blocked",
    "FAILED": "failed",
}
STAGES = ("data", "train", "test", "confirm")
REASONS_AT_MOST = 3
SECONDS_TOLD = 10


def plan(options: Options) -> int:
    """Print the plan of one experiment, or of every point of a sweep with equal actions told once."""
    composed = composed_of(options)
    world = world_of(options)
    store = Store(world.store)
    graph, points = one_graph(composed, smoke_overrides(options), store, smoke=options.smoke)
    driver = driver_of(composed, graph, points, store, world, options)
    if driver is not None:
        graph, points = driver.upcoming()
    planned = look_up(graph, store, LedgerFolder(world))
    foreseen, shown = None, planned
    if any(map(has_more_to_say, with_before(points))):
        from ftbuild import paying  # slow, and there is nothing to say otherwise

        foreseen = paying.foresee(planned, with_before(points, graph), store, world)
        shown = list(foreseen.planned)
    costs = foreseen.costs if foreseen else {}
    follows = driver.follows(graph, is_paid=foreseen is not None) if driver else None
    if options.out is not None:
        planfile.write(Path(options.out), options.command, options.multirun, planned, costs, follows)
    if options.format == "json":
        print(json.dumps(planfile.contract(shown, costs, follows), indent=1))
    elif options.format == "mermaid":
        print(drawing.mermaid(shown, apart(points)))
    else:
        to_come = _to_come(follows, foreseen.bill if foreseen else None)
        _print(points, shown, costs, foreseen.bill if foreseen else None, options, store, to_come)
    if foreseen and foreseen.problems:
        print(render(foreseen.problems), file=sys.stdout if options.format == "text" else sys.stderr)
    refused = foreseen and any(each.severity == "error" for each in foreseen.problems)
    return int(ExitCode.CONFIG if refused else ExitCode.DONE)


def _to_come(follows: planfile.Follows | None, paid: "Bill | None") -> str:
    """Return what may follow in words, and what it costs at most."""
    if follows is None or follows.most == NOTHING:
        return follows.said if follows else ""
    is_known = paid is not None and paid.total.cost_usd is not None
    at = " at most" if follows.most.cost_usd is not None else " until its data is built" if is_known else ""
    return f"{follows.said}: {follows.most.dollars()}{at}"


def _print(
    points: list[Point],
    planned: list[Planned],
    costs: Mapping[str, Estimate],
    paid: "Bill | None",
    options: Options,
    store: Store,
    to_come: str,
) -> None:
    width = columns()
    print(_head(points, width))
    trains = points[0].composed.tree["method"]["type"] != "none"
    if trains and not options.smoke and len({json.dumps(point.composed.tree["goal"]) for point in points}) == 1:
        foresight = None if to_come else _foresight(points, planned, store)
        print("\n".join(_goal(points[0].composed.tree["goal"], foresight, width)))
    print(_table(planned, apart(points), costs, width))
    if to_come:
        print(hang(f"{'':8} ", to_come, width))
    print(_tail(planned, paid, options, width, _expected(points, planned, store), points))


def _head(points: list[Point], width: int) -> str:
    """Return what is planned; read off the composed tree, which needs no model of the settings."""
    first = points[0].composed
    tree = first.tree
    names = list(dict.fromkeys(point.composed.experiment for point in points))
    n_epochs = (tree["method"].get("hyperparameters") or {}).get("n_epochs", "auto")
    epochs = "epochs auto" if n_epochs == "auto" else f"{n_epochs} epoch{'s' if n_epochs > 1 else ''}"
    trains = tree["method"]["type"] != "none"
    method = f"{tree['method']['type']}, {epochs}" if trains else "nothing is trained"
    provider = tree["provider"].get("name") or tree["provider"]["kind"]
    where = f"{provider} rehearsed" if makes_up(tree["provider"]) else provider
    facts = [where, tree["model"]["title"], method, f"seed {tree['seed']}"]
    left = f"{', '.join(names)}   "
    if len(points) > 1:
        return "\n" + hang(left, f"{len(points)} points: {', '.join(point.name for point in points)}", width) + "\n"
    return "\n" + hang(left, first.description, width) + "\n" + hang(" " * len(left), " · ".join(facts), width) + "\n"


def _foresight(points: list[Point], planned: list[Planned], store: Store) -> "Foresight | None":
    """Return what the data could show, None where it is not built yet, or the points have several."""
    own = {name for point in points for name in point.ids}
    datasets = {one.action.id: one.record for one in planned if one.action.kind is DATASET and one.action.id in own}
    if len(datasets) != 1 or None in datasets.values():
        return None
    from ftbuild.foresight import foresee  # slow, and there is nothing to say before

    try:
        return foresee(points[0].composed.settings.goal, points[0], planned, store)
    except StoreError:  # damaged or gone: a build makes it anew
        return None


def _shown(foresight: "Foresight", against: str) -> str:
    spread = f"that of {against}'s scores" if foresight.measured else f"assumed where {against} has no scores"
    return (
        f"sure from: where the true value lies if {foresight.n:,} test examples are to tell, four times in five; "
        f"the spread is {spread}"
    )


def _sure(foresight: "Foresight | None", name: str, condition: Mapping[str, Any]) -> str:
    if foresight is None:
        return ""
    value = foresight.sure_from.get(name)
    if value is None:
        return "too few examples"
    is_difference = condition.get("beats") or condition.get("compared_to")
    return f"sure from {exact(value, is_difference=bool(is_difference))}"


def _goal(goal: Mapping[str, Any], foresight: "Foresight | None", width: int) -> list[str]:
    conditions = {**goal["require"], **(goal.get("keep") or {})}
    rows = [
        (
            name,
            (condition.get("metric") or goal["metric"])
            + (f" on {condition['slice'].removeprefix('source=')}" if condition.get("slice") else ""),
            _wants(goal, condition),
            _sure(foresight, name, condition),
        )
        for name, condition in conditions.items()
        if condition is not None
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    joined = max((len(f"{metric} {wants}") for _, metric, wants, _ in rows), default=0)
    lines = []
    for number, (name, metric, wants, sure) in enumerate(rows):
        left = f"{'goal' if number == 0 else '':8} {name:{widths[0]}}   "
        if widths[3] and len(left) + sum(widths[1:]) + 6 <= width:
            lines.append(f"{left}{metric:{widths[1]}}   {wants:{widths[2]}}   {sure}")
        elif sure:
            lines.append(hang(left, f"{metric} {wants}, {sure}", width))
        elif len(left) + widths[1] + 3 + widths[2] <= width:
            lines.append(f"{left}{metric:{widths[1]}}   {wants}")
        elif len(left) + joined <= width:
            lines.append(f"{left}{metric} {wants}")
        else:
            lines += [left.rstrip(), f"{'':12} {metric} {wants}"]
    if foresight is not None and lines:
        lines.append(hang(" " * 9, _shown(foresight, goal.get("against", "base")), width))
    return lines


def _wants(goal: Mapping[str, Any], condition: Mapping[str, Any]) -> str:
    from ftbuild.scorers import metric_of  # slow, and nobody else needs it for a plan
    from ftbuild.settings import Condition
    from ftbuild.stats.gate import arm_of, kind_of, wanted_by

    said = Condition.model_validate(condition)
    lower = metric_of(said.metric or goal["metric"]).lower_is_better
    return asked(kind_of(said), wanted_by(said, lower), arm_of(said), lower_is_better=lower)


def _table(planned: list[Planned], only: Mapping[str, str], costs: Mapping[str, Estimate], width: int) -> str:
    """Return the actions in order; `only` says for which points of a sweep an action is, if not for all."""
    lines, stage = [], ""
    widest = label_width(one.action.label for one in planned)
    for one in sorted(planned, key=lambda each: STAGES.index(each.action.stage)):
        shown = one.action.stage if one.action.stage != stage else ""
        stage = one.action.stage
        note = one.record.note if one.record else "; ".join([*one.reasons, *_paid(costs.get(one.action.id, NOTHING))])
        point = f"[{only[one.action.id]}] " if one.action.id in only else ""
        lines.append(hang(f"{shown:8} {WORDS[one.status]:8} {one.action.label:{widest}} ", point + note, width))
    return "\n".join(lines)


def _money(paid: "Bill | None") -> str:
    if paid is None or not paid.is_paid:
        return "No money."
    said = str(paid)
    return f"{said[0].upper()}{said[1:]}."


def _paid(estimate: Estimate) -> Iterator[str]:
    """Yield what a paid action costs, and how many tokens that is."""
    if estimate.n_tokens is not None:
        yield f"{'about ' if estimate.estimated else ''}{estimate.n_tokens:,} tokens"
    if estimate.cost_usd != 0:
        yield estimate.dollars()


def _at_once(n_jobs: int, points: Sequence[Point]) -> str:
    """Return how many jobs the provider is given at a time, where it is fewer than there are."""
    most = {point.composed.tree["provider"].get("at_once", 1) for point in points}
    return f", {min(most)} at a time (provider.at_once)" if len(most) == 1 and min(most) < n_jobs else ""


def _expected(points: list[Point], planned: list[Planned], store: Store) -> str:
    """Return how long the plan will take, "" where nothing like it has run or it is a matter of seconds."""
    if all(one.status == "HIT" for one in planned):
        return ""
    from ftbuild.durations import expected  # slow, and there is nothing to say otherwise

    found = expected(planned, points, store)
    if found.seconds < SECONDS_TOLD:
        return ""
    rest = f"; not counted, for none has run here: {', '.join(found.unknown)}" if found.unknown else ""
    return f"about {duration(found.seconds)} one after the other, as earlier ones took here{rest}."


def _tail(
    planned: list[Planned],
    paid: "Bill | None",
    options: Options,
    width: int,
    time: str = "",
    points: Sequence[Point] = (),
) -> str:
    statuses = Counter(WORDS[one.status] for one in planned)
    hits = statuses.pop("cached", 0)
    if not statuses:
        return f"\nPlan: nothing to do, {hits} cached."
    runs = statuses.pop("run", 0)
    parts = [
        *([f"{runs} action{'s' if runs > 1 else ''} to run"] if runs else []),
        *([f"{statuses['attach']} to attach to"] if statuses["attach"] else []),
        *([f"{statuses['wait']} to wait for"] if statuses["wait"] else []),
        *(f"{statuses[word]} {word}" for word in ("failed", "blocked") if statuses[word]),
        f"{hits} cached",
    ]
    if len(points) > 1:
        jobs = sum(one.action.kind is JOB and one.status in ("RUN", "MAYBE") for one in planned)
        parts = [f"{len(points)} points", f"{jobs} new job{'s' * (jobs != 1)}{_at_once(jobs, points)}", *parts]
    roots = [one for one in planned if one.status in ("RUN", "FAILED", "ATTACH", "WAIT")]
    why = list(dict.fromkeys(reason for one in roots for reason in one.reasons))
    rest = f"; and {len(why) - REASONS_AT_MOST} more" if len(why) > REASONS_AT_MOST else ""
    command = ["ftbuild", *options.command, *(["-m"] if options.multirun else [])]
    lines = [
        "\n" + hang("Plan: ", f"{', '.join(parts)}. {_money(paid)}", width),
        *(["Without paying: add provider.rehearsed=true."] if paid and paid.is_paid else []),
        *([hang("Time: ", time, width)] if time else []),
        hang("Why: ", f"{'; '.join(why[:REASONS_AT_MOST])}{rest}.", width),
    ]
    failed = [one.reasons[0].split()[0] for one in roots if one.status == "FAILED"]
    lines += [f"Launch it again: ftbuild retry {job}" for job in failed] or [f"Do it: {shlex.join(command)}"]
    return "\n".join(lines)
