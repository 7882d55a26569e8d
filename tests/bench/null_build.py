"""A build of one experiment with nothing to do, beside an empty @hydra.main app on the same conf tree.

python -m tests.bench.null_build [--reps N]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench import ftbuild_sweep
from tests.bench.tool import Cost, adopt_orphans, measure

CONF = Path(__file__).parents[2] / "conf"
EXPERIMENT = ["+experiment=tone_formal", "provider=rehearsal"]
APP = f"""\
import hydra


@hydra.main(version_base=None, config_path={str(CONF)!r}, config_name="config")
def main(config):
    pass


main()
"""


def compared(reps: int) -> tuple[Cost, Cost, bool]:
    """Return the median costs of ftbuild and of the app, called in turn, and whether every call ended as it should."""
    ftbuild, app = [sys.executable, "-m", "ftbuild", *EXPERIMENT], [sys.executable, "app.py", *EXPERIMENT]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(APP)
        try:
            built = measure(ftbuild, folder, 300)
        finally:
            ftbuild_sweep.leave(folder)
        measure(ftbuild, folder, 60)  # what is learnt once more
        ours, theirs = [], []
        for _ in range(reps):
            ours.append(measure(ftbuild, folder, 60))
            theirs.append(measure(app, folder, 60))
        well = all(each.code == built.code for each in ours) and all(each.code == 0 for each in theirs)
        return middle(ours), middle(theirs), well


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure, and the worst exit code."""
    return Cost(
        max((each.code for each in costs), key=abs),
        median(each.wall for each in costs),
        median(each.cpu for each in costs),
        median(each.mb for each in costs),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; return 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=5)
    adopt_orphans()
    ours, theirs, well = compared(parser.parse_args(arguments).reps)
    print("| one experiment, nothing to do | CPU s | wall s | MB |\n|---|---|---|---|")
    for name, cost in (("ftbuild", ours), ("an empty @hydra.main app", theirs)):
        print(f"| {name} | {cost.cpu:.3f} | {cost.wall:.3f} | {cost.mb:.0f} |")
    print(f"\nratio of CPU {ours.cpu / theirs.cpu:.2f}, goal at most 1" + ("" if well else "; a call failed"))
    return int(not well or ours.cpu > theirs.cpu)


if __name__ == "__main__":
    sys.exit(main())
