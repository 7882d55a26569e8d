"""ftbuild's own command line on the bench: a project of n/10 sources, swept over them and over ten seeds.

Jobs are those of a rehearsal. More actions than the peers have belong to a point: two sources of answers, scores,
a verdict and a report. A source has examples enough for a job and a few to test on.
"""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from ftbuild import __version__
from tests.bench.tool import Tool

EXPERIMENT = """\
# @package _global_
# A point of the bench.   ftbuild +experiment=bench
defaults:
  - override /style: formal
  - override /goal: cheap
  - override /evaluation: cheap
  - override /provider: rehearsal
"""
GOAL = """\
# A goal that is met.   ftbuild +experiment=bench
metric: chrf
require: {some: {at_least: 0}}
"""
EVALUATION = """\
# Tuned and base, one scorer.   ftbuild +experiment=bench
arms: {base: {kind: base}, tuned: {kind: tuned}}
scorers: {chrf: {}}
concurrency: 4
"""
SOURCE = """\
# Examples.   ftbuild +experiment=bench
kind: pairs
path: data/in_K.jsonl
input: input
target: target
group: group
licence: CC0-1.0
origin: made for the bench
"""
N_EXAMPLES = 24


def example(k: int, i: int) -> str:
    """Return one line of a source."""
    text = f"number {i} of source {k}"
    return json.dumps({"input": f"hey, it's {text}", "target": f"It is {text}.", "group": f"g{i}"}) + "\n"


def write(folder: Path, n: int) -> None:
    """Write the project of n points."""
    files = {"experiment/bench": EXPERIMENT, "goal/cheap": GOAL, "evaluation/cheap": EVALUATION}
    (folder / "data").mkdir()
    for k in range(n // 10):
        files[f"source/src{k}"] = SOURCE.replace("K", str(k), 1)
        (folder / f"data/in_{k}.jsonl").write_text("".join(example(k, i) for i in range(N_EXAMPLES)))
    for name, text in files.items():
        path = folder / f"conf/{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "seen").mkdir()


def sweep(n: int) -> list[str]:
    """Return the arguments that ask for n points."""
    sources = ",".join(f"src{k}" for k in range(n // 10))
    return ["-m", "+experiment=bench", f"+source@dataset.sources.pairs={sources}", "seed=range(10)"]


def change(folder: Path) -> None:
    """Add an example to the first source."""
    with (folder / "data/in_0.jsonl").open("a") as file:
        file.write(example(0, N_EXAMPLES))


def ran(folder: Path) -> int:
    """Return how many actions ran since the last call: each leaves a record of its own."""
    now = {path.name for path in (folder / "outputs/.ftbuild/records").glob("*.json")}
    seen = {path.name for path in (folder / "seen").iterdir()}
    for name in now - seen:
        (folder / "seen" / name).touch()
    return len(now - seen)


def by_kind(folder: Path) -> dict[str, int]:
    """Return how many actions of each kind have ever run."""
    found: dict[str, int] = {}
    for path in (folder / "outputs/.ftbuild/records").glob("*.json"):
        kind = json.loads(path.read_bytes())["kind"]
        found[kind] = found.get(kind, 0) + 1
    return dict(sorted(found.items()))


def server(folder: Path) -> int | None:
    """Return the process of the rehearsal's server, None where it does not run."""
    try:
        pid = int(json.loads((folder / "outputs/.ftbuild/rehearsal/server.json").read_bytes())["pid"])
        os.kill(pid, 0)
    except (OSError, ValueError, KeyError):
        return None
    return pid


def standing(folder: Path) -> float:
    """Return the CPU seconds of the server so far."""
    pid = server(folder)
    if pid is None or not Path(f"/proc/{pid}/stat").exists():
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def leave(folder: Path) -> None:
    """Stop the server, which may be our child by now."""
    if (pid := server(folder)) is None:
        return
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists():
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)


def tool() -> Tool:
    """Return ftbuild as people call it."""
    command = [sys.executable, "-m", "ftbuild"]
    return Tool(
        "ftbuild -m",
        write,
        lambda n: [*command, *sweep(n)],
        lambda n: [*command, "plan", *sweep(n)],
        __version__,
        change=change,
        ran=ran,
        standing=standing,
        leave=leave,
    )
