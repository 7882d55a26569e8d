"""ftbuild's engine beside other build engines, on the same shape, in one run.

    python -m tests.bench.build_engine [--points 50 500] [--tools ninja,doit,...] [--reps N]

For n points: n/10 inputs -> n/10 datasets -> n jobs -> n evaluations -> 1 report, a step of a few milliseconds
each. `ftbuild (engine)` is that shape through ftbuild's engine, `ftbuild -m` a real sweep by the command line,
which has more actions a point. Phases:

    first plan  what would be done, in a new project, of which no cache knows anything
    full        everything from nothing
    null        nothing has changed
    plan        what would be done, with nothing changed
    change      one example more in one input
    cut-off     blank lines in one input, so that its dataset comes out the same

Counted are the actions that really ran, CPU (user and system, of the process tree; the server of a rehearsal
too), and the memory of the largest process. The tools take turns; a figure is the median over the repetitions.
The peers' environments are made once, in $FTBUILD_BENCH_VENVS or the user's cache.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ftbuild import __version__
from tests.bench import ftbuild_sweep, null_build
from tests.bench.peers import PINNED, QUIET, peer
from tests.bench.tool import Cost, Tool, adopt_orphans, measure, write_inputs

ENGINE, SWEEP = "ftbuild (engine)", "ftbuild -m"
OWN = {"ftbuild": ENGINE, "ftbuild-m": SWEEP}
PHASES = ("first plan", "full", "null", "plan", "change", "cut-off")
IDLE = ("first plan", "null", "plan")  # the phases in which nothing runs
PLANS_IN_PART = ("redun", "DVC")  # in a new project their dry runs end at the first task, or with an error
CHEAP_TIMES = 3  # the phases that change nothing are called so often in one repetition
LIMIT_SECONDS = 1800.0
SHARES = (("Snakemake", 3), ("DVC", 6))  # null and plan take at most one n-th of its CPU
PLANNING_GROWS_AT_MOST = 4.0
MB_AT_MOST = 150.0


@dataclass(frozen=True)
class Measured:
    """The cost of one call, and how many actions ran in it."""

    cost: Cost
    ran: int


Results = Mapping[tuple[int, str], Mapping[str, list[Measured]]]


def engine() -> Tool:
    """Return ftbuild's engine without a config."""
    program = [sys.executable, str(Path(__file__).with_name("ftbuild_engine.py"))]
    return Tool(
        ENGINE,
        write_inputs,
        lambda n: [*program, "build", str(n)],
        lambda n: [*program, "plan", str(n)],
        __version__,
    )


def tool_of(name: str) -> Tool:
    """Return a tool by its name on the command line."""
    return {"ftbuild": engine, "ftbuild-m": ftbuild_sweep.tool}.get(name, partial(peer, name))()


def repetition(tool: Tool, n: int, folder: Path) -> Iterator[tuple[str, Measured]]:
    """Yield what every phase cost: the first plan in a new project of its own, the rest one after the other."""

    def start() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        tool.write(folder, n)

    def call(command: Sequence[str]) -> Measured:
        before = tool.standing(folder)
        cost = measure(command, folder, LIMIT_SECONDS)
        cost = replace(cost, cpu=cost.cpu + max(0.0, tool.standing(folder) - before))
        return Measured(cost, tool.ran(folder))

    if tool.plan is not None and tool.name not in PLANS_IN_PART:
        start()
        yield "first plan", call(tool.plan(n))
    start()
    try:
        yield "full", call(tool.build(n))
        if not tool.cached:
            return
        for _ in range(CHEAP_TIMES):
            yield "null", call(tool.build(n))
            if tool.plan is not None:
                yield "plan", call(tool.plan(n))
        tool.change(folder)
        yield "change", call(tool.build(n))
        tool.blank(folder)
        yield "cut-off", call(tool.build(n))
    finally:
        tool.leave(folder)


def middle(measured: Sequence[Measured]) -> Measured:
    """Return the median cost, and how many actions ran the last time."""
    return Measured(null_build.middle([each.cost for each in measured]), measured[-1].ran)


def largest(phases: Mapping[str, list[Measured]], those: Collection[str]) -> float:
    """Return the memory of the largest process in some of the phases."""
    return max(each.cost.mb for phase, measured in phases.items() if phase in those for each in measured)


