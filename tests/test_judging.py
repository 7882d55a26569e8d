"""The labelled examples of a judge: what a file must hold, and what the shipped one does."""

import json
from collections import Counter
from typing import Any

import pytest
from config_fixture import Own
from judge_fixture import LABELLED, ROOT

JUDGED = ("+experiment=tone_formal", "evaluation=judged", "judge=formal")
PAIR = {"message": "hi", "one": "Hello.", "other": "hey", "better": "one"}


@pytest.fixture
def own(tmp_path: Any) -> Own:
    return Own(tmp_path)


def plan(own: Own, *overrides: str) -> Any:
    return own.run("plan", *JUDGED, *overrides)


def write(own: Own, *lines: Any) -> tuple[str, ...]:
    path = own.folder / "labels.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return (f"judge.labelled={path}",)


def test_every_broken_label_is_named_by_its_line(own: Own) -> None:
    ended = plan(own, *write(own, PAIR, {**PAIR, "better": "two"}, {"message": "hi", "one": 1}, ["x"]))
    path = own.folder / "labels.jsonl"
    assert (ended.code, ended.err) == (
        1,
        f"{path}:2: better is 'two', none of one, other, tie\n"
        f"{path}:3: no one, a text\n"
        f"{path}:3: no other, a text\n"
        f"{path}:3: no better, a text\n"
        f"{path}:4: not a JSON object\n",
    )


def test_a_file_without_labels_and_none_at_all_are_told(own: Own) -> None:
    ended = plan(own, *write(own))
    assert (ended.code, ended.err) == (1, f"{own.folder / 'labels.jsonl'}: holds no labelled example\n")
    ended = plan(own, "judge.labelled=/nowhere.jsonl")
    assert (ended.code, ended.err) == (2, "command line: judge.labelled: /nowhere.jsonl: no such file or directory\n")


def test_an_edit_of_the_labels_judges_anew_and_one_of_the_threshold_does_not(own: Own) -> None:
    def key(*overrides: str) -> Any:
        told = json.loads(own.run("plan", *JUDGED, *overrides, "--format", "json").out)["actions"]
        return {each["label"]: each["id"] for each in told}

    one = key(*write(own, PAIR))
    other = key(*write(own, {**PAIR, "better": "tie"}))
    assert {label for label in one if one[label] != other[label]} == {"judge", "verdict", "report"}
    higher = key(*write(own, PAIR), "judge.at_least=0.7")
    assert {label for label in one if one[label] != higher[label]} == {"verdict", "report"}


def test_a_judge_without_a_rubric_and_a_rubric_without_its_origin_are_refused(own: Own) -> None:
    assert own.refused("plan", "+experiment=tone_formal", "evaluation=judged") == (
        f"{ROOT}/conf/judge/none.yaml:2: judge.rubric: null, and the scorer judge judges by one\n"
        "    Fix: judge=formal, or a rubric of your own in conf/judge.\n"
    )
    said = own.refused("plan", *JUDGED, "judge.origin=null")
    assert "a rubric comes with labelled examples and their origin; no origin" in said


def test_the_verdict_rests_on_no_judge(own: Own) -> None:
    said = own.refused("plan", *JUDGED, "goal.metric=judge")
    assert said == (
        "command line: goal.metric: the verdict rests on what is counted, not on what is judged\n"
        "    Fix: name another metric here, and the judge in a condition.\n"
    )


def test_the_shipped_labels_are_balanced_and_of_no_message_of_the_data() -> None:
    assert Counter(each["better"] for each in LABELLED) == {"one": 13, "other": 13, "tie": 14}
    assert len({each["message"] for each in LABELLED}) == len(LABELLED)
    tone = ROOT / "datasets" / "sources" / "tone"
    known = {
        json.loads(line)["casual"].casefold()
        for name in ("pairs", "unseen")
        for line in (tone / f"{name}.jsonl").read_bytes().splitlines()
    }
    assert not known & {each["message"].casefold() for each in LABELLED}
