"""What improve says: of a run without misses, with few examples, without a test, without a scorer that tells a miss."""

from dataclasses import replace
from pathlib import Path

import pytest
from config_fixture import Own
from runs_fixture import OLD, Runs

from ftbuild.cli import improve_text
from ftbuild.cli.improve_text import Facts
from ftbuild.improve.groups import Group, Miss, Part
from ftbuild.improve.neighbours import Learnt, Near
from ftbuild.improve.proposal import Proposal
from ftbuild.improve.suspects import Suspect
from ftbuild.report import misses

FACTS = Facts("run-1", "ours", "tuned", "base", 12, 100, 40, 200, 900, tells=True)
NOTHING = Proposal("ours", "run-1", ["+experiment=ours"], [])


def said(facts: Facts) -> str:
    return improve_text.text(facts, [], [], NOTHING, None, 200)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            FACTS,
            "run-1: tuned misses 12 of 100 validation examples; 40 of 200 test examples, which are counted and not "
            "looked at.\nWhat is near in the training data is found by letters alone: no model of the provider is "
            "known to give vectors (retrieval.model names one).\n\nNothing is proposed.",
        ),
        (
            replace(FACTS, missed=0, missed_in_test=0),
            "run-1: no miss of tuned among 100 validation examples; 0 of 200 test examples, which are counted and not "
            "looked at.\n\nNothing is proposed.",
        ),
        (
            replace(FACTS, missed=0),
            "run-1: no miss of tuned among 100 validation examples; 40 of 200 test examples, which are counted and not "
            "looked at.\nThe validation examples are too few, or too easy: dataset.split.validation says how many "
            "there are.\n\nNothing is proposed.",
        ),
        (
            replace(FACTS, missed=2, n=10, missed_in_test=0, n_test=0, in_meaning=True),
            "run-1: tuned misses 2 of 10 validation examples; there is no test example.\nWith 10 validation examples a "
            "kind of miss that comes up once in ten may well not be among them: raise dataset.split.validation.\n"
            "What is near in the training data is found by letters and by meaning.\n\nNothing is proposed.",
        ),
        (
            replace(FACTS, tells=False),
            "run-1: no scorer of ours tells a miss, so there is nothing to group.\nAdd one that does: tool_calls, "
            "json_schema, style, facts, grounding, constraints or criteria.\n\nNothing is proposed.",
        ),
    ],
)
def test_how_much_was_missed_is_a_clear_sentence(facts: Facts, words: str) -> None:
    assert said(facts) == words


def test_a_group_says_where_it_stands_out_and_what_was_learnt() -> None:
    example = {"id": "1", "path": "a.jsonl", "line": 4, "input": "lights\non", "target": "light(on)"}
    example |= {"answers": {"tuned": ""}, "slices": {"calls": "one"}}
    near = [Near(Learnt("2", "b.jsonl:7", "lights off", "light(off)", ("light",)), 0.613)]
    near.append(Near(Learnt("3", "b.jsonl:8", "make it bright", "light(on)", ("light",)), 0.7, "meaning"))
    missed = [Miss(example, (misses.MISSING,), "taught", near)]
    parts = [Part("calls=one", 3, 8, 0.01), Part("source=a", 3, 60, 0.6)]
    group = Group(misses.MISSING, "tuned", missed, 100, parts, {"light": 3}, {}, (9, 200))
    suspected = [Suspect(0, "ab", "b.jsonl:9", ["its answer loses a fact"], 2.0)]
    assert improve_text.text(FACTS, [group], suspected, NOTHING, None, 100).splitlines()[5:] == [
        "   1  leaves a call out   (test: 9 of 200)",
        "      1 taught there",
        "      stands out in calls=one (3 of 8)",
        "      tools: light 3",
        "",
        "      asked            lights on",
        "      wanted           light(on)",
        "      tuned            nothing",
        "      near 0.61        lights off   b.jsonl:7",
        "      learnt           light(off)",
        "      in meaning 0.70  make it bright   b.jsonl:8",
        "      learnt           light(on)",
        "",
        "1 training example to look at, for the label may be wrong:",
        "  b.jsonl:9   its answer loses a fact",
        "",
        "Nothing is proposed.",
    ]


def test_a_run_that_was_not_judged_or_is_under_way_is_told(tmp_path: Path) -> None:
    own = Own(tmp_path)
    (tmp_path / "outputs" / "runs" / "20260101-000000-ours").mkdir(parents=True)
    assert own.refused("improve", "20260101-000000-ours") == (
        "command line: 20260101-000000-ours has not come to its end, or is under way: nothing is known of what it got "
        "wrong\n    Fix: build it to its end: the same command goes on.\n"
    )
    Runs(tmp_path).write(OLD, verdict=None, ending=None)
    assert own.refused("improve", OLD).startswith(f"command line: {OLD} was not judged\n")


def test_a_run_that_trained_nothing_is_told(tmp_path: Path) -> None:
    own = Own(tmp_path)
    Runs(tmp_path).write(OLD, verdict=None, ending=None, jobs=[])
    assert own.refused("improve", OLD) == (
        f"command line: {OLD} trained nothing, so nothing was judged\n"
        "    With method=none a model is asked as it is: what it misses, no data of this experiment has taught it.\n"
        "    Fix: build it with a method: method=supervised\n"
    )
