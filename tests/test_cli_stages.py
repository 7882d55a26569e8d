"""`ftbuild train`, `evaluate` and `report`, rehearsed: each builds as far as it says, and the next goes on."""

from pathlib import Path

import pytest
from config_fixture import TONE, Own
from project_fixture import Project
from rehearsal_fixture import REHEARSED, recorded, stop_server


@pytest.mark.slow
def test_each_stage_stops_where_it_says_and_the_next_goes_on(project: Project) -> None:
    trained = project.run("train", *REHEARSED)
    assert trained.code == 0, trained.err
    job_id, model = trained.out.split()
    sent = recorded(project)
    assert {each["body"]["model"] for each in sent if each["path"].endswith("completions")} == {"tiny-random"}
    early = project.run("report", *REHEARSED)
    assert early.code == 2
    assert early.err.startswith("command line: tuned is not there, and a report asks no model\n    Fix: ftbuild ")
    assert not (project.folder / "outputs" / "smoke" / "runs" / "latest").exists()

    judged = project.run("evaluate", *REHEARSED, COLUMNS="100")
    assert judged.code == 0, judged.err
    assert "difference" in judged.out.splitlines()[0]
    assert len(recorded(project)) > len(sent)
    assert not (project.folder / "outputs" / "smoke" / "runs" / "latest").exists()

    sent = recorded(project)
    drawn = project.run("report", *REHEARSED)
    assert drawn.code == 0, drawn.err
    told = project.run_json("outputs/smoke/runs/latest")
    assert (told["jobs"], told["fine_tuned_model"]) == ([job_id], model)
    assert recorded(project) == sent
    assert project.run(*REHEARSED).out.startswith("Nothing to do: ")
    stop_server(project)


def test_where_nothing_is_tuned_there_is_nothing_to_train(tmp_path: Path) -> None:
    said = Own(tmp_path).refused("train", TONE, "method=none")
    assert said == (
        "conf/method/none.yaml:2: method.type: none, so there is nothing to train\n    Fix: method=supervised\n"
    )
