"""The runs: outputs/runs/<run id>/ with run.json, the report, the misses and the metrics.

A build that found everything done points `latest` at the run that did it; if that folder is gone it
is written again from the store.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftbuild.compose import Composed
from ftbuild.dataset import card
from ftbuild.engine import Build, Ran, result_id
from ftbuild.report.input import ReportInput
from ftbuild.runners.workshop import json_file
from ftbuild.store import durable
from ftbuild.trackers import local
from ftbuild.world import World


def describe(composed: Composed, command: tuple[str, ...], world: World) -> dict[str, Any]:
    """Return the facts of a run that starts now: for run.json and the report, in no key."""
    started = datetime.fromtimestamp(world.now(), UTC)
    run_id = _free_id(world, f"{started:%Y%m%d-%H%M%S}-{composed.experiment}")
    commit = _git(world.root, "rev-parse", "HEAD")
    return {
        "run_id": run_id,
        "path": str((world.outputs / "runs" / run_id).relative_to(world.root)),
        "experiment": composed.experiment,
        "description": composed.description,
        "command": f"ftbuild {' '.join(command)}".strip(),
        "overrides": list(composed.overrides),
        "commit": commit or None,
        "dirty": bool(commit and _git(world.root, "status", "--porcelain")),
        "started_at": started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "provider": composed.settings.provider.kind,
        "cost_usd": 0,
        "settings_lines": [
            {"key": key, "value": value, "origin": str(composed.origins.of(key) or "")}
            for key, value in _leaves("", composed.tree)
        ],
    }


def write(world: World, run: Mapping[str, Any], done: Build) -> Path:
    """Write the folder of a run and point `latest` at it; return the folder."""
    folder = world.outputs / "runs" / str(run["run_id"])
    report = _the(done, "report").record.outputs
    for name in ("report.html", "misses.jsonl"):
        durable.write(folder / name, done.store.get(report[name]))
    gathered = json.loads(done.store.get(report["report.json"]))
    training = gathered["training"]
    local.write(folder / "metrics.jsonl", _metrics(gathered))
    value = {
        "schema_version": 1,
        **{name: run[name] for name in run if name != "settings_lines"},
        "result_id": result_id(done),
        "actions": [
            {
                "label": ran.action.label,
                "kind": ran.action.kind.name,
                "key": ran.record.key,
                "status": ran.status,
                "seconds": ran.seconds,
            }
            for ran in done.ran.values()
        ],
        "dataset": {name: gathered["dataset"][name] for name in ("digest", "counts")},
        "jobs": [training["job_id"]] if training else [],
        "fine_tuned_model": training["model"] if training else None,
        "metrics": gathered["results"]["metrics"],
        "goal": gathered["results"]["goal"],
        "ending": gathered["results"]["ending"],
        "verdict": gathered["results"]["verdict"],
        "paths": {"report": "report.html", "misses": "misses.jsonl", "metrics": "metrics.jsonl"},
    }
    durable.write(folder / "run.json", json_file(value))
    point_latest(world, folder)
    return folder


def report_input(done: Build) -> ReportInput:
    """Return what the report of a build was drawn from."""
    return ReportInput.from_json(json.loads(done.store.get(_the(done, "report").record.outputs["report.json"])))


def point_latest(world: World, folder: Path) -> None:
    """Make outputs/runs/latest a relative link to a run."""
    durable.link(folder.name, world.outputs / "runs" / "latest")


def find(world: World, result: str) -> Path | None:
    """Return the newest run with this result."""
    return next((folder for folder, run in history(world) if run["result_id"] == result), None)


def history(world: World) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every finished run, newest first."""
    for path in sorted((world.outputs / "runs").glob("*/run.json"), reverse=True):
        if not path.parent.is_symlink():
            yield path.parent, json.loads(path.read_bytes())


def check_out_dataset(world: World, composed: Composed, done: Build) -> Path:
    """Write datasets/built/<experiment>/<digest>/ unless it is there; return the folder."""
    lines = _the(done, "lines").record.outputs
    manifest = json.loads(done.store.get(lines["manifest.json"]))
    folder = world.built / composed.experiment / manifest["digest"][:12]
    if not (folder / "manifest.json").exists():
        for name in ("train.jsonl", "validation.jsonl", "test.jsonl"):
            durable.write(folder / name, done.store.get(lines[name]))
        provenance = _the(done, "dataset").record.outputs["provenance.jsonl"]
        durable.write(folder / "provenance.jsonl", done.store.get(provenance))
        text = card.write(manifest["digest"], manifest["counts"], composed.settings.dataset.sources)
        durable.write(folder / "card.md", text.encode())
        durable.write(folder / "manifest.json", done.store.get(lines["manifest.json"]))
    return folder


def _the(done: Build, label: str) -> Ran:
    return next(ran for ran in done.ran.values() if ran.action.label == label)


def _metrics(gathered: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for step in (gathered["training"] or {"steps": []})["steps"]:
        values = {name: step[name] for name in ("train_loss", "valid_loss") if step[name] is not None}
        yield {"name": "training", "step": step["step"], "values": values}
    for metric in gathered["results"]["metrics"]:
        for arm, numbers in metric["arms"].items():
            yield {"name": metric["metric"], "slice": metric["slice"], "arm": arm, "values": numbers}


def _free_id(world: World, wanted: str) -> str:
    folder = world.outputs / "runs"
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, 1000))]
    return next(name for name in names if not (folder / name).exists())


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
