"""Send finished runs to Weights & Biases: what is told of them, when, and what people hear of it.

A run is sent once: `wandb.json` in its folder says where it is, and is written only when all went well.
A second try continues the same run, whose id follows from what was asked for and its job. Online it begins with
the job and grows while that trains. The tracker never fails a build: what goes wrong is a warning.
"""

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftbuild import runs
from ftbuild.digest import of_value
from ftbuild.errors import ConfigError, FtbuildError
from ftbuild.example import SPLITS
from ftbuild.history import Run
from ftbuild.outcome import Build
from ftbuild.points import Point
from ftbuild.problem import Problem, render
from ftbuild.store import durable
from ftbuild.trackers import wandb_run
from ftbuild.trackers.wandb_account import INSTALL, Account, account, installed
from ftbuild.trackers.wandb_live import Live, live
from ftbuild.trackers.wandb_run import Artifact, WandbRun
from ftbuild.trackers.wandb_send import send
from ftbuild.world import World

if TYPE_CHECKING:
    from ftbuild.settings import Tracker

SENT = "wandb.json"
ID_LETTERS = 20


@dataclass(frozen=True)
class Finished:
    """A point of a build, what happened to its actions, and its run."""

    point: Point
    done: Build
    run: Run


def wanted(point: Point) -> "Tracker | None":
    """Return the tracker of a point that sends its run from here, None for one that does not."""
    if point.composed.tree["tracker"]["kind"] == "local":  # read off the tree: the settings cost time
        return None
    tracker = point.composed.settings.tracker
    return tracker if tracker.here else None


def refuse_unready(points: Iterable[Point], environment: Mapping[str, str]) -> None:
    """Refuse what could not be tracked, before anything runs.

    Raises:
        ConfigError: the package is not there, or runs are to go online without a key.
    """
    trackers = [tracker for point in points if (tracker := wanted(point)) is not None]
    why = "Nothing has run."
    for tracker in trackers:
        by = _account(tracker, environment)
        if by.mode != "disabled" and not installed():
            what, fix = "tracker=wandb needs the package wandb, which is not installed", f"{INSTALL}, or tracker=local"
            raise ConfigError(Problem(what, why=why, fix=fix))
        if tracker.mode == "online" and by.mode != "online":
            fix = f"export {tracker.api_key_env}=..., or tracker.mode=offline"
            raise ConfigError(Problem(f"tracker.mode is online, and {by.why}", why=why, fix=fix))


def track(finished: Sequence[Finished], world: World, sweep: Sequence[str] | None) -> list[str]:
    """Send the runs that are not sent yet and return what to say; `sweep` are the words that asked for several."""
    try:
        return _tracked(finished, world, sweep)
    except (FtbuildError, OSError) as error:
        return [render([_warning([str(error)], None, len(finished))])]


def _tracked(finished: Sequence[Finished], world: World, sweep: Sequence[str] | None) -> list[str]:
    batches: dict[str, list[tuple[Finished, Tracker]]] = {}
    for each in finished:
        if (tracker := wanted(each.point)) is not None:
            target = _target(tracker, _account(tracker, world.environment))
            if _sent_before(each.run) != target and target["mode"] != "disabled":
                batches.setdefault(json.dumps(target), []).append((each, tracker))
    lines: list[str] = []
    for batch in batches.values():
        lines += _batch(batch, world, sweep)
    return lines


def _batch(batch: "Sequence[tuple[Finished, Tracker]]", world: World, sweep: Sequence[str] | None) -> list[str]:
    """Send runs that go to one place."""
    tracker = batch[0][1]
    by = _account(tracker, world.environment)
    described = [described_run(each, one, world, sweep) for each, one in batch]
    told = send(described, by, world.outputs, world.environment, tracker.timeout_seconds)
    lines = [f"W&B: {each.url}" for each in told if each.url is not None and each.error is None]
    for (each, one), run, sent in zip(batch, described, told, strict=True):
        if sent.error is None:
            value = {"schema_version": 1, "id": run.id, "target": _target(one, by), "url": sent.url}
            durable.write(each.run.folder / SENT, json.dumps(value, indent=1).encode() + b"\n")
    kept = [os.path.relpath(each.folder) for each in told if each.folder is not None and not (each.url or each.error)]
    if kept:
        folder = shlex.quote(os.path.dirname(kept[0]))
        lines.append(f"W&B: offline, since {by.why}. Look: wandb leet {folder}     Send: {_sync(kept, by, tracker)}")
    if errors := list(dict.fromkeys(each.error for each in told if each.error is not None)):
        lost = [os.path.relpath(each.folder) for each in told if each.error is not None and each.folder is not None]
        lines.append(render([_warning(errors, _sync(lost, by, tracker) if lost else None, len(told))]))
    return lines


def _warning(errors: Sequence[str], sync: str | None, n: int) -> Problem:
    which = "the run is not" if n == 1 else "not all runs are"
    return Problem(
        f"W&B: {which} sent: {errors[0].strip()}",
        why="The build is done all the same; its metrics are in its folder.",
        fix=f"{sync}, or the same command again." if sync else "the same command again.",
        severity="warning",
    )


