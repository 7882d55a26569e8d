"""The runs: outputs/runs/<run id>/ with run.json, the report, the misses and the metrics.

A run is named by the second it began in; its empty folder is made at once, so no two runs share a name.
A build that found everything done points `latest` at the run that did it; if that folder is gone it
is written again from the store, under its old name.
"""

import json
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftbuild.composed import Composed
from ftbuild.dataset import offered
from ftbuild.digest import of_value
from ftbuild.example import splits_in
from ftbuild.history import SCHEMA_VERSION, Run, listed
from ftbuild.outcome import Build, Ran, result_id
from ftbuild.report.input import ReportInput
from ftbuild.runners.formats import json_file
from ftbuild.store import durable
from ftbuild.trackers import local
from ftbuild.world import World


def describe(
    composed: Composed, command: tuple[str, ...], world: World, started_at: float, commit: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the facts of a run that began at `started_at`: for run.json and the report, in no key. Makes its folder.

    `commit` is what `git_state` says.

    Raises:
        StoreError: the folder cannot be made.
    """
    started = datetime.fromtimestamp(started_at, UTC)
    run_id = _claim(world, f"{started:%Y%m%d-%H%M%S}-{composed.experiment}")
    return {
        "run_id": run_id,
        "path": str((world.outputs / "runs" / run_id).relative_to(world.root)),
        "experiment": composed.experiment,
        "description": composed.description,
        "command": f"ftbuild {shlex.join(command)}".strip(),
        "overrides": list(composed.overrides),
        **commit,
        "started_at": started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "provider": composed.settings.provider.title,
        "cost_usd": 0,
    }


def settings_lines(composed: Composed) -> list[dict[str, Any]]:
    """Return every value of the config with the place that set it, for the report."""
    return [
        {"key": key, "value": value, "origin": str(composed.origins.of(key) or "")}
        for key, value in _leaves("", composed.tree)
    ]


def git_state(root: Path) -> dict[str, Any]:
    """Return the commit of the project and whether it is dirty; null and false where there is no git."""
    commit = _git(root, "rev-parse", "HEAD")
    return {"commit": commit or None, "dirty": bool(commit and _git(root, "status", "--porcelain"))}


def uncommitted(root: Path, path: str) -> bool:
    """Return whether a file of the project has changes that are in no commit; False where there is no git."""
    return bool(_git(root, "status", "--porcelain", "--", path))


def write(world: World, run: Mapping[str, Any], done: Build) -> Run:
    """Write the folder of a run that has just ended."""
    actions = [{**_action(ran), "status": ran.status, "seconds": ran.seconds} for ran in done.ran.values()]
    return _write(world, run, actions, done)


def tell(run: Run, sweep: Mapping[str, Any] | None) -> Run:
    """Return the run with its part in the sweep it was built in last, which its run.json then tells.

    Raises:
        StoreError: it cannot be written.
    """
    if sweep is None or run.told.get("sweep") == sweep:
        return run
    value = {**run.told, "sweep": sweep}
    durable.write(run.folder / "run.json", json_file(value))
    return Run(run.folder, value)


def restore(world: World, experiment: str, done: Build) -> Run | None:
    """Write the folder of the run that made what `done` found, from the store.

    None when that run was another experiment's, or its folder is there and holds something else.
    """
    gathered = report_input(done)
    folder = world.outputs / "runs" / str(gathered.run["run_id"])
    if gathered.run["experiment"] != experiment or folder.exists():
        return None
    told = {each["label"]: each for each in gathered.actions}
    actions = []
    for ran in done.ran.values():
        # The report is drawn from what ran before it, so it does not tell of itself.
        then = told.get(ran.action.label, {"status": "RUN", "seconds": ran.record.seconds})
        actions.append({**_action(ran), "status": then["status"], "seconds": then["seconds"]})
    return _write(world, gathered.run, actions, done)


def _action(ran: Ran) -> dict[str, Any]:
    return {"label": ran.action.label, "kind": ran.action.kind.name, "key": ran.record.key}


def _write(world: World, run: Mapping[str, Any], actions: list[dict[str, Any]], done: Build) -> Run:
    folder = world.outputs / "runs" / str(run["run_id"])
    report = _the(done, "report").record.outputs
    for name in ("report.html", "report.json", "misses.jsonl"):
        durable.write(folder / name, done.store.get(report[name]))
    gathered = json.loads(done.store.get(report["report.json"]))
    training = gathered["training"]
    local.write(folder / "metrics.jsonl", _metrics(gathered))
    value = {
        "schema_version": SCHEMA_VERSION,
        **{name: run[name] for name in run if name not in ("settings_lines", "seconds")},
        "seconds": round(sum(each["seconds"] for each in actions), 1),
        "result_id": result_id(done),
        "actions": actions,
        "dataset": {name: gathered["dataset"][name] for name in ("digest", "counts")},
        "jobs": [training["job_id"]] if training else [],
        "fine_tuned_model": training["model"] if training else None,
        "metrics": gathered["results"]["metrics"],
        "goal": gathered["results"]["goal"],
        "ending": gathered["results"]["ending"],
        "verdict": gathered["results"]["verdict"],
        "arm": gathered["results"]["arm"],
        "rehearsed": gathered["results"].get("rehearsed", False),
        "levers": gathered["results"].get("levers"),
        "retrieval": gathered["retrieval"],
        "arms": gathered["arms"],
        "paths": {"report": "report.html", "misses": "misses.jsonl", "metrics": "metrics.jsonl"},
    }
    durable.write(folder / "run.json", json_file(value))
    return Run(folder, value)


def release(world: World, run: Mapping[str, Any]) -> None:
    """Take the folder of a run away if nothing was written to it."""
    with suppress(OSError):
        (world.outputs / "runs" / str(run["run_id"])).rmdir()


def report_input(done: Build) -> ReportInput:
    """Return what the report of a build was drawn from."""
    return ReportInput.from_json(json.loads(done.store.get(_the(done, "report").record.outputs["report.json"])))


def results(done: Build) -> Mapping[str, Any]:
    """Return what the comparison of a build came to."""
    found: Mapping[str, Any] = json.loads(done.store.get(_the(done, "compare").record.outputs["results.json"]))
    return found


def point_latest(world: World, folder: Path) -> None:
    """Make outputs/runs/latest a relative link to a run."""
    latest = world.outputs / "runs" / "latest"
    if not latest.is_symlink() or str(latest.readlink()) != folder.name:
        durable.link(folder.name, latest)


def by_result(world: World) -> dict[tuple[str, str], Run]:
    """Return the newest run of each experiment and result."""
    found: dict[tuple[str, str], Run] = {}
    for run in listed(world)[0]:
        found.setdefault((run.told["experiment"], run.told["result_id"]), run)
    return found


def check_out_dataset(world: World, composed: Composed, done: Build) -> Path:
    """Write datasets/built/<experiment>/<digest>/ unless it is there; return the folder.

    The same lines may come from elsewhere by now: what is told beside them is then written anew.
    """
    lines = _the(done, "render").record.outputs
    manifest = json.loads(done.store.get(lines["manifest.json"]))
    folder = world.built / composed.experiment / str(manifest["digest"])[:12]
    files = tuple(f"{split}.jsonl" for split in splits_in(lines))
    made = _the(done, "dataset").record.outputs
    beside = [name for name in offered.BESIDE if name in made]
    names = (*files, *beside, "provenance.jsonl", "card.svg", "card.md", "manifest.json")
    told = of_value(["beside.v1", made["provenance.jsonl"], made["dropped.json"], *(made[name] for name in beside)])
    whole = all((folder / name).exists() for name in names)
    if not whole or told.encode() not in (folder / "card.md").read_bytes():
        from ftbuild.described import described
        from ftbuild.profiles import profiles

        known = profiles(world.root, world.environment)
        written = described(done.store, made, lines, composed.settings, manifest["digest"], told, known)
        for name in files:
            durable.write(folder / name, done.store.stream(lines[name]))
        for name in beside:
            durable.write(folder / name, done.store.stream(made[name]))
        for name, content in written.items():
            durable.write(folder / name, content)
        durable.write(folder / "manifest.json", done.store.get(lines["manifest.json"]))
    return folder


def _the(done: Build, kind: str) -> Ran:
    return next(ran for ran in done.ran.values() if ran.action.kind.name == kind)


def _metrics(gathered: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for step in (gathered["training"] or {"steps": []})["steps"]:
        values = {name: step[name] for name in ("train_loss", "valid_loss") if step[name] is not None}
        yield {"name": "training", "step": step["step"], "values": values}
    for metric in gathered["results"]["metrics"]:
        for arm, numbers in metric["arms"].items():
            yield {"name": metric["metric"], "slice": metric["slice"], "arm": arm, "values": numbers}


def _claim(world: World, wanted: str) -> str:
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, 1000))]
    return next(name for name in names if durable.claim(world.outputs / "runs" / name))


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(f"{prefix}.{name}" if prefix else str(name), each)
    else:
        yield prefix, value


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
