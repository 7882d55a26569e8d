"""Every command of the README runs: here, or in the test named beside it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ftbuild.compose import compose, compose_sweep

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

SHOWN: list[tuple[str, str]] = re.findall(r"`(conf/\S+)`:\n\n```yaml\n(.*?)```", README, re.DOTALL)

RUN_ELSEWHERE = {
    "pip install -e '.[embedded]' && ftbuild +experiment=tone_formal": "tests/test_end_to_end_tone_formal.py",
    "pip install -e '.[dev]' && pytest": ".ci/run",
    "ftbuild promote best mine": "tests/test_end_to_end_sweep.py",
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return [re.split(r"\s{2,}#", line)[0].strip() for line in lines]


def test_commands_that_run_elsewhere_have_their_place() -> None:
    assert [place for place in RUN_ELSEWHERE.values() if not (ROOT / place).exists()] == []
    assert set(RUN_ELSEWHERE) <= set(commands())


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m 1 -E '(.*)' README.md", script)
    assert pattern is not None
    found = [line for line in README.splitlines() if re.fullmatch(pattern.group(1), line)]
    assert found == ["pip install -e '.[dev]' && pytest"]


@pytest.mark.slow
@pytest.mark.parametrize("command", [each for each in commands() if each not in RUN_ELSEWHERE])
def test_command_runs(command: str, tmp_path: Path) -> None:
    words = command.split()
    assert words[0] == "ftbuild"
    done = subprocess.run(
        [sys.executable, "-m", "ftbuild", *words[1:]],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_the_experiment_of_its_own_is_planned_as_written(tmp_path: Path) -> None:
    shown = [each for each in SHOWN if "/sweep/" not in each[0]]
    assert [name for name, _ in shown] == ["conf/experiment/our_tone.yaml", "conf/source/our_pairs.yaml"]
    pair = {"casual": "thx, see u at 3", "formal": "Thank you. I will see you at 3.", "thread": "t1"}
    for name, text in [*shown, ("data/ours.jsonl", json.dumps(pair))]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    composed = compose(tmp_path, ["+experiment=our_tone"])
    assert composed.description == "Our own messages, in our own words."
    assert list(composed.settings.dataset.sources) == ["unseen", "ours"]
    assert composed.source_path("ours") == tmp_path / "data" / "ours.jsonl"


def test_the_space_has_as_many_points_as_it_says(tmp_path: Path) -> None:
    [(name, text)] = [each for each in SHOWN if "/sweep/" in each[0]]
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text, encoding="utf-8")
    swept = compose_sweep(tmp_path, ["+experiment=tone_formal", "sweep=our_search"], multirun=False)
    assert (len(swept.points), "eight points" in text, swept.notes) == (8, True, [])


def test_the_tree_names_what_exists() -> None:
    tree = README.split("## The tree")[1]
    named = re.findall(r"^([a-z]+/\S*)", tree, re.MULTILINE)
    made_on_the_way = {
        "datasets/built/",
        "datasets/proposals/",
        "outputs/runs/",
        "outputs/sweeps/",
        "outputs/smoke/",
        "outputs/.ftbuild/",
        "outputs/wandb/",
    }
    assert [each for each in named if each not in made_on_the_way and not (ROOT / each).exists()] == []


def test_every_experiment_is_in_the_table() -> None:
    shipped = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    table = README.split("## Experiments")[1].split("\n## ")[0]
    assert shipped == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
