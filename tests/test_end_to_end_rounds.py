"""Two rounds built as people build them, rehearsed: the second finds the model of the first where it was built."""

import pytest
from project_fixture import Project
from rehearsal_fixture import recorded, with_conf

pytestmark = pytest.mark.slow

FIRST = """\
# @package _global_
# The first.   ftbuild +experiment=first
defaults:
  - tone_formal
  - override /provider: rehearsal
  - override /model: tiny
dataset: {limit: 20}
"""
SECOND = """\
# @package _global_
# The second.   ftbuild +experiment=second
defaults: [first]
method: {hyperparameters: {n_epochs: 1}}
round:
  after: first
  aims: [source=unseen]
"""


def test_a_second_round_trains_once_and_asks_the_model_before_nothing_new(project: Project) -> None:
    with with_conf(project, {"experiment/first.yaml": FIRST, "experiment/second.yaml": SECOND}):
        first = project.run("+experiment=first")
        assert first.code == 0, first.err
        n_requests = len(recorded(project, smoke=False))
        planned = project.run("plan", "+experiment=second")
        assert "cached   before        " in planned.out
        assert "cached   job           [first] ftjob-" in planned.out

        second = project.run("+experiment=second")
        assert second.code == 0, second.err
        told = project.run_json()
        assert list(told["arms"]) == ["echo", "rules", "base", "before", "tuned"]
        assert [each["label"] for each in told["actions"]].count("job") == 1
        assert "Round 2, after first" in second.out
        asked = [each for each in recorded(project, smoke=False)[n_requests:] if each["path"].endswith("completions")]
        assert {each["body"]["model"] for each in asked} == {told["fine_tuned_model"]}

        again = project.run("+experiment=second")
        assert again.out.startswith("Nothing to do: ")
        n_actions = len(told["actions"])
        assert again.out.startswith(f"Nothing to do: {n_actions} cached.")
        history = project.run("runs", "--experiment", "first").out.partition("\n\n")[2]
        assert history.startswith("Rounds by style rules, all kept")
        assert "changed: method.hyperparameters.n_epochs 2 -> 1" in history


def test_an_aim_that_no_test_example_has_stops_before_the_job(project: Project) -> None:
    only_unseen = FIRST.replace("{limit: 20}", "{limit: 40, split: {test: 0.0}}")
    lost = SECOND.replace("source=unseen", "source=pairs")
    with with_conf(project, {"experiment/first.yaml": only_unseen, "experiment/second.yaml": lost}):
        ended = project.run("+experiment=second")
        assert ended.code == 5
        said = "round.aims: no test example is in 'source=pairs'\n    Fix: its values there are unseen.\n"
        assert ended.err.endswith(f"conf/experiment/second.yaml:7: {said}")
        sent = [(each["method"], each["path"]) for each in recorded(project, smoke=False)]
        assert sent.count(("POST", "/v1/fine_tuning/jobs")) == 1
