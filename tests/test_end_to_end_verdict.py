"""Judged runs with the tiny model, which answers nonsense: the goal is missed, and every ending says so."""

import json
import re

import pytest
from project_fixture import TINY, Project

pytestmark = pytest.mark.slow


def test_missed_goal_is_exit_code_3_now_and_when_it_is_cached(project: Project) -> None:
    small = (*TINY, "dataset.limit=60", "method.hyperparameters.n_epochs=1")
    ended = project.run(*small)
    assert ended.code == 3, ended.err
    run = project.run_json()
    assert (run["verdict"], run["ending"]) == ("underpowered", "missed")
    assert {each["name"]: each["ending"] for each in run["goal"]}["facts_kept"] == "missed"
    assert "TOO FEW EXAMPLES TO TELL A DIFFERENCE, goal missed.\n" in ended.out
    assert f"report   {run['path']}/report.html\n" in ended.out
    assert re.search(r"^         missed +facts_kept +surely not above 0\.\d\d +wanted 0\.85$", ended.out, re.MULTILINE)

    again = project.run(*small)
    verdict = f"TOO FEW EXAMPLES TO TELL A DIFFERENCE, goal missed, today {run['started_at'][11:16]} UTC"
    said = rf"Nothing to do: 15 cached\. {verdict}\.\n{run['path']}/report\.html     \S+ s\n"
    assert (again.code, again.err) == (3, "")
    assert re.fullmatch(said, again.out), again.out

    listed = project.run(COLUMNS="200")
    assert listed.code == 0
    row = r"^  tone_formal +Casual .* formal message out\. +too few examples to tell a difference, goal missed +today "
    assert re.search(row, listed.out, re.MULTILINE)


def test_sweep_builds_the_dataset_once_and_asks_the_base_once(project: Project) -> None:
    ended = project.run("-m", *TINY, "dataset.limit=30", "method.hyperparameters.n_epochs=1,2")
    assert ended.code == 3, ended.err
    store = project.store()
    assert len(store.creates()) == len(store.job_ids()) == 2
    first, second = (project.run_json(f"outputs/runs/{name}") for name in project.runs())
    assert {each["status"] for each in first["actions"]} == {"RUN"}
    assert [each["label"] for each in second["actions"] if each["status"] == "RUN"] == [
        *("job", "tuned", "tuned scores", "verdict", "report")
    ]
    n_test = first["dataset"]["counts"]["test"]
    asked = [each for each in store.requests() if each.startswith("POST /v1/chat/completions ")]
    assert len(asked) == 3 * n_test  # base once, tuned twice
    assert [store.job(run["jobs"][0])["hyperparameters"]["n_epochs"] for run in (first, second)] == [1, 2]
    point = f"ftbuild {' '.join(TINY)} dataset.limit=30 method.hyperparameters.n_epochs="
    assert [run["command"] for run in (first, second)] == [point + "1", point + "2"]
    assert sorted(re.findall(r" job +(\[n_epochs=\d\]) ftjob-", ended.err)) == ["[n_epochs=1]", "[n_epochs=2]"]
    told = [
        rf"n_epochs={number}   [A-Z ]+, goal missed, today {run['started_at'][11:16]} UTC"
        rf"   {run['path']}/report\.html"
        for number, run in ((1, first), (2, second))
    ]
    looks = r"Of 2 looks at once \(Holm\): too few examples to tell: n_epochs=1, n_epochs=2"
    page = r"The sweep: outputs/sweeps/tone_formal-[0-9a-f]{8}/report\.html"
    value, gain = r"0\.\d\d \(0\.\d\d to 0\.\d\d\)", r"\S+ \(\S+ to \S+\) to base"
    rows = [r" +style rules, all kept +difference", *(rf"n_epochs={n}   {value} +{gain}(   best)?" for n in (1, 2)), ""]
    assert re.fullmatch("\n".join([*rows, *told, looks, "", page]) + "\n", ended.out), ended.out


def test_answers_of_one_model_are_not_taken_for_those_of_another_with_its_name(project: Project) -> None:
    small = (*TINY, "dataset.limit=20", "method.hyperparameters.n_epochs=1")
    said = []
    for seed in (0, 1):
        assert project.run(*small, f"model.random.seed={seed}").code == 3
        report = (project.folder / "outputs/runs/latest/report.json").read_bytes()
        said.append([each["answers"]["base"] for each in json.loads(report)["examples"]])
    assert said[0] != said[1]
