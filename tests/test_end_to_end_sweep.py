"""What the points of a sweep come to together, rehearsed: seeds of one configuration are told apart from examples."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from project_fixture import Project
from rehearsal_fixture import stop_server

pytestmark = pytest.mark.slow

BUILD = ("+experiment=tone_formal", "evaluation=ours", "goal=ours", "provider=rehearsal", "dataset.limit=200")
CONF = {
    "evaluation/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal evaluation=ours
arms: {base: {kind: base}, tuned: {kind: tuned}}
scorers: {chrf: {}, facts: {}}
concurrency: 8
""",
    "goal/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal goal=ours
metric: chrf
require:
  good_enough: {at_least: 0.0}
judge_by: lower_bound
""",
}


@contextmanager
def ours(project: Project) -> Iterator[Project]:
    """Give a project with a small evaluation of its own, and end its server."""
    for name, text in CONF.items():
        path = project.folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    try:
        yield project
    finally:
        stop_server(project, smoke=False)


def test_points_that_differ_in_their_seed_alone_are_told_as_one_configuration(project: Project) -> None:
    with ours(project):
        asked = ("-m", *BUILD, "seed=1,2", "method.hyperparameters.n_epochs=1,2")
        ended = project.run(*asked)
        assert ended.code == 0, ended.err
        told = [line for line in ended.out.split("\n") if " seeds: " in line]
        number = r"\d\.\d\d"
        form = rf"n_epochs=(\d), 2 seeds: character F-score {number} \({number} to {number} over examples\), by seed"
        assert [re.match(form, line)[1] for line in told] == ["1", "2"]  # type: ignore[index]
        runs = [project.run_json(f"outputs/runs/{name}") for name in project.runs()]
        sweeps = [run["sweep"] for run in runs]
        assert [(each["looks"], each["seeds"]["seeds"]) for each in sweeps] == [(4, [1, 2])] * 4
        for run, each in zip(runs, sweeps, strict=True):
            own = next(m for m in run["metrics"] if m["metric"] == "chrf" and m["slice"] is None)["arms"]["tuned"]
            assert each["seeds"]["spread"]["least"] <= own["mean"] <= each["seeds"]["spread"]["most"]
            assert each["seeds"]["over_examples"]["n"] == own["n"]
        again = project.run(*asked)
        assert (again.out, again.err) == (ended.out, "")
        assert [project.run_json(f"outputs/runs/{name}") for name in project.runs()] == runs
