"""The benchmark that the README names runs; what it measures is no test."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_engine_computes_what_changed_and_nothing_else() -> None:
    command = [sys.executable, "-m", "tests.bench.build_engine", "--points", "20", "--tools", "ftbuild"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # 1 says that a goal was missed, which is for people to read
    row = next(line for line in done.stdout.splitlines() if line.startswith("| ftbuild (engine)"))
    # first plan, full (2 datasets, 20 jobs, 20 evaluations, a report), null, plan, change (1 + 10 + 10 + 1), cut-off
    assert re.findall(r"\((\d+)\)", row) == ["0", "43", "0", "0", "22", "1"]


@pytest.mark.slow
def test_a_scorer_that_is_added_asks_nobody_anything() -> None:
    command = [sys.executable, "-m", "tests.bench.rescore", "--n", "300"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.splitlines()[0].endswith(" answers; rouge_l added: 0 requests, base scores ran")


@pytest.mark.slow
def test_our_training_and_a_plain_loop_learn_the_same() -> None:
    pytest.importorskip("peft")
    command = [sys.executable, "-m", "tests.bench.training", "--model", "tiny", "--examples", "16", "--epochs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    told = {row.split(" | ")[0]: row.split(" | ") for row in done.stdout.splitlines() if row.startswith("| ")}
    assert float(told["| ours"][2]) == pytest.approx(float(told["| plain"][2]), rel=0.05)


@pytest.mark.slow
def test_our_sampler_and_a_loop_over_the_sdk_get_the_same_number_of_answers() -> None:
    command = [sys.executable, "-m", "tests.bench.sampling", "--n", "20", "--rounds", "1", "--at-once", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert [row.split(" | ")[0] for row in done.stdout.splitlines()[2:4]] == ["| the SDK in a loop", "| ftbuild"]


@pytest.mark.slow
def test_the_wall_lets_our_data_through_and_no_copy_of_a_test() -> None:
    command = [sys.executable, "-m", "tests.bench.wall"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    assert len(rows) == 9
    assert sum(int(alarms) for _, _, alarms, *_ in rows) == 1  # as the README says
    assert {cell for row in rows for cell in row[3:5]} == {"100.0 %"}
    told = [tuple(map(int, row[7].split(" of "))) for row in rows if row[7] != "-"]
    assert tuple(map(sum, zip(*told, strict=True))) == (34, 40)