def _sync(folders: Sequence[str], by: Account, tracker: "Tracker") -> str:
    server = f"WANDB_BASE_URL={by.base_url} " if tracker.base_url else ""
    return f"{server}wandb sync {shlex.join(folders)}"


def run_id(point: Point, job_id: str | None) -> str:
    """Return the id of a point's run, known while its job trains: of what is asked for (its report) and of the job.

    A job that is launched once more has a run of its own: a history keeps the steps of the one that failed.
    """
    return of_value(["wandb run", point.composed.experiment, point.ids[-1], job_id])[:ID_LETTERS]


@contextmanager
def growing(point: Point, job_id: str, world: World, sweep: Sequence[str] | None) -> Iterator[Live]:
    """Let the run of a point grow while its job trains, where it goes online from here; what it lacks follows."""
    tracker = wanted(point)
    by = _account(tracker, world.environment) if tracker is not None else None
    if tracker is None or by is None or by.mode != "online":
        yield Live()
        return
    composed = point.composed
    base_model, experiment = composed.settings.model.id, composed.experiment
    run = WandbRun(
        id=run_id(point, job_id),
        project=tracker.project,
        entity=tracker.entity,
        name=wandb_run.run_name(experiment, point.command),
        group=wandb_run.group(experiment, sweep),
        tags=wandb_run.tags(base_model, job_id, [experiment, *tracker.tags]),
        config={
            "model": base_model,
            "seed": composed.settings.seed,
            "experiment": experiment,
            "settings": composed.tree,
        },
    )
    with live(run, by, world.outputs, world.environment, tracker.timeout_seconds) as told:
        yield told


def described_run(each: Finished, tracker: "Tracker", world: World, sweep: Sequence[str] | None) -> WandbRun:
    """Return what is told of a finished run."""
    composed, told = each.point.composed, each.run.told
    report = json.loads(each.done.store.get(_output(each.done, "report", "report.json")))
    training = report["training"]
    base_model = composed.settings.model.id
    config = {
        "model": base_model,
        "hyperparameters": training["hyperparameters"] if training else None,
        "seed": composed.settings.seed,
        "experiment": composed.experiment,
        "dataset": told["dataset"],
        "settings": composed.tree,
        **{name: told.get(name) for name in ("command", "commit", "dirty", "jobs", "provider", "result_id", "run_id")},
    }
    return WandbRun(
        id=run_id(each.point, next(iter(told["jobs"]), None)),
        project=tracker.project,
        entity=tracker.entity,
        name=wandb_run.run_name(composed.experiment, each.point.command),
        group=wandb_run.group(composed.experiment, sweep),
        tags=wandb_run.tags(base_model, next(iter(told["jobs"]), None), [composed.experiment, *tracker.tags]),
        config=config,
        history=wandb_run.curves(_steps(each.done)),
        summary=wandb_run.summary(report["results"], training),
        tables={"evaluation": wandb_run.evaluation(report["examples"], report["results"]["arms"])}
        if tracker.examples
        else {},
        artifacts=_artifacts(each, world) if tracker.examples else [],
    )


def _artifacts(each: Finished, world: World) -> list[Artifact]:
    """Return the dataset and the report, as files that lie here, known by our digests."""
    experiment, told = each.point.composed.experiment, each.run.told
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", experiment)
    dataset = str(told["dataset"]["digest"])
    built = runs.check_out_dataset(world, each.point.composed, each.done)
    there = [f"{split}.jsonl" for split in SPLITS if split in told["dataset"]["counts"]]
    files = (*there, "manifest.json", "card.md")
    page = _output(each.done, "report", "report.html")
    facts = {name: told[name] for name in ("experiment", "result_id", "verdict", "ending")}
    return [
        Artifact(
            f"{name}-dataset",
            "dataset",
            {"digest": dataset, "experiment": experiment, "counts": told["dataset"]["counts"]},
            [dataset[:12]],
            {file: str((built / file).absolute()) for file in files},
        ),
        Artifact(
            f"{name}-report",
            "report",
            {"digest": page, "dataset": dataset, **facts},
            [page[:12]],
            {"report.html": str((each.run.folder / "report.html").absolute())},
        ),
    ]


def _steps(done: Build) -> list[dict[str, Any]]:
    """Return the steps of the job, none where nothing was trained."""
    if not any(ran.action.kind.name == "job" for ran in done.ran.values()):
        return []
    return [json.loads(line) for line in done.store.get(_output(done, "job", "metrics.jsonl")).splitlines()]


def _output(done: Build, kind: str, name: str) -> str:
    """Return the digest of an output of the only action of its kind."""
    return next(ran.record.outputs[name] for ran in done.ran.values() if ran.action.kind.name == kind)


def _account(tracker: "Tracker", environment: Mapping[str, str]) -> Account:
    return account(environment, tracker.mode, tracker.api_key_env, tracker.base_url)


def _target(tracker: "Tracker", by: Account) -> dict[str, Any]:
    """Return where a run goes."""
    return {"project": tracker.project, "entity": tracker.entity, "base_url": by.base_url, "mode": by.mode}


def _sent_before(run: Run) -> Any:
    """Return where a run was sent, None where it was not."""
    try:
        return json.loads((run.folder / SENT).read_bytes())["target"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
