"""A space built for real with the tiny model: its points are runs as their own commands make them."""

import pytest
from project_fixture import Project
from rehearsal_fixture import with_conf

pytestmark = pytest.mark.slow

EPOCHS = "method.hyperparameters.n_epochs"
TWICE = f"""\
# Once and twice.   ftbuild +experiment=tone_formal sweep=twice
grid:
  {EPOCHS}: range(1,3)
"""
OURS = """\
# @package _global_
# Ours, once and twice.   ftbuild +experiment=ours
defaults:
  - tone_formal
  - override /sweep: twice
"""


def test_a_space_is_built_once_and_its_points_are_those_of_their_own_commands(project: Project) -> None:
    with with_conf(project, {"sweep/twice.yaml": TWICE, "experiment/ours.yaml": OURS}):
        asked = ("+experiment=ours", "--smoke")
        planned = project.run("plan", *asked)
        assert "2 points: n_epochs=1, n_epochs=2" in planned.out
        ended = project.run(*asked)
        assert ended.code == 0, ended.err
        assert [line.partition("   ")[0] for line in ended.out.splitlines() if "/runs/" in line] == [
            "n_epochs=1",
            "n_epochs=2",
        ]
        told = [project.run_json(f"outputs/smoke/runs/{name}") for name in project.runs("outputs/smoke/runs")]
        commands = [f"ftbuild +experiment=ours sweep=none {EPOCHS}={n} --smoke" for n in (1, 2)]
        assert [each["command"] for each in told] == commands
        jobs = project.store(smoke=True).job_ids()
        assert len(jobs) == 2

        again = project.run(*asked)
        assert (again.code, again.out, again.err) == (0, ended.out, "")
        for command in commands:
            alone = project.run(*command.split()[1:])
            assert (alone.code, alone.err) == (0, "")
            assert alone.out.startswith("Nothing to do: 15 cached.")
        assert project.store(smoke=True).job_ids() == jobs
        assert [project.run_json(f"outputs/smoke/runs/{name}") for name in project.runs("outputs/smoke/runs")] == told


def test_a_kept_plan_of_a_space_builds_its_points(project: Project) -> None:
    with with_conf(project, {"sweep/twice.yaml": TWICE}):
        asked = ("+experiment=tone_formal", "sweep=twice", "--smoke", "--out", "kept.json")
        assert project.run("plan", *asked).code == 0
        built = project.run("build", "--plan", "kept.json")
        assert built.code == 0, built.err
        assert [
            project.run_json(f"outputs/smoke/runs/{name}")["overrides"][-1]
            for name in project.runs("outputs/smoke/runs")
        ] == [
            f"{EPOCHS}=1",
            f"{EPOCHS}=2",
        ]
        drifted = TWICE.replace("range(1,3)", "range(1,4)")
        with with_conf(project, {"sweep/twice.yaml": drifted}):
            assert project.run("build", "--plan", "kept.json").code == 2
