"""Every command of the README runs: here, or in the test named beside it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

RUN_ELSEWHERE = {
    "pip install -e '.[embedded]' && ftbuild +experiment=tone_formal": "tests/test_end_to_end_tone_formal.py",
    "pip install -e '.[dev]' && pytest": ".ci/run",
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return [re.split(r"\s{2,}#", line)[0].strip() for line in lines]


def test_commands_that_run_elsewhere_have_their_place() -> None:
    assert [(ROOT / place).exists() for place in RUN_ELSEWHERE.values()] == [True, True]
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


def test_the_tree_names_what_exists() -> None:
    tree = README.split("## The tree")[1]
    named = re.findall(r"^([a-z]+/\S*)", tree, re.MULTILINE)
    made_by_a_build = {"datasets/built/", "outputs/runs/", "outputs/.ftbuild/"}
    assert [each for each in named if each not in made_by_a_build and not (ROOT / each).exists()] == []


def test_every_experiment_is_in_the_table() -> None:
    shipped = {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    table = README.split("## Experiments")[1].split("\n## ")[0]
    assert shipped == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
