"""A sweep killed again and again pays for nothing twice: python -m tests.bench.sweep_kills [--kills 5] [--seed 1]

24 points over two datasets, each with a job of the tiny model that the embedded server really trains. The second
dataset has examples to learn from besides, and the same to test on: the untrained model answers once for all. The sweep
is killed with SIGKILL at random moments between the first job and the last, each time with every process it has
started but the server, run to its end, run once more, and extended by 6 points. What counts is what the server was
asked for: one create for each point.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

RATES, MORE_RATES = range(1, 13), range(1, 16)
LATER_SECONDS = 3.0  # than the job that it was to come to, a run is killed at most
SOURCE = """\
# {what}   ftbuild +experiment=large
kind: pairs
path: {name}.jsonl
input: input
target: target
group: number
licence: CC0-1.0
origin: made by tests/bench/sweep_kills.py
"""
SMALL = """\
# @package _global_
# Few pairs.   ftbuild +experiment=small
defaults:
  - /source@dataset.sources.few: few
  - override /model: tiny
  - override /style: plain
  - override /goal: closer
  - override /evaluation: answers
method: {hyperparameters: {n_epochs: 1}}
"""
LARGE = """\
# @package _global_
# Few pairs, and more to learn from.   ftbuild +experiment=large
defaults:
  - small
  - /source@dataset.sources.more: more
"""
FILES = {
    "source/few": SOURCE.format(what="Few pairs.", name="few"),
    "source/more": SOURCE.format(what="More pairs, to learn from.", name="more") + "only: train\n",
    "experiment/small": SMALL,
    "experiment/large": LARGE,
}


def write(folder: Path) -> None:
    """Write the project."""
    for name, text in FILES.items():
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, n in (("few", 40), ("more", 20)):
        pairs = [{"input": f"{name} {number}", "target": f"{name} {number}!", "number": number} for number in range(n)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in pairs))


def sweep(folder: Path, rates: range, until: int | None = None, later: float = 0.0) -> int:
    """Run the sweep; kill all its processes when so many jobs were created, and so many seconds later.

    Returns its exit code.
    """
    rate = f"method.hyperparameters.learning_rate_multiplier={','.join(map(str, rates))}"
    command = [sys.executable, "-m", "ftbuild", "-m", "+experiment=small,large", rate]
    with (folder / "said.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        while until is not None and process.poll() is None and creates(folder) < until:
            time.sleep(0.05)
        if until is not None and process.poll() is None:
            time.sleep(later)
            os.killpg(process.pid, signal.SIGKILL)  # the server has a session of its own
        return process.wait()


def creates(folder: Path) -> int:
    """Return how many jobs the server was asked for."""
    log = folder / "outputs" / ".ftbuild" / "embedded" / "requests.log"
    said = log.read_text() if log.exists() else ""
    return len(re.findall(r" POST /v1/fine_tuning/jobs 2\d\d$", said, re.MULTILINE))


def made(folder: Path) -> Counter[str]:
    """Return how many results there are of each kind of action, and of the sets of answers of each arm."""
    records = [json.loads(path.read_bytes()) for path in (folder / "outputs" / ".ftbuild" / "records").glob("*.json")]
    return Counter(each["label"] if each["kind"] == "predict" else each["kind"] for each in records)


def main() -> int:
    """Run it, print what was seen, and return 1 where anything was made twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        started = time.monotonic()
        for until in sorted(chance.sample(range(1, 2 * len(RATES)), asked.kills)):
            code = sweep(folder, RATES, until, chance.uniform(0, LATER_SECONDS))
            done, n = made(folder), creates(folder)
            said = f"{n} jobs created, {done['job']} of them done, {done['tuned']} tuned models asked"
            print(f"{'killed' if code == -signal.SIGKILL else 'ended'}: {said}", flush=True)
        codes = [sweep(folder, RATES)]
        first, n_first = made(folder), creates(folder)
        codes.append(sweep(folder, RATES))
        again, n_again = made(folder), creates(folder)
        codes.append(sweep(folder, MORE_RATES))
        extended, n_extended = made(folder), creates(folder)
        base = f"the base model asked {first['base']} times"
        print(f"24 points: {n_first} creates, {first['dataset']} datasets, {base}")
        print(f"once more: {n_again - n_first} creates, {(again - first).total()} results made")
        print(f"extended to 30: {n_extended - n_again} creates; {time.monotonic() - started:.0f} s; exit codes {codes}")
        well = (n_first, n_again, n_extended) == (24, 24, 30) and again == first
        well &= (first["job"], first["dataset"], first["base"], extended["base"]) == (24, 2, 1, 1)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
