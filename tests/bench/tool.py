"""A build engine on the bench: how its project is made, what it is called with, and what a call cost.

The shape, for n points: n/10 inputs -> n/10 datasets -> n jobs -> n evaluations -> 1 report.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
STEP = f"{sys.executable} -IS step.py"  # the same Python for all, without the packages of anybody
AT_ONCE = 2
PR_SET_CHILD_SUBREAPER = 36
ORPHANS_END_SECONDS = 5.0


@dataclass(frozen=True)
class Cost:
    """What a call cost: `cpu` seconds (user, system) of its whole process tree, `mb` of its largest process."""

    code: int
    wall: float
    cpu: float
    mb: float


@dataclass
class Tool:
    """One engine. `write` makes a project of n points in an empty folder; `ran` counts the actions that ran since.

    `standing` gives the CPU seconds so far of a process that outlives the calls; it is part of the cost.
    `cached` is whether the engine keeps results at all; without, only the full build is measured.
    """

    name: str
    write: Callable[[Path, int], None]
    build: Callable[[int], Sequence[str]]
    plan: Callable[[int], Sequence[str]] | None
    version: str = ""
    cached: bool = True
    change: Callable[[Path], None] = field(default_factory=lambda: change_one_example)
    blank: Callable[[Path], None] = field(default_factory=lambda: add_blank_lines)
    ran: Callable[[Path], int] = field(default_factory=lambda: steps_run)
    standing: Callable[[Path], float] = lambda _folder: 0.0
    leave: Callable[[Path], None] = lambda _folder: None


def write_inputs(folder: Path, n: int) -> None:
    """Write the inputs of n points, and step.py."""
    (folder / "data").mkdir()
    (folder / "out").mkdir()
    for k in range(n // 10):
        lines = "".join(f'{{"k":{k},"i":{i}}}\n' for i in range(100))
        (folder / f"data/in_{k}.jsonl").write_text(lines)
    shutil.copy(HERE / "step.py", folder / "step.py")


def change_one_example(folder: Path) -> None:
    """Add an example to the first input: one dataset, ten jobs, ten evaluations and the report must be made again."""
    with (folder / "data/in_0.jsonl").open("a") as file:
        file.write('{"new":1}\n')


def add_blank_lines(folder: Path) -> None:
    """Change the second input so that its dataset comes out the same: one dataset must be made again, nothing below."""
    with (folder / "data/in_1.jsonl").open("a") as file:
        file.write("\n \n")


def steps_run(folder: Path) -> int:
    """Return how many steps ran since the last call."""
    log = folder / "calls.log"
    n = len(log.read_text().splitlines()) if log.exists() else 0
    log.unlink(missing_ok=True)
    return n


def adopt_orphans() -> None:
    """Make this process the parent of whatever its children leave behind, so that its cost can be counted (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def measure(command: Sequence[str], folder: Path, limit_seconds: float) -> Cost:
    """Run a command in a folder, what it says in said.log; a process in a session of its own is left alone."""
    started = time.perf_counter()
    with (folder / "said.log").open("ab") as said:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    guard = threading.Timer(limit_seconds, process.kill)
    guard.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    guard.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    used = [usage, *_reap_orphans()]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    return Cost(process.returncode, wall, cpu, max(each.ru_maxrss for each in used) / 1024)


def _reap_orphans() -> list["os.struct_rusage"]:  # type: ignore[name-defined]
    """Wait for the orphans of our own session and return what they used."""
    used = []
    last = time.monotonic() + ORPHANS_END_SECONDS
    while (left := _children()) and time.monotonic() < last:
        for pid in left:
            reaped, _, usage = os.wait4(pid, os.WNOHANG)
            if reaped:
                used.append(usage)
        time.sleep(0.005)
    return used


def _children() -> list[int]:
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        found += [int(pid) for pid in path.read_text().split()]
    return [pid for pid in found if _session(pid) == os.getsid(0)]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1
