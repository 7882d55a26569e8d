"""`ftbuild plan`: what a build would do, and why. Writes nothing."""

import json
import shlex
from typing import Any

from ftbuild.cli.build import compositions, graph_of, world_of
from ftbuild.cli.options import Options
from ftbuild.compose import Composed
from ftbuild.engine import LedgerFolder, Planned, look_up
from ftbuild.errors import ExitCode
from ftbuild.settings import Condition, Goal
from ftbuild.store.store import Store

WORDS = {"HIT": "cached", "RUN": "run", "MAYBE": "run", "ATTACH": "attach", "BLOCKED": "blocked", "FAILED": "failed"}


def plan(options: Options) -> int:
    """Print the plan of one experiment, or of every point of a sweep with equal actions told once."""
    composed = compositions(options)
    world = world_of(options)
    store, ledger = Store(world.store), LedgerFolder(world)
    planned: dict[str, Planned] = {}
    for each in composed:
        for one in look_up(graph_of(each, judged=not options.smoke), store, ledger):
            planned.setdefault(one.action.id, one)
    if options.format == "json":
        print(json.dumps(_contract(list(planned.values())), indent=1))
        return int(ExitCode.DONE)
    print(_head(composed, smoke=options.smoke))
    print(_table(list(planned.values())))
    print(_tail(list(planned.values()), options))
    return int(ExitCode.DONE)


def _contract(planned: list[Planned]) -> dict[str, Any]:
    """Return the machine-readable plan; its form is a promise to others."""
    states = [one.status for one in planned]
    return {
        "schema_version": 1,
        "actions": [
            {
                "id": one.action.id,
                "key": one.key,
                "kind": one.action.kind.name,
                "label": one.action.label,
                "status": one.status,
                "reason": one.reasons,
                "inputs": [each.action for each in one.action.inputs],
                "cost_usd": 0,
                "n_tokens": None,
                "estimated": False,
            }
            for one in planned
        ],
        "totals": {
            "run": states.count("RUN"),
            "maybe": states.count("MAYBE"),
            "hit": states.count("HIT"),
            "cost_usd": 0,
            "n_tokens": None,
        },
    }


def _head(composed: list[Composed], *, smoke: bool) -> str:
    first = composed[0]
    settings = first.settings
    method = settings.method
    epochs = method.hyperparameters.n_epochs
    width = max(len(first.experiment), 8)
    lines = [
        "",
        f"{first.experiment:{width}}   {first.description}",
        f"{'':{width}}   {settings.provider.kind} · {settings.model.title} · {method.type}, "
        f"{epochs} epochs · seed {settings.seed}",
        *([f"{'':{width}}   {len(composed)} points"] if len(composed) > 1 else []),
        "",
        *([] if smoke else _goal(settings.goal)),
    ]
    return "\n".join(lines)


def _goal(goal: Goal) -> list[str]:
    rows = [
        (
            name,
            f"{condition.metric or goal.metric}{f' on {condition.slice}' if condition.slice else ''}",
            _wants(condition),
        )
        for name, condition in [*goal.require.items(), *goal.keep.items()]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [
        f"{'goal' if number == 0 else '':8} {name:{widths[0]}}   {metric:{widths[1]}}   {wants}"
        for number, (name, metric, wants) in enumerate(rows)
    ]


def _wants(condition: Condition) -> str:
    if condition.at_least is not None:
        return f"at least {condition.at_least:.2f}"
    if condition.at_most is not None:
        return f"at most {condition.at_most:.2f}"
    if condition.beats is not None:
        return f"{condition.by:.2f} or more above {condition.beats}" if condition.by else f"above {condition.beats}"
    return f"at most {condition.may_drop:.2f} below {condition.compared_to}"


def _table(planned: list[Planned]) -> str:
    lines, stage = [], ""
    for one in planned:
        shown = one.action.stage if one.action.stage != stage else ""
        stage = one.action.stage
        note = one.record.note if one.record else "; ".join(one.reasons)
        lines.append(f"{shown:8} {WORDS[one.status]:8} {one.action.label:13} {note}".rstrip())
    return "\n".join(lines)


def _tail(planned: list[Planned], options: Options) -> str:
    hits = sum(one.status == "HIT" for one in planned)
    rest = len(planned) - hits
    if not rest:
        return f"\nPlan: nothing to do, {hits} cached."
    roots = [one for one in planned if one.status in ("RUN", "FAILED", "ATTACH")]
    why = dict.fromkeys(f"{reason}" for one in roots for reason in one.reasons)
    return (
        f"\nPlan: {rest} actions to run, {hits} cached. No money.\nWhy: {'; '.join(list(why)[:4])}.\n"
        f"Do it: ftbuild {shlex.join(options.command)}{' -m' if options.multirun else ''}"
    )
