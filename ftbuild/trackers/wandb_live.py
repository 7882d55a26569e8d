"""A run that grows while its job trains: a process of its own passes on what is told, as it comes.

    python -m ftbuild.trackers.wandb_live FOLDER

Whoever tells appends rows to a file and waits for nothing. The process ends when its standard input is closed, which
the death of whoever tells does too: it finishes the run and takes FOLDER away. Whatever goes wrong there, the run is
sent whole when the build is done (wandb_send.py); wandb then adds what is missing, for a history takes each step once
and none before an earlier one. So nothing is passed on that could come too late for another.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ftbuild.trackers.wandb_account import Account
from ftbuild.trackers.wandb_run import WandbRun, curves
from ftbuild.trackers.wandb_writer import GRACE_SECONDS, How, alone, opened, watched

RUN, ROWS, URL = "run.json", "rows.jsonl", "url"
LOOK_SECONDS = 0.2

Row = Mapping[str, Any]


class Steps:
    """Puts the rows of a job into an order that a history takes: 1, 2, 3 and so on.

    What comes after a gap waits for the gap to be filled, the newest step for the next one: more may be told of it.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, dict[str, Any]] = {}
        self._last = 0

    def add(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows that can be passed on now; `rows` may come in any order, and more than once."""
        for row in rows:
            if row["step"] > self._last or not self._last:
                known = self._waiting.setdefault(int(row["step"]), {})
                known |= {name: value for name, value in row.items() if value is not None}
        ready: list[Row] = []
        while min(self._waiting, default=0) == self._last + 1 and len(self._waiting) > 1:
            self._last += 1
            ready.append(self._waiting.pop(self._last))
        return ready


class Live:
    """A run under way. Nothing here waits, and nothing raises; without a `folder` nobody listens."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder, self._steps = folder, Steps()

    def add(self, rows: Iterable[Row]) -> None:
        """Pass on what a job has measured, as far as its steps are told without a gap."""
        if self._folder is None or not (ready := curves(self._steps.add(rows))):
            return
        try:
            with (self._folder / ROWS).open("a", encoding="utf-8") as file:
                file.write("".join(f"{json.dumps(row)}\n" for row in ready))
        except OSError:  # whoever listened has gone, or the disk is full: the run is sent whole in the end
            self._folder = None

    def url(self) -> str | None:
        """Return the page of the run once it is there."""
        with suppress(OSError):
            if self._folder is not None:
                return (self._folder / URL).read_text(encoding="utf-8")
        return None


@contextmanager
def live(
    run: WandbRun, by: Account, outputs: Path, environment: Mapping[str, str], timeout_seconds: float
) -> Iterator[Live]:
    """Let a process write the run while the block runs; it goes on for a moment behind our back."""
    process, folder = None, None
    with suppress(OSError):
        beside = outputs / "wandb" / ".state"
        beside.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="live-", dir=beside))
        how = {"folder": str(outputs), "mode": by.mode, "timeout_seconds": timeout_seconds}
        (folder / RUN).write_text(json.dumps({"how": how, "run": run.to_json()}), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "ftbuild.trackers.wandb_live", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=by.environment(outputs, environment),
            start_new_session=True,  # Ctrl-C reaches us alone
        )
    if process is None:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        yield Live()
        return
    try:
        yield Live(folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        threading.Thread(target=process.wait, daemon=True).start()  # so that it leaves nothing behind when it ends


def rows(path: Path, gone: threading.Event) -> Iterator[Row]:
    """Yield what is written into a file, each line once, until nobody writes any more."""
    at = 0
    while True:
        is_last = gone.wait(LOOK_SECONDS)
        whole = b""
        if path.exists():
            with path.open("rb") as file:
                file.seek(at)
                whole = file.read().rpartition(b"\n")[0]
        at += len(whole) + bool(whole)
        yield from map(json.loads, whole.splitlines())
        if is_last:
            return


def main(folder: Path) -> None:
    """Write one run as it grows, and end in bounded time after whoever tells."""
    said = json.loads((folder / RUN).read_bytes())
    how, run = How(Path(said["how"].pop("folder")), **said["how"]), WandbRun.from_json(said["run"])
    gone = threading.Event()

    def wait_for_the_end() -> None:
        while os.read(0, 4096):
            pass
        gone.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    try:
        _follow(run, how, folder, gone)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.flush()
        os._exit(0)  # wandb's own end would wait for a server that does not answer


def _follow(run: WandbRun, how: How, folder: Path, gone: threading.Event) -> None:
    with alone(how, run.id):
        with watched(how.timeout_seconds + GRACE_SECONDS, clears=folder):
            to = opened(run, how)
        (folder / URL).write_text(str(to.url), encoding="utf-8")
        for row in rows(folder / ROWS, gone):
            to.log({name: value for name, value in row.items() if name != "step"}, step=row["step"], commit=True)
        with watched(how.timeout_seconds + GRACE_SECONDS, clears=folder):
            to.finish(exit_code=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
