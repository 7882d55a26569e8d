"""`ftbuild jobs`: the jobs of this project, newest last, as the provider tells where it can be asked quickly."""

import json
import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ftbuild.cli.grid import aligned
from ftbuild.cli.layout import columns, hang
from ftbuild.cli.named_job import NamedJob, connected, give_back_untrained, is_due_back, known
from ftbuild.cli.options import Options
from ftbuild.digest import short
from ftbuild.errors import ExitCode, FtbuildError, StoreError
from ftbuild.ledger.failures import failure, remedy
from ftbuild.ledger.port import PARKED, JobState
from ftbuild.ledger.steer import REACHED
from ftbuild.rehearsal import makes_up
from ftbuild.report.progress import spoken
from ftbuild.report.words import duration

SCHEMA_VERSION = 1
ASK_SECONDS = 4.0  # for all answers together
DAY = 86_400
HEAD = ("job", "status", "experiment", "key", "age")
INDENT = "    "


@dataclass(frozen=True)
class Row:
    """A job as the list tells it; `told` is what the provider said just now, None where it was not asked or silent."""

    job: NamedJob
    told: JobState | None
    age_seconds: float | None
    busy: bool = False

    @property
    def status(self) -> str:
        """Return the status as the protocol spells it, or ours of a key without a job."""
        state = self.job.state
        if state.phase == "new":
            return "refused" if state.refused else "retry" if state.past else "new"
        if state.phase == "intent":
            return "launching" if self.busy else "unknown"
        return str(self.told.status if self.told else state.status)

    @property
    def is_rehearsed(self) -> bool:
        """Return whether it only plays a job."""
        return makes_up(self.job.state.asked.provider)

    @property
    def notes(self) -> list[str]:
        """Return what is to be known or done about it, a sentence each."""
        state, job_id = self.job.state, self.job.job_id
        if job_id is None:
            return [self._without_job()]
        found, told = [], self.told
        if state.ended_badly and spoken(str(state.status)) == "cancelled" and not state.error:
            found += [f"Launch it once more: ftbuild retry {job_id}"]
        elif state.ended_badly:
            known = failure(state.error, state.code)
            found += [state.error] if state.error else []
            found += [" ".join([*([known.means] if known else []), f"Fix: {remedy(job_id, known)}"])]
        elif told is not None and told.ended:
            found += [*([told.error] if told.error else []), f"Its end is not written down yet. {self._come_back}"]
        elif state.phase == "terminal":
            found += [f"Its results are not fetched yet. {self._come_back}"]
        elif self.status in PARKED:
            found += [f"It stands still. Fix: ftbuild resume {job_id}"]
        elif state.phase == "running" and told is None:
            found += ["As last seen; the provider was not reached."]
        if state.wish is not None and not (told and REACHED[state.wish](told)):
            found += [f"{state.wish} was asked for and not confirmed. Fix: ftbuild {state.wish} {job_id}"]
        costs = "has the same key and costs money too. Fix: ftbuild cancel"
        return found + [f"{other} {costs} {other}" for other in state.others]

    @property
    def _come_back(self) -> str:
        return f"Fix: ftbuild {shlex.join(self.job.state.asked.command)}"

    def _without_job(self) -> str:
        state = self.job.state
        if state.refused:
            return state.refused.partition("\n")[0]
        if self.status == "launching":
            return "A running ftbuild is launching it."
        if self.status == "unknown":
            return f"Whether it was launched is not known; the provider is asked first. {self._come_back}"
        again = f"{state.past[-1]} is to be launched once more. {self._come_back}" if state.past else ""
        return again or "It was never launched."

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        state, told = self.job.state, self.told
        error = told.error if told else state.error
        code = told.error_code if told else state.code
        explained = failure(error, code) if error or code else None
        return {
            "job_id": self.job.job_id,
            "key": self.job.journal.key,
            "experiment": state.asked.experiment,
            "command": list(state.asked.command),
            "phase": state.phase,
            "status": self.status,
            "rehearsed": self.is_rehearsed,
            "told_by": "provider" if told else "journal",
            "attempt": state.attempt,
            "launched_at": state.launched_at,
            "age_seconds": None if self.age_seconds is None else round(self.age_seconds, 1),
            "adopted": state.adopted,
            "wish": state.wish,
            "error": error,
            "code": code,
            "means": explained.means if explained else None,
            "fine_tuned_model": told.fine_tuned_model if told else None,
            "earlier": list(state.past),
            "others": list(state.others),
        }


def jobs(options: Options) -> int:
    """Print every job: its status, experiment, key and age, and what is to be done about it.

    Raises:
        StoreError: a journal cannot be read; the jobs of the others are printed.
    """
    found, problems = known(options)
    rows = rows_of(found, _asked(found, options))
    if options.format == "json":
        print(json.dumps({"schema_version": SCHEMA_VERSION, "jobs": [row.to_json() for row in rows]}, indent=1))
    elif not rows and not problems:
        print("No jobs yet. Launch one: ftbuild +experiment=NAME")
    else:
        print(table(rows, columns()))
    if problems:
        raise StoreError(*problems)
    return int(ExitCode.DONE)


def rows_of(found: Sequence[NamedJob], told: Mapping[str, JobState]) -> list[Row]:
    """Return the rows, newest last; `told` is what the provider says of the jobs that it was asked about."""
    rows = []
    for each in found:
        times = (each.state.launched_at, each.state.intent_at, each.state.seen_at)
        since = next((at for at in times if at is not None), None)
        age = None if since is None else max(each.world.now() - since, 0.0)
        busy = each.job_id is None and each.journal.held()
        rows.append(Row(each, told.get(each.job_id or ""), age, busy))
    return sorted(rows, key=lambda row: (row.age_seconds is not None, -(row.age_seconds or 0.0), row.job.journal.key))


def table(rows: Sequence[Row], width: int) -> str:
    """Return the rows as aligned columns, with the notes of each below it."""
    cells = [
        (
            row.job.job_id or "-",
            spoken(row.status),
            (row.job.state.asked.experiment or "-") + (" (rehearsed)" if row.is_rehearsed else ""),
            short(row.job.journal.key),
            "-" if row.age_seconds is None else _age(row.age_seconds),
        )
        for row in rows
    ]
    head, *lines = aligned([HEAD, *cells])
    said = [head]
    for line, row in zip(lines, rows, strict=True):
        said += [line, *(hang(INDENT, note, width) for note in row.notes)]
    return "\n".join(said)


def _age(seconds: float) -> str:
    return duration(seconds) if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"


def _asked(found: Sequence[NamedJob], options: Options) -> dict[str, JobState]:
    """Return what the provider says of the jobs under way, by id; of those that it told of in time.

    What one that was cancelled has not trained is given back.
    """
    told: dict[str, JobState] = {}

    def ask(job: NamedJob) -> None:
        status = job.state.status
        with suppress(FtbuildError, OSError):
            if job.state.phase == "running":
                with connected(job.world, job.state.asked, options) as connection:
                    state = connection.glance_at_job(str(job.job_id))
                if state is not None:
                    told[state.id], status = state, state.status
            give_back_untrained(job, status, options)

    asked = [each for each in found if each.state.phase == "running" or is_due_back(each, each.state.status)]
    asking = [threading.Thread(target=ask, args=(job,), daemon=True) for job in asked]
    if asking:
        import_module("ftbuild.providers.wire")  # slow, and no fault of the provider's
    deadline = time.monotonic() + ASK_SECONDS
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return dict(told)
