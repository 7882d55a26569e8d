"""Another choice of checkpoint asks another model, and launches no other job."""

import json
import re

import pytest
from project_fixture import Project
from rehearsal_fixture import REHEARSED, state, stop_server

LATEST = "outputs/smoke/runs/latest"


@pytest.mark.slow
def test_another_checkpoint_is_chosen_without_another_job(project: Project) -> None:
    epochs = (*REHEARSED, "method.hyperparameters.n_epochs=3")
    try:
        assert project.run(*epochs).code == 0
        last = project.run_json(LATEST)
        told = json.loads(project.run("plan", *epochs, "method.checkpoint=last", "--format", "json").out)
        assert {each["status"] for each in told["actions"]} == {"HIT"}
        ended = project.run(*epochs, "method.checkpoint=lowest_validation_loss")
        assert ended.code == 0, ended.err
        lowest = project.run_json(LATEST)
        assert len(list((state(project) / "jobs").iterdir())) == 1
        assert lowest["jobs"] == last["jobs"]
        ran = {each["label"]: each["status"] for each in lowest["actions"]}
        assert next(label for label, status in ran.items() if status == "RUN") == "tuned"
        assert ran["job"] == "HIT"
        report = json.loads((project.folder / LATEST / "report.json").read_bytes())["training"]
        best = min(report["checkpoints"], key=lambda each: (each["valid_loss"], each["step"]))
        assert report["chosen"] == "lowest_validation_loss"
        assert report["model"] in (best["model"], last["fine_tuned_model"])

        hosted = ("+experiment=tone_formal", "--smoke", "provider=openai", "model=gpt_4_1_mini")
        asked = ("plan", *hosted, "method.checkpoint=best_evaluation", "--format", "json")
        planned = json.loads(project.run(*asked).out)
        [choice] = [each for each in planned["actions"] if each["label"] == "checkpoint"]
        assert choice["n_tokens"] > 0  # is told before anybody pays
        ended = project.run(*epochs, "method.checkpoint=best_evaluation")
        assert ended.code == 0, ended.err
        answered = project.run_json(LATEST)
        assert answered["jobs"] == last["jobs"]
        assert len(list((state(project) / "jobs").iterdir())) == 1
        assert next(each["label"] for each in answered["actions"] if each["status"] == "RUN") == "checkpoint"
        report = json.loads((project.folder / LATEST / "report.json").read_bytes())["training"]
        found = [each["evaluation"] for each in report["checkpoints"]]
        n = last["dataset"]["counts"]["validation"]
        assert [(each["metric"], each["n"]) for each in found] == [("style.all_kept", n)] * 3
        assert re.search(r"checkpoint +step \d+ of \d+: .+ on \d+ validation examples", ended.err), ended.err
    finally:
        stop_server(project)
