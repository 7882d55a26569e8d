"""A sweep planned, beside Hydra's own multirun of a function that does nothing, on the same conf tree.

python -m tests.bench.sweep_plan [--points N] [--hydra N]

CPU seconds a point, everything about it new: ftbuild composes and validates every point, makes one graph of all and
looks each action up in the store; Hydra composes each point, twice, and calls the function. Hydra gets fewer points,
for it takes them one by one.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.null_build import APP
from tests.bench.tool import Cost, adopt_orphans, measure

GOAL = 20
EXPERIMENT = "+experiment=tone_formal"
KEY = "method.hyperparameters.learning_rate_multiplier"


def planned(n: int) -> tuple[Cost, bool]:
    """Return what the plan of a sweep of `n` points costs, and whether it was of so many."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "ftbuild", "plan", "-m", EXPERIMENT, f"{KEY}={_values(n)}"]
        cost = measure(command, folder, 600)
        return cost, cost.code == 0 and f"Plan: {n} points, {n} new jobs" in (folder / "said.log").read_text()


def run(n: int) -> tuple[Cost, bool]:
    """Return what Hydra's multirun of `n` points costs, and whether each was called."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(APP)
        cost = measure([sys.executable, "app.py", "-m", EXPERIMENT, f"{KEY}={_values(n)}"], folder, 1200)
        return cost, cost.code == 0 and len([*folder.glob("multirun/*/*/*/.hydra")]) == n


def _values(n: int) -> str:
    return ",".join(f"{number / 100:.2f}" for number in range(1, n + 1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; return 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--hydra", type=int, default=50)
    asked = parser.parse_args(arguments)
    adopt_orphans()
    (ours, is_planned), (theirs, is_run) = planned(asked.points), run(asked.hydra)
    print("| a sweep | points | CPU s | CPU ms a point | MB |\n|---|---|---|---|---|")
    for name, cost, n in (("ftbuild plan -m", ours, asked.points), ("Hydra's multirun", theirs, asked.hydra)):
        print(f"| {name} | {n} | {cost.cpu:.2f} | {1000 * cost.cpu / n:.2f} | {cost.mb:.0f} |")
    ratio = (theirs.cpu / asked.hydra) / (ours.cpu / asked.points)
    well = is_planned and is_run
    print(f"\n{ratio:.0f} x cheaper a point, goal at least {GOAL}" + ("" if well else "; a call did not do its work"))
    return int(not well or ratio < GOAL)


if __name__ == "__main__":
    sys.exit(main())
