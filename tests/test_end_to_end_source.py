"""A user's own source: a broken line stops the build before anything is launched."""

import json

import pytest
from project_fixture import Project

EXPERIMENT = """\
# @package _global_
# Ours.   ftbuild +experiment=ours
defaults:
  - tone_formal
  - /source@dataset.sources.ours: ours
dataset:
  sources: {pairs: null, unseen: null}
goal:
  require: {beats_rules_unseen: null, closer_to_reference_unseen: null}
"""
SOURCE = """\
# Our own pairs.   ftbuild +experiment=ours
kind: pairs
path: data/ours.jsonl
input: casual
target: formal
group: situation
licence: internal
origin: written by us
"""


def test_broken_line_is_named_and_nothing_is_launched(project: Project) -> None:
    for path, text in {
        "conf/experiment/ours.yaml": EXPERIMENT,
        "conf/source/ours.yaml": SOURCE,
        "data/ours.jsonl": '{"situation": "a", "casual": "hey", "formal": "Hello."}\n{"situation": "b", "casual": \n',
    }.items():
        (project.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / path).write_text(text)
    ended = project.run("+experiment=ours", "model=tiny")
    assert ended.code == 1
    assert ended.out == ""
    assert any(line.startswith("data/ours.jsonl:2: ") for line in ended.err.splitlines()), ended.err
    assert "Traceback" not in ended.err
    assert "    Fix: " in ended.err
    store = project.store()
    assert not store.state.exists()
    assert store.journal() == []
    assert not (project.folder / "outputs/runs").exists()


def pair(number: int, formal: str) -> str:
    return json.dumps({"situation": f"s{number}", "casual": f"hey send it by {number}", "formal": formal}) + "\n"


@pytest.mark.slow
def test_a_change_of_one_example_changes_one_line_of_the_provenance_and_the_digest(project: Project) -> None:
    lines = [pair(number, f"Please send it by {number}.") for number in range(40)]
    told = []
    for answer in ("Please send it by 7.", "Kindly send it by 7."):
        lines[7] = pair(7, answer)
        for path, text in {
            "conf/experiment/ours.yaml": EXPERIMENT,
            "conf/source/ours.yaml": SOURCE,
            "data/ours.jsonl": "".join(lines),
        }.items():
            (project.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (project.folder / path).write_text(text)
        ended = project.run("dataset", "+experiment=ours", "model=tiny")
        assert ended.code == 0, ended.err
        folder = project.folder / ended.out.strip()
        places = [json.loads(line) for line in (folder / "provenance.jsonl").read_text().splitlines()]
        told.append((folder.name, {(each["id"], each["split"], each["line"], each["digest"]) for each in places}))
    (before, old), (after, new) = told
    assert before != after
    assert [each[2] for each in old - new] == [each[2] for each in new - old] == [8]
    assert len(old) == len(new) == 40
