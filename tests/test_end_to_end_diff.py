"""Two builds with an edited source between them: listed, and told apart as the person who edited would."""

import json
from pathlib import Path

import pytest
from project_fixture import Project
from test_end_to_end_source import EXPERIMENT, SOURCE

SAID = [f'{{"situation": "s{n}", "casual": "hey {n}, pls call", "formal": "Please call {n}."}}' for n in range(40)]


def write(project: Project, path: str, text: str) -> None:
    target: Path = project.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


@pytest.mark.slow
def test_an_edited_line_below_a_new_one_is_a_change_between_two_runs(project: Project) -> None:
    write(project, "conf/experiment/ours.yaml", EXPERIMENT)
    write(project, "conf/source/ours.yaml", SOURCE)
    for said in (
        SAID,
        [SAID[0].replace("0", "99"), *SAID[:7], SAID[7].replace("Please call 7.", "Call 7."), *SAID[8:]],
    ):
        write(project, "data/ours.jsonl", "\n".join(said) + "\n")
        built = project.run("+experiment=ours", "model=tiny")
        assert built.code == 3, built.err
    old, new = project.runs()
    listed = json.loads(project.run("runs", "--format", "json").out)["runs"]
    assert [(each["run_id"], each["latest"]) for each in listed] == [(new, True), (old, False)]
    assert all(each["trained_tokens"] and each["job_id"] and each["metric"]["n"] for each in listed)
    told = json.loads(project.run("diff", "latest~1", "latest", "--format", "json").out)
    assert (told["old"]["run_id"], told["new"]["run_id"]) == (old, new)
    assert (told["config"], told["implementation"]) == ([], [])
    changes = {
        each["what"]: [side and side["line"] for side in (each["old"], each["new"])] for each in told["data"]["changes"]
    }
    assert changes == {"added": [None, 1], "changed": [8, 9]}
    assert project.run("diff", old, old).out == f"Both are {old}: nothing differs.\n"
