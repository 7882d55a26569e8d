"""Where a job under way stands, in a line: step, loss as a curve, time left. Pure: it is told what came and when."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.ledger.port import JobEvent, JobState
from ftbuild.report.sparkline import sparkline
from ftbuild.report.words import duration


def curve(losses: Sequence[float]) -> str:
    """Return how a loss went, `loss 2.31 ▇▅▃▁ 0.06`; nothing for no losses."""
    if not losses:
        return ""
    return f"loss {losses[0]:.2f} {sparkline(losses)} {losses[-1]:.2f}" if len(losses) > 1 else f"loss {losses[0]:.2f}"


def spoken(status: str) -> str:
    """Return a status as people say it, Azure's spellings too."""
    words = {"notRunning": "not running", "canceled": "cancelled", "canceling": "cancelling"}
    return words.get(status, status.replace("_", " "))


class JobProgress:
    """What the events of a job add up to; `text` is for a sentence, `line` for the live line."""

    def __init__(self) -> None:
        self._metrics: Mapping[str, Any] = {}
        self._losses: list[float] = []
        self._first: tuple[float, int] | None = None
        self._latest: tuple[float, int] | None = None
        self.text = ""
        self.line = ""

    def add(self, job: JobState, events: Sequence[JobEvent], now: float) -> None:
        """Take in the state and the new events of a look at `now`."""
        for event in events:
            if event.type == "metrics":
                self._metrics = event.data
                if event.data.get("train_loss") is not None:
                    self._losses.append(float(event.data["train_loss"]))
        step, total = self._metrics.get("step"), self._metrics.get("total_steps")
        if step is not None and (self._latest is None or step > self._latest[1]):
            self._latest = (now, int(step))
            self._first = self._first or self._latest
        where = None if step is None else f"step {step} of {total}" if total else f"step {step}"
        left = None if job.ended or job.parked else self._left(job, total, now)
        status = spoken(job.status)
        told = [where, None if left is None else _about(left)]
        self.text = ", ".join(part for part in told if part) or status
        shown = [status, where, curve(self._losses), None if left is None else f"{duration(max(left, 1))} left"]
        self.line = ", ".join(part for part in shown if part)

    def _left(self, job: JobState, total: int | None, now: float) -> float | None:
        """Return the seconds left: as the provider estimates, else as the steps so far went; None where unknown."""
        if job.estimated_finish:
            return max(job.estimated_finish - now, 0.0)
        if not total or self._first is None or self._latest is None or self._latest[1] == self._first[1]:
            return None
        (began, first), (came, latest) = self._first, self._latest
        return max((came - began) / (latest - first) * (total - latest) - (now - came), 0.0)


def _about(seconds: float) -> str:
    return f"about {seconds / 60:.0f} minutes left" if seconds >= 90 else "about a minute left"
