"""Successive halving, rehearsed: what plan says runs, most points are given up early, and a kill repeats nothing."""

import json
import re
from collections import Counter
from typing import Any

import pytest
from embedded_fixture import until
from project_fixture import HANGS_SECONDS, Project
from rehearsal_fixture import recorded, with_conf

from ftbuild.digest import of_value

pytestmark = pytest.mark.slow

EPOCHS, RATE = "method.hyperparameters.n_epochs", "method.hyperparameters.learning_rate_multiplier"
CONF = {
    "evaluation/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal evaluation=ours
arms: {base: {kind: base}, tuned: {kind: tuned}}
scorers: {chrf: {}}
concurrency: 8
""",
    "goal/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal goal=ours
metric: chrf
require:
  good_enough: {at_least: 0.0}
judge_by: lower_bound
""",
    "sweep/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal sweep=ours
grid:
  method.hyperparameters.learning_rate_multiplier: [0.5, 1, 2, 4]
halving:
  rungs: {method.hyperparameters.n_epochs: [1, 2, 3]}
  keep: 0.5
""",
}
BUILD = ("+experiment=tone_formal", "evaluation=ours", "goal=ours", "provider=rehearsal", "dataset.limit=60")
HALVED = (*BUILD, "sweep=ours")


def creates(project: Project) -> list[dict[str, Any]]:
    """Return what every job was asked for, in order."""
    sent = recorded(project, smoke=False)
    return [each["body"] for each in sent if (each["method"], each["path"]) == ("POST", "/v1/fine_tuning/jobs")]


def epochs(project: Project) -> Counter[int]:
    """Return how many jobs were asked for with so many epochs."""
    return Counter(each["method"]["supervised"]["hyperparameters"]["n_epochs"] for each in creates(project))


def inputs(project: Project, split: str) -> set[str]:
    """Return the messages that the examples of a split end with, before their answers."""
    [built] = (project.folder / "datasets" / "built" / "tone_formal").iterdir()
    lines = (built / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["messages"][-2]["content"] for line in lines}


def test_a_sweep_killed_on_its_first_rung_repeats_no_job_and_leaves_its_finalist_alone_a_look_at_the_test_split(
    project: Project,
) -> None:
    with with_conf(project, CONF):
        planned = project.run("plan", *HALVED, "--out", "kept.json", COLUMNS="200")
        assert planned.code == 0, planned.err
        assert "then at most 2 of 4 with n_epochs=2, then at most 1 of 4 with n_epochs=3, built in full" in planned.out
        said = sorted(re.findall(r"job +\[learning_rate_multiplier=([\d.]+)\]", planned.out))
        assert said == ["0.5", "1", "2", "4"]

        client = project.start("build", "--plan", "kept.json")
        until(lambda: "was launched" in client.err or client.process.poll() is not None, HANGS_SECONDS)
        client.kill()
        before = len(creates(project))
        assert 0 < before <= 4

        ended = project.run(*HALVED, COLUMNS="300")
        assert ended.code == 0, ended.err
        assert epochs(project) == {1: 4, 2: 2, 3: 1}
        bodies = [of_value(each) for each in creates(project)]
        assert len(bodies) == len(set(bodies))
        assert "n_epochs=1, character F-score on the validation split: 2 of 4 go on to n_epochs=2" in ended.err
        assert "n_epochs=2, character F-score on the validation split: 1 of 2 goes on to n_epochs=3" in ended.err

        [run] = [project.run_json(f"outputs/runs/{each}") for each in project.runs()]
        rungs = run["sweep"]["rungs"]
        assert [(each["value"], len(each["points"])) for each in rungs] == [(1, 4), (2, 2)]
        for rung in rungs:
            means = {each["point"]: each["mean"] for each in rung["points"]}
            best = sorted(means, key=lambda name: -means[name])[: len(means) // 2]
            assert {each["point"] for each in rung["points"] if each["goes_on"]} == set(best)
        [winner] = [each["point"] for each in rungs[-1]["points"] if each["goes_on"]]
        assert run["overrides"][-2:] == [f"method.hyperparameters.{winner}", f"{EPOCHS}=3"]

        # The base, and the tuned model of the finalist: nobody else has seen a test example.
        test = inputs(project, "test")
        sent = [each for each in recorded(project, smoke=False) if each["path"] == "/v1/chat/completions"]
        looked = Counter(each["body"]["model"] for each in sent if each["body"]["messages"][-1]["content"] in test)
        assert len(looked) == 2
        assert run["fine_tuned_model"] in looked
        stopped = re.findall(r"cut at (n_epochs=\d): [\d.]+ on the validation split", ended.out)
        assert stopped == ["n_epochs=1", "n_epochs=1", "n_epochs=2"]

        again = project.run(*HALVED, COLUMNS="300")
        assert (again.code, again.out, again.err) == (0, ended.out, "")
        by_hand = project.run("plan", *BUILD, f"{RATE}={winner.partition('=')[2]}", f"{EPOCHS}=3")
        assert "Plan: nothing to do" in by_hand.out

        wider = project.run(*HALVED, f"sweep.grid={{{RATE}:[0.5,1,2,4,8]}}", COLUMNS="300")
        assert wider.code == 0, wider.err
        assert epochs(project)[1] == 5


def test_a_sweep_without_validation_examples_is_refused_with_its_place_before_anything_is_trained(
    project: Project,
) -> None:
    with with_conf(project, CONF):
        ended = project.run(*HALVED, "dataset.split.validation=0")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == (
            "command line: dataset.split.validation: there is no validation example, and who goes on is "
            "chosen on them\n"
            "    Nothing was trained.\n"
            "    Fix: dataset.split.validation=0.1, more data, or a sweep that gives no point up early.\n"
        )


def test_with_the_tiny_model_it_ends_in_half_the_steps_of_the_full_grid(project: Project) -> None:
    with with_conf(project, CONF):
        halving = f"sweep.halving={{rungs:{{{EPOCHS}:[1,4]}},keep:0.25}}"
        asked = ("+experiment=tone_formal", "evaluation=ours", "goal=ours", "model=tiny", "dataset.limit=60")
        asked = (*asked, "request.max_completion_tokens=8")
        ended = project.run(*asked, "sweep=ours", halving, COLUMNS="300")
        assert ended.code == 0, ended.err
        store = project.store()
        steps = sorted(len(store.steps(each)) for each in store.job_ids())
        assert len(steps) == 5
        assert steps[:4] == [steps[0]] * 4
        assert 2 * sum(steps) <= 4 * steps[-1]
        assert steps[-1] == 4 * steps[0] > 0
