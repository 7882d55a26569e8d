"""Write runs with the wandb package, in a process of its own: the only module that imports it.

    python -m ftbuild.trackers.wandb_writer FOLDER

FOLDER holds `how.json` and `asked.jsonl`, a WandbRun a line; a line of `told.jsonl` says what became of
each, up to the first that went wrong: wandb does not begin a run again in the same process. A process of
its own also because wandb may hang where no time-out of its own reaches; then the watch here ends it.
"""

import json
import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftbuild.ledger.lock import hold
from ftbuild.trackers.wandb_run import JOB_TYPE, WandbRun

if TYPE_CHECKING:
    import wandb

GRACE_SECONDS = 20.0  # beyond wandb's own time-outs, for what no server is asked for: loading it, starting its service
HUNG = 3
REFUSALS = ("/file_stream", "file transfer: upload: failed", "failed to log artifact")  # in errors of wandb's log


@dataclass(frozen=True)
class How:
    """`folder` is where wandb writes `wandb/...`; `mode` is online or offline."""

    folder: Path
    mode: str
    timeout_seconds: float


def opened(run: WandbRun, how: How) -> "wandb.Run":
    """Begin or continue a run.

    Raises:
        Exception: whatever wandb raises, in bounded time.
    """
    import wandb

    how.folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        mode=how.mode,
        silent=True,
        console="off",
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        save_code=False,
        init_timeout=how.timeout_seconds,
        finish_timeout=how.timeout_seconds,
        finish_timeout_raises=True,
        summary_timeout=int(how.timeout_seconds) + 1,
        x_graphql_timeout_seconds=how.timeout_seconds,
        x_file_stream_timeout_seconds=how.timeout_seconds,
    )
    return wandb.init(
        dir=str(how.folder),
        project=run.project,
        entity=run.entity,
        id=run.id,
        resume="allow",
        name=run.name,
        group=run.group,
        job_type=JOB_TYPE,
        tags=list(run.tags),
        config=dict(run.config),
        settings=settings,
        reinit="finish_previous",
    )


def log(to: "wandb.Run", rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to the history, each at its step."""
    for row in rows:
        to.log({name: value for name, value in row.items() if name != "step"}, step=row["step"])


def write(run: WandbRun, how: How) -> dict[str, Any]:
    """Write a whole run and return where it lies: `url` online, `folder` always.

    Raises:
        Exception: whatever wandb raises, in bounded time.
    """
    import wandb

    to = opened(run, how)
    place = {"url": to.url if how.mode == "online" else None, "folder": str(Path(str(to.dir)).parent)}
    try:
        log(to, run.history)
        for name, table in run.tables.items():
            to.log({name: wandb.Table(columns=list(table["columns"]), data=[list(row) for row in table["rows"]])})
        to.summary.update(dict(run.summary))
        for each in run.artifacts:
            artifact = wandb.Artifact(each.name, type=each.type, metadata=dict(each.metadata))
            for name, path in each.files.items():
                artifact.add_file(path, name=name, policy="immutable")  # where it lies, no copy
            to.log_artifact(artifact, aliases=list(each.aliases))
        to.finish(exit_code=0)
        if how.mode == "online":
            refuse_refusals(Path(str(place["folder"])))
    except Exception as error:
        raise UnfinishedError(str(place["folder"]), error) from error
    return place


def refuse_refusals(folder: Path) -> None:
    """Raise if the server has refused what was uploaded; wandb itself only notes it in its log (0.31).

    Raises:
        UploadError: it has.
    """
    for path in sorted(folder.glob("logs/*.log")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if '"level":"ERROR"' in line and any(each in line for each in REFUSALS):
                raise UploadError(f"the server has not taken all of it; {path.name} in {path.parent} says more")


class UploadError(Exception):
    """A server has refused a part of a run."""


class UnfinishedError(Exception):
    """A run was begun and could not be finished; what was written lies in `folder`."""

    def __init__(self, folder: str, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.folder = folder


@contextmanager
def alone(how: How, run_id: str) -> Iterator[None]:
    """Wait until no other process writes this run, and hold it: two at once would number the same rows anew.

    Offline every process writes a run of its own, and waits for none.

    Raises:
        StoreError: the lock file cannot be written.
    """
    if how.mode != "online":
        yield
        return
    with hold(how.folder / "wandb" / ".state" / f"{run_id}.lock"):
        yield


@contextmanager
def watched(seconds: float, hung: str = "", clears: Path | None = None) -> Iterator[None]:
    """End this process if what is done here takes longer, after saying `hung` on stderr and clearing a folder."""

    def end() -> None:
        print(hung, file=sys.stderr, flush=True)
        if clears is not None:
            shutil.rmtree(clears, ignore_errors=True)
        os._exit(HUNG)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def written(run: WandbRun, how: How) -> dict[str, Any]:
    """Return what became of a run: `url`, `folder`, and under `error` what went wrong."""
    try:
        with alone(how, run.id):
            return {**write(run, how), "error": None}
    except UnfinishedError as error:
        return {"url": None, "folder": error.folder, "error": str(error)}
    except Exception as error:
        return {"url": None, "folder": None, "error": f"{type(error).__name__}: {error}"}


def main(folder: Path) -> None:
    """Write the runs that are asked for, in their order."""
    said = json.loads((folder / "how.json").read_bytes())
    how = How(Path(said["folder"]), said["mode"], said["timeout_seconds"])
    with (folder / "told.jsonl").open("w", encoding="utf-8") as told:
        for line in (folder / "asked.jsonl").read_text(encoding="utf-8").splitlines():
            with watched(2 * how.timeout_seconds + GRACE_SECONDS, "wandb hangs"):
                result = written(WandbRun.from_json(json.loads(line)), how)
            told.write(json.dumps(result) + "\n")
            told.flush()
            if result["error"] is not None:
                break
    sys.stderr.flush()
    os._exit(0)  # wandb's own end would wait for a server that does not answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
