"""The shape of the bench through ftbuild's engine, without a config: `python ftbuild_engine.py build|plan N`.

The actions are what their peers are elsewhere: datasets and the report pure, jobs paid for, evaluations made of
calls; each runs step.py. Run in a folder that tool.write_inputs has filled.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.plan.action import Action, Input, Kind
from ftbuild.plan.graph import Graph
from ftbuild.store.store import Store
from ftbuild.world import World

DS, JOB, EVAL, REPORT = (
    Kind("ds", 1, "pure"),
    Kind("job", 1, "paid"),
    Kind("eval", 1, "calls"),
    Kind("report", 1, "pure"),
)
AT_ONCE = 2


def graph_of(n: int, store: Store) -> Graph:
    """Return the graph of n points; the key of a dataset holds the digest of its input."""
    graph = Graph()
    datasets = []
    for k in range(n // 10):
        path = f"data/in_{k}.jsonl"
        settings = {"path": path, "bytes": store.digest_of(Path(path))}
        datasets.append(graph.add(Action(DS, f"ds_{k}", "data", settings)))
    evaluations = []
    for i in range(n):
        job = graph.add(Action(JOB, f"job_{i}", "train", {"number": i}, (Input("ds", datasets[i // 10], "out"),)))
        evaluations.append(graph.add(Action(EVAL, f"ev_{i}", "test", {}, (Input("job", job, "out"),))))
    above = tuple(Input(str(i), each, "out") for i, each in enumerate(evaluations))
    graph.add(Action(REPORT, "report", "test", {}, above))
    return graph


def run_step(kind: str, label: str, inputs: Mapping[str, bytes], *more: str) -> bytes:
    """Run step.py on inputs that lie in a folder of their own, and return what it made."""
    folder = Path("work") / label
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for role, content in inputs.items():
        (folder / role).write_bytes(content)
        names.append(str(folder / role))
    subprocess.run([sys.executable, "-IS", "step.py", kind, str(folder / "out"), *names, *more], check=True)
    made = (folder / "out").read_bytes()
    shutil.rmtree(folder)
    return made


def ds(settings: Any, _inputs: Mapping[str, bytes], _given: Mapping[str, Any]) -> Any:
    """Make a dataset of its input file."""
    from ftbuild.workers import Made

    content = Path(settings["path"]).read_bytes()
    return Made({"out": run_step("ds", Path(settings["path"]).stem, {"in": content})}, "made")


def report(_settings: Any, inputs: Mapping[str, bytes], _given: Mapping[str, Any]) -> Any:
    """Make the report."""
    from ftbuild.workers import Made

    return Made({"out": run_step("report", "report", inputs)}, "made")


def build(n: int) -> None:
    """Build n points."""
    from ftbuild.cli.console import TerminalConsole
    from ftbuild.engine import How, Runners
    from ftbuild.engine import build as run_graph
    from ftbuild.workers import Made, Processes

    world = World.at(Path.cwd())
    store = Store(world.store)
    ledger = LedgerFolder(world)

    def job(action: Action, key: str, done: Any, voice: Any) -> Any:
        journal = ledger.journal(key)
        journal.append(world.now(), "intended")
        made = run_step("job", action.label, {"ds": done.read(action, "ds")}, str(action.settings["number"]))
        journal.append(world.now(), "launched", job_id=f"ftjob-{key[:12]}", adopted=False)
        voice.sleep(0)
        return Made({"out": made}, "trained")

    def evaluate(action: Action, _key: str, done: Any, _voice: Any) -> Any:
        return Made({"out": run_step("eval", action.label, {"job": done.read(action, "job")})}, "asked")

    graph = graph_of(n, store)
    how = How(Processes(AT_ONCE), AT_ONCE, AT_ONCE)
    console = TerminalConsole(order=list(graph.actions))
    try:
        run_graph(
            graph, store, world, console, Runners({"ds": ds, "report": report}, {"job": job, "eval": evaluate}), how
        )
    finally:
        console.close()
        how.workers.stop()


def plan(n: int) -> None:
    """Print what a build would do."""
    world = World.at(Path.cwd())
    store = Store(world.store)
    for planned in look_up(graph_of(n, store), store, LedgerFolder(world)):
        print(planned.action.label, planned.status, *planned.reasons)


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # for worker processes
    {"build": build, "plan": plan}[sys.argv[1]](int(sys.argv[2]))
