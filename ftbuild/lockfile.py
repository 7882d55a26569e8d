"""The lock file beside an experiment: NAME.lock.json, for git.

Pins what goes in: the id of every action (kind, version, keyed settings, sources), the key of those
that nothing paid lies above, the dataset's digest. Records what came out: job, model, metrics, cost.
Written only by a build that the experiment's file alone asked for; `--locked` compares what goes in.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbuild.errors import ConfigError, PlanError
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.points import Point
from ftbuild.problem import Problem
from ftbuild.store import durable

VERSION = 1
TOLD_AT_MOST = 8


def place(root: Path, point: Point) -> Path | None:
    """Return the lock file of a point; None where its experiment is not the project's own, or overridden."""
    name = point.composed.experiment
    own = root / "conf" / "experiment" / f"{name}.yaml"
    alone = [word for word in point.command if word != "sweep=none"] == [f"+experiment={name}"]
    return own.with_name(f"{name}.lock.json") if alone and own.is_file() else None


def read(path: Path) -> dict[str, Any] | None:
    """Return what a lock file says, None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        value = json.loads(path.read_bytes())
        if value["schema_version"] != VERSION or not isinstance(value["actions"], dict):
            raise ValueError("of another version")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            Problem("the lock file cannot be read", str(path), fix="take it from git, or delete it and build again.")
        ) from error
    return value  # type: ignore[no-any-return]


def job_of(lock: Mapping[str, Any] | None, key: str) -> str | None:
    """Return the id of the job that a lock file remembers for `key`."""
    if lock is None or not any(each["key"] == key and each["kind"] == "job" for each in lock["actions"].values()):
        return None
    return (lock.get("result") or {}).get("job_id")


def refuse_change(shown: str, lock: Mapping[str, Any] | None, actions: Sequence[Action]) -> None:
    """Say nothing if what goes into the build is what was locked.

    Raises:
        PlanError: it is not, or there is no lock file.
    """
    if lock is None:
        raise PlanError(Problem("no lock file", shown, fix="build once without --locked and commit the file."))
    then = {label: each["id"] for label, each in lock["actions"].items()}
    now = {action.label: action.id for action in actions}
    found = [f"{label} is no longer in it" for label in then if label not in now]
    found += [f"{label} is new" for label in now if label not in then]
    first = [action.label for action in actions if then.get(action.label, action.id) != action.id]
    found += [f"{label} has changed" for label in first]
    if found:
        rest = [f"and {len(found) - TOLD_AT_MOST} more"] if len(found) > TOLD_AT_MOST else []
        raise PlanError(
            Problem(
                "what would be built is not what is locked",
                shown,
                why="; ".join(found[:TOLD_AT_MOST] + rest),
                fix="ftbuild why says what changed; build without --locked to lock anew.",
            )
        )


def write(path: Path, done: Build, run: Mapping[str, Any]) -> None:
    """Write the lock file of a finished point unless it says the same already.

    Raises:
        StoreError: it cannot be written.
    """
    value = {
        "schema_version": VERSION,
        "experiment": run["experiment"],
        "dataset": run["dataset"],
        "actions": {
            ran.action.label: {
                "kind": ran.action.kind.name,
                "id": ran.action.id,
                "key": ran.record.key if name in _reproducible(done) else None,
            }
            for name, ran in done.ran.items()
        },
        "result": {
            "provider": run["provider"],
            "job_id": next(iter(run["jobs"]), None),
            "fine_tuned_model": run["fine_tuned_model"],
            "ending": run["ending"],
            "verdict": run["verdict"],
            **({"rehearsed": True} if run.get("rehearsed") else {}),
            "metrics": {
                f"{metric['metric']}{'@' + metric['slice'] if metric['slice'] else ''}": {
                    arm: numbers["mean"] for arm, numbers in metric["arms"].items()
                }
                for metric in run["metrics"]
            },
            "cost_usd": run["cost_usd"],
            "built_at": run["started_at"],
        },
    }
    content = json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
    if not path.is_file() or path.read_bytes() != content:
        durable.write(path, content)


def _reproducible(done: Build) -> set[str]:
    """Return the ids of the actions whose key is the same wherever they are built: those with nothing paid above.

    What is not among `done` is the job of the round before.
    """
    found: set[str] = set()
    for name, ran in done.ran.items():
        above = [done.ran.get(each.action) for each in ran.action.inputs]
        if all(each and each.action.id in found and each.action.kind.contract == "pure" for each in above):
            found.add(name)
    return found
