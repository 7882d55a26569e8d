"""A search over a conditional space, rehearsed: killed in the middle it goes on, and more trials extend it."""

import pytest
from embedded_fixture import until
from project_fixture import HANGS_SECONDS, Project
from rehearsal_fixture import with_conf
from test_end_to_end_halving import BUILD, CONF, creates

from ftbuild.digest import of_value
from ftbuild.search import Tried, remembered

pytestmark = pytest.mark.slow

SPACE = """\
# Ours.   ftbuild +experiment=tone_formal sweep=drawn
search:
  n_trials: 5
  from:
    method.hyperparameters.n_epochs: {low: 1, high: 3, int: true}
    method.hyperparameters.learning_rate_multiplier: {low: 0.1, high: 10, log: true}
  when:
    method.hyperparameters.learning_rate_multiplier: {method.hyperparameters.n_epochs: [2, 3]}
"""
SEARCHED = (*BUILD, "sweep=drawn")


def tried(project: Project) -> list[Tried]:
    [path] = (project.store().folder / "searches").iterdir()
    return remembered(path)


def test_a_search_killed_in_the_middle_goes_on_where_it_was_and_is_extended_by_more_trials(project: Project) -> None:
    with with_conf(project, {**CONF, "sweep/drawn.yaml": SPACE}):
        planned = project.run("plan", *SEARCHED, "--out", "kept.json", COLUMNS="250")
        assert planned.code == 0, planned.err
        assert "then 4 more, each drawn from what those before it were worth; then the best built" in planned.out

        client = project.start("build", "--plan", "kept.json")
        until(lambda: "2 of 5 trials" in client.err or client.process.poll() is not None, HANGS_SECONDS)
        client.kill()
        before = tried(project)
        assert 2 <= len(before) < 5

        ended = project.run(*SEARCHED, COLUMNS="300")
        assert ended.code == 0, ended.err
        after = tried(project)
        assert (len(after), after[: len(before)]) == (5, before)
        assert str(before[0].values) not in ended.err
        jobs = [of_value(each["method"]) for each in creates(project)]
        assert len(jobs) == len(set(jobs)) == len({of_value(dict(each.values)) for each in after})
        rates = ["method.hyperparameters.learning_rate_multiplier" in each.values for each in after]
        assert rates == [each.values["method.hyperparameters.n_epochs"] > 1 for each in after]

        [run] = [project.run_json(f"outputs/runs/{each}") for each in project.runs()]
        told = run["sweep"]["search"]["trials"]
        assert [each["values"] for each in told] == [dict(each.values) for each in after]
        best = max(after, key=lambda each: each.mean or 0.0)
        said = [f"{key}={value}" for key, value in best.values.items()]
        assert run["overrides"][-len(said) :] == said

        again = project.run(*SEARCHED, COLUMNS="300")
        assert (again.code, again.out, again.err) == (0, ended.out, "")

        more = project.run(*SEARCHED, "sweep.search.n_trials=7", COLUMNS="300")
        assert more.code == 0, more.err
        assert (len(tried(project)), tried(project)[:5]) == (7, after)
        jobs = [of_value(each["method"]) for each in creates(project)]
        assert len(jobs) == len(set(jobs))
