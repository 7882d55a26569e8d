"""Another choice of checkpoint asks another model, and launches no other job."""

import json

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
    finally:
        stop_server(project)


def test_the_verdicts_examples_do_not_choose_the_model(project: Project) -> None:
    refused = project.run("plan", *REHEARSED, "method.checkpoint=best_evaluation")
    assert refused.code == 2
    assert refused.err == (
        "command line: method.checkpoint: best_evaluation would let the verdict's examples choose the model that they "
        "judge; lowest_validation_loss chooses by examples of their own\n"
    )
