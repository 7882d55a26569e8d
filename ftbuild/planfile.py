"""The machine-readable plan: its promised form, and a plan kept in a file to be built as it stands.

A kept plan is the same form with the command that was planned. Building it plans again and compares:
whatever has drifted since (a setting, a source, a result, a version) is refused before anything runs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbuild.errors import ConfigError, PlanError
from ftbuild.lookup import Planned
from ftbuild.plan.estimate import NOTHING, Estimate, total
from ftbuild.problem import Problem
from ftbuild.store import durable

COMPARED = ("key", "status")
TOLD_AT_MOST = 8


@dataclass(frozen=True)
class Follows:
    """What may follow the actions of a plan that names only what a sweep begins with: in words, at what cost at most,
    and the digest of all that decides on it.
    """

    said: str
    most: Estimate
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return it as the plan tells it."""
        told = {"said": self.said, "cost_usd": self.most.cost_usd, "n_tokens": self.most.n_tokens}
        return {**told, "digest": self.digest}


def contract(
    planned: Sequence[Planned], costs: Mapping[str, Estimate] | None = None, follows: Follows | None = None
) -> dict[str, Any]:
    """Return the machine-readable plan; its form is a promise to others.

    `costs` say what actions cost, by id; what is not in it costs nothing. Where something may follow, `then`
    says what.
    """
    states = [one.status for one in planned]
    each_cost = {one.action.id: (costs or {}).get(one.action.id, NOTHING) for one in planned}
    sum_ = total(each_cost.values())
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
                "cost_usd": each_cost[one.action.id].cost_usd,
                "n_tokens": each_cost[one.action.id].n_tokens,
                "estimated": each_cost[one.action.id].estimated,
            }
            for one in planned
        ],
        "totals": {
            "run": states.count("RUN"),
            "maybe": states.count("MAYBE"),
            "hit": states.count("HIT"),
            "cost_usd": sum_.cost_usd,
            "n_tokens": sum_.n_tokens,
        },
        **({"then": follows.to_json()} if follows is not None else {}),
    }


def write(
    path: Path,
    command: Sequence[str],
    multirun: bool,
    planned: Sequence[Planned],
    costs: Mapping[str, Estimate] | None = None,
    follows: Follows | None = None,
) -> None:
    """Keep a plan in a file.

    Raises:
        StoreError: the file cannot be written.
    """
    value = {**contract(planned, costs, follows), "command": list(command), "multirun": multirun}
    durable.write(path, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


def read(path: Path) -> dict[str, Any]:
    """Return a kept plan.

    Raises:
        ConfigError: the file cannot be read or holds no plan.
    """
    try:
        value = json.loads(path.read_bytes())
        known = value["schema_version"] == 1 and isinstance(value["command"], list) and value["actions"][0]["id"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        said = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "is no plan"
        raise ConfigError(Problem(said, str(path), fix="make one: ftbuild plan ... --out FILE")) from error
    if not known:
        raise ConfigError(Problem("is a plan of another version", str(path), fix="ftbuild plan ... --out FILE"))
    return value  # type: ignore[no-any-return]


def refuse_drift(
    path: Path, kept: Mapping[str, Any], planned: Sequence[Planned], follows: Follows | None = None
) -> None:
    """Say nothing if what would happen now, and what may follow it, is what the kept plan says.

    Raises:
        PlanError: it is not; with every action that differs.
    """
    then = {(each["label"], each["kind"], each["id"]): each for each in kept["actions"]}
    now = {(each["label"], each["kind"], each["id"]): each for each in contract(planned)["actions"]}
    changed = {name[:2] for name in then if name not in now} & {name[:2] for name in now if name not in then}
    found = []
    for name, each in now.items():
        why = "; ".join(each["reason"])
        if name in then:
            if any(then[name][field] != each[field] for field in COMPARED):
                found.append(f"{each['label']} was {then[name]['status']}, is {each['status']}")
        elif name[:2] in changed:
            found.append(f"{each['label']} has changed{f' ({why})' if why else ''}")
        else:
            found.append(f"{each['label']} is new")
    found += [f"{label} is no longer in it" for label, kind, _ in then if (label, kind) not in {n[:2] for n in now}]
    if (kept.get("then") or {}).get("digest") != (follows.digest if follows else None):
        found.append("what may follow has changed")
    if found:
        rest = [f"and {len(found) - TOLD_AT_MOST} more"] if len(found) > TOLD_AT_MOST else []
        raise PlanError(
            Problem(
                "what would be built is no longer what was planned",
                str(path),
                why="; ".join(found[:TOLD_AT_MOST] + rest),
                fix="plan again and look at it: ftbuild plan ... --out FILE",
            )
        )