def table(results: Results, n: int, versions: Mapping[str, str]) -> str:
    """Return the Markdown table of n points: CPU seconds, then the actions that ran."""
    heads = ["tool", *(f"{phase}, s (actions)" for phase in PHASES), "full, wall s", "MB"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (points, name), phases in results.items():
        if points != n:
            continue
        cells = [f"{name} {versions[name]}"]
        for phase in PHASES:
            found = middle(phases[phase]) if phase in phases else None
            failed = " failed" if found and found.cost.code else ""
            cells.append(f"{found.cost.cpu:.2f} ({found.ran}){failed}" if found else "")
        cells += [f"{middle(phases['full']).cost.wall:.1f}", f"{largest(phases, PHASES):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def goals(results: Results) -> Iterator[tuple[str, float, float]]:
    """Yield what was aimed at, what was reached and the most it may be."""

    def cpu(n: int, name: str, phase: str) -> float | None:
        measured = results.get((n, name), {}).get(phase)
        return middle(measured).cost.cpu if measured else None

    sizes = sorted({n for n, _ in results})
    for name in OWN.values():
        for phase in IDLE:
            for other, share in SHARES:
                ours, theirs = cpu(sizes[0], name, phase), cpu(sizes[0], other, phase)
                if ours is not None and theirs:
                    yield f"{name}: CPU of {phase} at {sizes[0]} points / {other}'s", ours / theirs, 1 / share
        for phase in ("first plan", "plan"):
            small, large = cpu(sizes[0], name, phase), cpu(sizes[-1], name, phase)
            if len(sizes) > 1 and small and large is not None:
                what = f"{name}: CPU of {phase} at {sizes[-1]} points / at {sizes[0]}"
                yield what, large / small, PLANNING_GROWS_AT_MOST
        if (phases := results.get((sizes[-1], name))) is not None:
            for what, those in (("of null and plans", IDLE), ("of builds", set(PHASES) - set(IDLE))):
                yield f"{name}: MB {what} at {sizes[-1]} points", largest(phases, those), MB_AT_MOST


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench and print what was reached; return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[50])
    parser.add_argument("--tools", default=",".join([*OWN, *PINNED]), help="comma-separated; default all")
    parser.add_argument("--reps", type=int, default=1)
    parser.add_argument("--slow-at-most", type=int, default=50, help="points that DVC and Hydra -m still get")
    given = parser.parse_args(arguments)
    if any(n % 10 or n < 20 for n in given.points):
        parser.error("--points: multiples of ten, from 20")
    os.environ.update(QUIET)
    adopt_orphans()
    if unknown := set(given.tools.split(",")) - {*OWN, *PINNED}:
        parser.error(f"--tools: {', '.join(sorted(unknown))}: there are {', '.join([*OWN, *PINNED])}")
    tools = [tool_of(name) for name in given.tools.split(",")]
    results: dict[tuple[int, str], dict[str, list[Measured]]] = {}
    with TemporaryDirectory() as root:
        for n in sorted(given.points):
            for number in range(given.reps):
                for tool in tools:
                    if tool.name in ("DVC", "Hydra -m") and n > given.slow_at_most:
                        continue
                    print(f"{n} points, {number + 1} of {given.reps}: {tool.name}", file=sys.stderr, flush=True)
                    found = results.setdefault((n, tool.name), {})
                    for phase, measured in repetition(tool, n, Path(root) / "project"):
                        found.setdefault(phase, []).append(measured)
            print(f"\n{n} points, CPU seconds (actions that ran)\n")
            print(table(results, n, {tool.name: tool.version for tool in tools}), flush=True)
    return _tell_goals(results, given.reps)


def _tell_goals(results: Results, reps: int) -> int:
    ours, theirs, well = null_build.compared(max(3, reps))
    aims = [("ftbuild, one experiment, null build: CPU / an empty @hydra.main app's", ours.cpu / theirs.cpu, 1.0)]
    aims += goals(results)
    print("\n| goal | reached | at most | |\n|---|---|---|---|")
    for what, reached, most in aims:
        print(f"| {what} | {reached:.2f} | {most:.2f} | {'met' if reached <= most else 'MISSED'} |")
    failed = [
        f"{name}, {n} points, {phase}"
        for (n, name), phases in results.items()
        for phase, measured in phases.items()
        if any(each.cost.code for each in measured)
    ]
    for each in failed:
        print(f"\nA call ended with an error: {each}")
    if not well:
        print("\nA call of the null build ended with an error.")
    return int(bool(failed) or not well or any(reached > most for _, reached, most in aims))


if __name__ == "__main__":
    sys.exit(main())
