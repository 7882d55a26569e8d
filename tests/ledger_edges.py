"""Named failpoints of the ledger: before and after everything that it writes down or asks for.

An edge is "before write intent", "after post", "before look 2" (the second time) and so on. They are put into the
classes of one process, for good.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from job_provider import FolderProvider

from ftbuild.ledger.journal import Journal
from ftbuild.store import durable
from ftbuild.store.store import Store

ASKED = {
    "find_jobs": "look",
    "create_job": "post",
    "upload": "upload",
    "has_file": "check the file",
    "retrieve_job": "retrieve",
    "job_events": "events",
    "job_checkpoints": "checkpoints",
    "file_content": "result file",
    "cancel_job": "cancel",
    "pause_job": "pause",
    "resume_job": "resume",
}
OFTEN = ("retrieve", "events")  # asked as often as the job is looked at: the first time stands for all


class Edges:
    """Tells each edge to `reach` as it is reached."""

    def __init__(self, reach: Callable[[str], None]) -> None:
        self._reach = reach
        self._times: Counter[str] = Counter()

    def install(self) -> None:
        for name, said in ASKED.items():
            setattr(FolderProvider, name, self._around(getattr(FolderProvider, name), lambda *_, said=said: said))
        Journal.append = self._around(Journal.append, lambda _self, _at, event, **_: f"write {event}")  # type: ignore[method-assign]
        Store.record = self._around(Store.record, lambda _self, record, _: _record(record.kind))  # type: ignore[method-assign]
        durable.write = self._around(durable.write, lambda path, *_, **__: _written(str(path)))

    def _around(self, real: Callable[..., Any], named: Callable[..., str]) -> Callable[..., Any]:
        def edge(*arguments: Any, **options: Any) -> Any:
            name = named(*arguments, **options)
            if not name:
                return real(*arguments, **options)
            self._times[name] += 1
            times = self._times[name]
            told = name if times == 1 else f"{name} {times}"
            if times > 1 and name in OFTEN:
                return real(*arguments, **options)
            self._reach(f"before {told}")
            try:
                return real(*arguments, **options)
            finally:
                self._reach(f"after {told}")

        return edge


def _record(kind: str) -> str:
    return "write the record" if kind == "job" else ""


def _written(path: str) -> str:
    if "/ledger/files/" in path:
        return "remember the file"
    return "keep a copy" if "/ledger/" in path else ""


def strike(edge: str, number: signal.Signals) -> None:
    """Let this process send itself a signal at an edge."""

    def reach(name: str) -> None:
        if name == edge:
            os.kill(os.getpid(), number)

    Edges(reach).install()


def traced(path: str) -> None:
    """Let this process write every edge that it comes to into a file."""

    def reach(name: str) -> None:
        with open(path, "a") as file:
            file.write(f"{name}\n")

    Edges(reach).install()
