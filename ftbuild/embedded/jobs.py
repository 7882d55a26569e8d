"""Jobs, one after the other in each seat, each in a process of its own.

Owns starting, cancelling, pausing and noticing death. Knows nothing of HTTP or training, nor what a seat is. A trainer
holds the reading end of a pipe whose writing end is ours: what is written asks it to stand still, and when this
process dies, the trainer ends. A job that its server left unfinished is taken up by the next one, where its
training was last written down; one whose own process died has failed, for it would die again. Where it is trained away,
our process only stands for the one that trains: if that dies the job stands still.
"""

import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftbuild.embedded.duty import ask_to_pause, sent
from ftbuild.embedded.seats import Seat
from ftbuild.embedded.state import DIED, PAUSED, TERMINAL, Record, State

AGAIN_SECONDS = 5.0  # until an end that could not be written is written again
KILLED = "it was killed, as the system does where memory runs out; a smaller batch_size or model needs less"


@dataclass
class Turn:
    """A job whose turn it is; its `wish` is "cancel", "pause" or nothing. `unstarted` says why no trainer is."""

    seat: Seat
    trainer: "subprocess.Popen[bytes] | None" = None
    wish: str = ""
    unstarted: str = ""


class Jobs:
    """The queue of one server."""

    again_seconds = AGAIN_SECONDS

    def __init__(
        self, state: State, threads: int, seats: Callable[[], Sequence[Seat]], before_start: Callable[[], None]
    ) -> None:
        """Take up what an earlier server left, then wait for jobs.

        `seats` is asked with the first of them; `before_start` makes room for a trainer.
        """
        self._state, self._threads, self._seats, self._before_start = state, threads, seats, before_start
        self._changed = threading.Condition()
        self._waiting = state.take_up()
        self._turns: dict[str, Turn] = {}
        self._stopped = False
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
            if turn := self._turns.get(job_id):
                turn.wish = "cancel"
                if turn.trainer is not None:
                    turn.trainer.kill()
                self._wait_out(job_id, turn)
            elif self._status(job_id) not in TERMINAL:
                when = "before it started" if job_id in self._waiting else "while it was paused"
                self._state.end_job(job_id, "cancelled", f"The job was cancelled {when}")
                self._waiting = [each for each in self._waiting if each != job_id]
                return True
            else:
                return False
            return self._status(job_id) == "cancelled"

    def pause(self, job_id: str) -> bool:
        """Let a job stand still, and wait until it does; False if it has ended."""
        with self._changed:
            if job_id in self._waiting:
                self._waiting.remove(job_id)
                self._state.park_job(job_id, "The job was paused before it started")
            elif turn := self._turns.get(job_id):
                turn.wish = turn.wish or "pause"
                if turn.trainer is not None:
                    ask_to_pause(turn.trainer)
                self._wait_out(job_id, turn)
            return self._status(job_id) == PAUSED

    def resume(self, job_id: str) -> bool:
        """Let a paused job wait for its turn again; False if it has ended."""
        with self._changed:
            if (turn := self._turns.get(job_id)) and turn.wish:  # it is on its way to stand still
                self._wait_out(job_id, turn)
            if self._status(job_id) == PAUSED:
                self._state.queue_job(job_id)
                self._waiting.append(job_id)
                self._changed.notify_all()
            return self._status(job_id) not in TERMINAL

    @property
    def live(self) -> bool:
        """Whether a job runs or waits."""
        with self._changed:
            return bool(self._turns or self._waiting)

    def stop(self) -> None:
        """Train no more, for the server ends; what has not ended goes on with the next server."""
        with self._changed:
            self._stopped = True
            for turn in self._turns.values():
                if turn.trainer is not None:
                    turn.trainer.kill()
            self._changed.notify_all()
        self._thread.join()

    def _status(self, job_id: str) -> str:
        job = self._state.job(job_id)
        return "cancelled" if job is None else str(job["status"])

    def _wait_out(self, job_id: str, turn: Turn) -> None:
        self._changed.wait_for(lambda: self._turns.get(job_id) is not turn)

    def _work(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            if self._stopped:
                return
        first, *others = self._seats()
        threads = [threading.Thread(target=self._sit, args=(seat,), name="jobs", daemon=True) for seat in others]
        for thread in threads:
            thread.start()
        self._sit(first)
        for thread in threads:
            thread.join()

    def _sit(self, seat: Seat) -> None:
        """Train what waits in a seat, until the server ends."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if self._stopped:
                    return
                job_id = self._waiting.pop(0)
                turn = self._turns[job_id] = Turn(seat)
            self._before_start()
            with self._changed:
                if not turn.wish and not self._stopped:
                    try:
                        turn.trainer = self._start(job_id, seat)
                    except OSError as error:
                        turn.unstarted = f"No training process could be started: {error}"
            code = turn.trainer.wait() if turn.trainer is not None else 0
            with self._changed:
                while not self._noted(job_id, turn, code):
                    self._changed.wait(self.again_seconds)
                del self._turns[job_id]
                self._changed.notify_all()

    def _start(self, job_id: str, seat: Seat) -> "subprocess.Popen[bytes]":
        log = self._state.job_folder(job_id) / "trainer.log"
        return sent(self._state, job_id, self._threads, log, seat.options, seat.environment)

    def _noted(self, job_id: str, turn: Turn, code: int) -> bool:
        """Write how a job ended; return False where that must be tried again: the disk is full, say."""
        try:
            self._note_end(job_id, turn, code)
        except OSError:
            return self._stopped
        return True

    def _note_end(self, job_id: str, turn: Turn, code: int) -> None:
        if turn.trainer is not None and turn.trainer.stdin is not None:
            turn.trainer.stdin.close()
        status = self._status(job_id)
        if status in TERMINAL:
            return
        if turn.wish == "cancel":
            self._state.end_job(job_id, "cancelled", "The job was cancelled")
        elif turn.unstarted:
            self._state.end_job(job_id, "failed", turn.unstarted, DIED)
        elif status == PAUSED or self._stopped:
            return
        elif turn.wish == "pause" and turn.trainer is None:
            self._state.park_job(job_id, "The job was paused before it started")
        else:
            log = self._state.job_folder(job_id) / "trainer.log"
            why = death(code, log.read_text(encoding="utf-8", errors="replace"))
            if turn.seat.away:
                self._state.park_job(job_id, f"The job was paused, since the way to who trained it was lost. {why}")
            else:
                self._state.end_job(job_id, "failed", why, DIED)


def death(code: int, said: str) -> str:
    """Return how a training process ended without a result, which had `said` something."""
    words = said.strip().rsplit("\n", 1)[-1] or (KILLED if code == -signal.SIGKILL else "it said nothing")
    return f"The training process ended without a result (exit code {code}): {words}"
