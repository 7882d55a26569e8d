"""Jobs, one after the other, each in a process of its own.

Owns starting, cancelling and noticing death. Knows nothing of HTTP or training. A trainer holds
the reading end of a pipe whose writing end is ours: when this process dies, the trainer ends.
A job that its process left unfinished is failed, never silently taken up again.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable

from ftbuild.embedded.state import DIED, TERMINAL, Record, State


class Jobs:
    """The queue of one server."""

    def __init__(self, state: State, threads: int, before_start: Callable[[], None]) -> None:
        """Fail what an earlier server left unfinished, then wait for jobs; `before_start` makes room for a trainer."""
        self._state, self._threads, self._before_start = state, threads, before_start
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._trainer: subprocess.Popen[bytes] | None = None
        self._running: str | None = None
        self._cancelled: set[str] = set()
        self._stopped = False
        state.fail_unfinished()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def add(self, job: Record) -> None:
        """Keep a job and start it when its turn comes."""
        self._state.add_job(job)
        with self._changed:
            self._waiting.append(job["id"])
            self._changed.notify_all()

    def cancel(self, job_id: str) -> bool:
        """End a job and wait until it has ended; False if it already had."""
        with self._changed:
            if job_id in self._waiting:
                self._waiting.remove(job_id)
                self._state.end_job(job_id, "cancelled", "The job was cancelled before it started")
                return True
            if job_id != self._running:
                return False
            self._cancelled.add(job_id)
            if self._trainer is not None:
                self._trainer.kill()
            self._changed.wait_for(lambda: self._running != job_id)
        job = self._state.job(job_id)
        return job is not None and job["status"] == "cancelled"

    @property
    def live(self) -> bool:
        """Whether a job runs or waits."""
        with self._changed:
            return self._running is not None or bool(self._waiting)

    def stop(self) -> None:
        """End every job, for the server ends."""
        with self._changed:
            self._stopped = True
            if self._trainer is not None:
                self._trainer.kill()
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if self._stopped:
                    for job_id in self._waiting:
                        self._state.end_job(job_id, "failed", "The server stopped before the job started.", DIED)
                    return
                self._running = job_id = self._waiting.pop(0)
            self._before_start()
            with self._changed:
                if job_id not in self._cancelled and not self._stopped:
                    try:
                        self._trainer = self._start(job_id)
                    except OSError as error:
                        self._state.end_job(job_id, "failed", f"No training process could be started: {error}", DIED)
            code = self._trainer.wait() if self._trainer is not None else 0
            with self._changed:
                self._note_end(job_id, code)
                self._trainer = self._running = None
                self._changed.notify_all()

    def _start(self, job_id: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "ftbuild.embedded", "train", "--state", str(self._state.folder)]
        command += ["--job", job_id, "--threads", str(self._threads)]
        with (self._state.job_folder(job_id) / "trainer.log").open("wb") as log:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
            )

    def _note_end(self, job_id: str, code: int) -> None:
        if self._trainer is not None and self._trainer.stdin is not None:
            self._trainer.stdin.close()
        job = self._state.job(job_id)
        if job is None or job["status"] in TERMINAL:
            return
        if job_id in self._cancelled:
            self._state.end_job(job_id, "cancelled", "The job was cancelled")
        elif self._stopped:
            self._state.end_job(job_id, "failed", "The server was stopped while the job ran; run it again.", DIED)
        else:
            log = self._state.job_folder(job_id) / "trainer.log"
            words = log.read_text(encoding="utf-8", errors="replace").strip().rsplit("\n", 1)[-1]
            why = f"The training process ended without a result (exit code {code}): {words or 'it said nothing'}"
            self._state.end_job(job_id, "failed", why, DIED)
