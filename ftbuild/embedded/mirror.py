"""The run of Weights & Biases that a job writes where its `integrations` ask for one, as OpenAI's does.

    python -m ftbuild.embedded.mirror STATE JOB NUMBER MODE AFTER

A process of its own reads what the job writes and passes it on, so no server that hangs and no missing
package can hold up or fail a job. It ends soon after the job, or after the process that trains, whose
end it knows by its closed standard input. Where the job is taken up again the next one goes on with the same
run, AFTER as many steps as were told before. The key is the server's own: WANDB_API_KEY where it runs.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftbuild.embedded.state import PAUSED, TERMINAL, Record, State
from ftbuild.trackers import wandb_run
from ftbuild.trackers.wandb_account import INSTALL, account, installed
from ftbuild.trackers.wandb_writer import GRACE_SECONDS, How, log, opened

NAME = "Weights & Biases"
TIMEOUT_SECONDS = 30.0
LOOK_SECONDS = 0.5
SETTLE_SECONDS = 5.0  # until the server has noted the end of a job whose process has died
NO_NUMBERS = ("step", "total_steps")


def start(state: State, job: Record) -> "list[subprocess.Popen[bytes]]":
    """Begin to write the runs that the job asks for, and say so in its events; returns who writes them."""
    if not job["integrations"]:
        return []
    by = account(os.environ)
    if not installed() or by.mode == "disabled":
        why = by.why if installed() else f"the package wandb is not installed where the server runs: {INSTALL}"
        state.add_event(job["id"], f"{NAME}: no run is written, since {why}", level="warn")
        return []
    folder = state.job_folder(job["id"])
    after = str(len(told(state, job["id"])))
    started = []
    for number in range(len(job["integrations"])):
        asked = [str(state.folder), job["id"], str(number), by.mode, after]
        try:
            with (folder / f"wandb-{number}.log").open("wb") as said:
                process = subprocess.Popen(
                    [sys.executable, "-m", "ftbuild.embedded.mirror", *asked],
                    stdin=subprocess.PIPE,
                    stdout=said,
                    stderr=said,
                    env=by.environment(folder, os.environ),
                    start_new_session=True,
                )
        except OSError as error:
            state.add_event(job["id"], f"{NAME}: no run is written: {error}", level="warn")
        else:
            started.append(process)
    if started and by.mode == "online":
        state.add_event(job["id"], f"{NAME}: run {job['id']} goes to {by.base_url}")
    elif started:
        kept = f"{NAME}: run {job['id']} is kept offline, since {by.why} where the server runs"
        state.add_event(job["id"], f"{kept}: wandb sync {folder}/wandb/offline-run-*", level="warn")
    return started


def follow(state: State, job: Record, number: int, mode: str, after: int, gone: threading.Event) -> None:
    """Write a run of a job while it goes on, and its end; `gone` is set when nobody trains it any more."""
    run = wandb_run.of_job(job, job["integrations"][number]["wandb"])
    folder = state.job_folder(job["id"])
    before = dict(os.environ)
    try:
        to = opened(run, How(folder, mode, TIMEOUT_SECONDS))
    except Exception:
        if mode == "offline":
            raise
        # Anew, without what wandb has put into the environment: it does not begin a run again in the same process.
        again = [*sys.orig_argv[1:-2], "offline", str(after)]
        os.execve(sys.executable, [sys.executable, *again], before)
    log(to, rows(state, job["id"], after, gone))
    ended = state.job(job["id"]) or job
    to.summary.update({name: ended[name] for name in ("status", "fine_tuned_model", "trained_tokens")})
    to.finish(exit_code=1 if ended["status"] in ("failed", "cancelled") else 0)


def told(state: State, job_id: str) -> list[Record]:
    """Return the metrics of a job so far, a step each."""
    return [event["data"] for event in state.events(job_id) if event["type"] == "metrics"]


def rows(state: State, job_id: str, after: int, gone: threading.Event) -> Iterator[dict[str, Any]]:
    """Yield the metrics of a job behind the first `after`, each once, until it has ended, pauses or is left alone."""
    seen = after
    left_alone = None
    while True:
        job = state.job(job_id)  # before its events, so that none comes after the last look
        others = left_alone is not None  # what comes after the last look at what we left is of the next who trains it
        left_alone = left_alone or (time.monotonic() if gone.is_set() else None)
        for numbers in () if others else told(state, job_id)[seen:]:
            measured = {name: value for name, value in numbers.items() if name not in NO_NUMBERS}
            yield {"step": numbers["step"], **measured}
            seen += 1
        if job is None or job["status"] in (*TERMINAL, PAUSED):
            return
        if left_alone is not None and time.monotonic() > left_alone + SETTLE_SECONDS:
            return
        time.sleep(LOOK_SECONDS)


def main(folder: Path, job_id: str, number: int, mode: str, after: int) -> None:
    """Follow a job, and end in bounded time after it."""
    gone = threading.Event()

    def wait_for_the_end() -> None:
        while os.read(0, 4096):
            pass
        gone.set()
        time.sleep(SETTLE_SECONDS + 2 * TIMEOUT_SECONDS + GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    state = State(folder)
    if (job := state.job(job_id)) is not None:
        follow(state, job, number, mode, after, gone)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
