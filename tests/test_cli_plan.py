"""`ftbuild plan`: the text people read, and the JSON others rely on."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from config_fixture import TONE, Own

from ftbuild.cli.options import parse
from ftbuild.cli.plan import _goal, _table, _tail
from ftbuild.foresight import Foresight
from ftbuild.lookup import Planned
from ftbuild.plan.action import DATASET, JOB, PREDICT, Action
from ftbuild.store.store import Record
from ftbuild.voice import Status

EPOCHS = "method.hyperparameters.n_epochs"
WIDE = """
mine   Ours, with a long description that does not fit a narrow terminal.
       embedded · SmolLM2-135M-Instruct · supervised, 2 epochs · seed 7

goal     right_tone   style.all_kept         at least 0.80
         worth_it     style.all_kept         more than 0.10 above base
         elsewhere    chrf on unseen         above rules
         honest       facts.invented         at most 0.15
         no_worse     facts.invented         at most 0.025 above base
         steady       facts.kept on unseen   at most 0.05 below base
data     run      pairs         never run before
         run      unseen        never run before
         run      dataset       after pairs, unseen
         run      lines         after dataset
train    run      echo          after dataset
         run      rules         after dataset
         run      base          after dataset
         run      echo scores   after dataset, echo
         run      rules scores  after dataset, rules
         run      base scores   after base, dataset
         run      job           after lines
test     run      tuned         after dataset, job
         run      tuned scores  after dataset, tuned
         run      verdict       after base scores, echo scores and 2 more
         run      report        after base, base scores and 10 more

Plan: 15 actions to run, 0 cached. No money.
Why: never run before.
Do it: ftbuild +experiment=mine method.hyperparameters.n_epochs=2
"""
NARROW = """
mine   Ours, with a long description that does
       not fit a narrow terminal.
       embedded · SmolLM2-135M-Instruct ·
       supervised, 2 epochs · seed 7

goal     right_tone
             style.all_kept at least 0.80
         worth_it
             style.all_kept more than 0.10 above base
         elsewhere
             chrf on unseen above rules
         honest
             facts.invented at most 0.15
         no_worse
             facts.invented at most 0.025 above base
         steady
             facts.kept on unseen at most 0.05 below base
"""


@pytest.fixture
def own(tmp_path: Path) -> Own:
    found = Own(tmp_path)
    found.experiment(
        "mine",
        """
        # Ours, with a long description that does not fit a narrow terminal.   ftbuild +experiment=mine
        defaults:
          - tone_formal
          - override /goal: ours
        """,
    )
    found.write(
        "conf/goal/ours.yaml",
        """
        # Ours.   ftbuild +experiment=mine
        metric: style.all_kept
        require:
          right_tone: {at_least: 0.80}
          worth_it: {beats: base, by: 0.10}
          elsewhere: {metric: chrf, slice: source=unseen, beats: rules}
        keep:
          honest: {metric: facts.invented, at_most: 0.15}
          no_worse: {metric: facts.invented, compared_to: base, may_drop: 0.025}
          steady: {metric: facts.kept, slice: source=unseen, compared_to: base, may_drop: 0.05}
        """,
    )
    return found


def test_plan_in_a_wide_terminal(own: Own) -> None:
    ended = own.run("plan", "+experiment=mine", f"{EPOCHS}=2")
    assert (ended.code, ended.out, ended.err) == (0, WIDE, "")


def test_a_goal_where_lower_is_better_is_said_as_it_is_judged() -> None:
    require: dict[str, Any] = {"fewer": {"beats": "base"}, "less": {"beats": "base", "by": 0.1}}
    require |= {"high": {"metric": "chrf", "at_least": 0.995}}
    goal = {"metric": "facts.invented", "require": require, "keep": {"kept": {"compared_to": "base", "may_drop": 0.05}}}
    sure = {"fewer": -0.1, "less": None, "high": 0.9956, "kept": 0.02}
    assert _goal(goal, Foresight(50, sure, measured=True), 100)[:4] == [
        "goal     fewer   facts.invented   below base                  sure from -0.10",
        "         less    facts.invented   more than 0.10 below base   too few examples",
        "         high    chrf             at least 0.995              sure from 0.9956",
        "         kept    facts.invented   at most 0.05 above base     sure from +0.02",
    ]


def test_plan_in_a_narrow_terminal_wraps_and_cuts_nothing(own: Own) -> None:
    ended = own.run("plan", "+experiment=mine", f"{EPOCHS}=2", columns=48)
    assert (ended.code, ended.out[: len(NARROW)], ended.err) == (0, NARROW, "")
    words = set(WIDE.split()) - {"style.all_kept"}
    assert words - set(ended.out.split()) == set()


def test_the_command_to_type_next_is_quoted_for_a_shell(own: Own) -> None:
    ended = own.run("plan", TONE, 'style.system="a b"', "--smoke")
    assert ended.out.endswith("Do it: ftbuild +experiment=tone_formal 'style.system=\"a b\"' --smoke\n")


def test_json_is_the_promised_form(own: Own) -> None:
    ended = own.run("plan", TONE, "--format", "json")
    plan = json.loads(ended.out)
    assert (ended.code, ended.err, list(plan)) == (0, "", ["schema_version", "actions", "totals"])
    assert plan["schema_version"] == 1
    assert plan["totals"] == {"run": 2, "maybe": 13, "hit": 0, "cost_usd": 0, "n_tokens": None}
    form = ["id", "key", "kind", "label", "status", "reason", "inputs", "cost_usd", "n_tokens", "estimated"]
    assert {tuple(action) for action in plan["actions"]} == {tuple(form)}
    assert [(each["kind"], each["label"], each["status"], each["reason"]) for each in plan["actions"]] == [
        ("ingest", "pairs", "RUN", ["never run before"]),
        ("ingest", "unseen", "RUN", ["never run before"]),
        ("dataset", "dataset", "MAYBE", ["after pairs, unseen"]),
        ("render", "lines", "MAYBE", ["after dataset"]),
        ("predict", "echo", "MAYBE", ["after dataset"]),
        ("predict", "rules", "MAYBE", ["after dataset"]),
        ("predict", "base", "MAYBE", ["after dataset"]),
        ("score", "echo scores", "MAYBE", ["after dataset, echo"]),
        ("score", "rules scores", "MAYBE", ["after dataset, rules"]),
        ("score", "base scores", "MAYBE", ["after base, dataset"]),
        ("job", "job", "MAYBE", ["after lines"]),
        ("predict", "tuned", "MAYBE", ["after dataset, job"]),
        ("score", "tuned scores", "MAYBE", ["after dataset, tuned"]),
        ("compare", "verdict", "MAYBE", ["after base scores, echo scores and 2 more"]),
        ("report", "report", "MAYBE", ["after base, base scores and 10 more"]),
    ]


def test_json_links_actions_by_id_and_knows_a_key_only_where_nothing_above_runs(own: Own) -> None:
    actions = json.loads(own.run("plan", TONE, "--format=json").out)["actions"]
    ids = [each["id"] for each in actions]
    assert len(set(ids)) == len(ids)
    for position, each in enumerate(actions):
        assert set(each["inputs"]) <= set(ids[:position])
        assert (each["key"] is None) == bool(each["inputs"])
    assert json.loads(own.run("plan", TONE, "--format=json").out)["actions"] == actions


def test_json_of_a_sweep_tells_equal_actions_once(own: Own) -> None:
    totals = json.loads(own.run("plan", "-m", TONE, f"{EPOCHS}=1,2", "--format=json").out)["totals"]
    assert totals == {"run": 2, "maybe": 18, "hit": 0, "cost_usd": 0, "n_tokens": None}


def test_a_sweep_says_how_many_jobs_its_provider_is_given_at_a_time(own: Own) -> None:
    at_openai = ["provider=openai", "model=gpt_4_1_mini"]
    for provider, said in (([], ", 1 at a time (provider.at_once)"), (at_openai, ", 3 at a time (provider.at_once)")):
        told = own.run("plan", "-m", TONE, "seed=1,2,3,4", *provider, columns=300).out
        assert f"Plan: 4 points, 4 new jobs{said}, 30 actions to run, 0 cached." in told
    told = own.run("plan", "-m", TONE, "seed=1,2,3", *at_openai, columns=300).out
    assert "Plan: 3 points, 3 new jobs, " in told
    assert "at a time" not in told


def planned(kind: object, label: str, status: Status, *reasons: str) -> Planned:
    stage = "data" if kind is DATASET else "train" if kind is JOB else "test"
    action = Action(kind, label, stage, {"label": label})  # type: ignore[arg-type]
    record = Record("k", "dataset", label, {}, "240 train, 60 test", 0.0, 1.0) if status == "HIT" else None
    return Planned(action, None, status, list(reasons), record)


def tail(rows: list[Planned]) -> str:
    return _tail(rows, None, parse("plan", [TONE]), 100)


def test_what_is_cached_says_what_it_was_and_what_runs_says_why() -> None:
    rows = [
        planned(DATASET, "dataset", "HIT"),
        planned(JOB, "job", "RUN", "method.hyperparameters.n_epochs   2 -> 3"),
        planned(PREDICT, "tuned", "MAYBE", "after job"),
    ]
    assert _table(rows, {}, {}, 100) + tail(rows) == (
        "data     cached   dataset       240 train, 60 test\n"
        "train    run      job           method.hyperparameters.n_epochs   2 -> 3\n"
        "test     run      tuned         after job\n"
        "Plan: 2 actions to run, 1 cached. No money.\n"
        "Why: method.hyperparameters.n_epochs   2 -> 3.\n"
        "Do it: ftbuild +experiment=tone_formal"
    )


def test_the_reasons_stand_in_one_column_however_long_a_label_is() -> None:
    rows = [planned(PREDICT, "tuned", "MAYBE", "after job"), planned(PREDICT, "tuned_retrieval scores", "RUN", "new")]
    assert _table(rows, {}, {}, 100).splitlines() == [
        "test     run      tuned                  after job",
        "         run      tuned_retrieval scores new",
    ]


def test_a_job_under_way_is_attached_to() -> None:
    rows = [planned(JOB, "job", "ATTACH", "ftjob-1 is under way"), planned(PREDICT, "tuned", "MAYBE", "after job")]
    assert tail(rows) == (
        "\nPlan: 1 action to run, 1 to attach to, 0 cached. No money.\n"
        "Why: ftjob-1 is under way.\n"
        "Do it: ftbuild +experiment=tone_formal"
    )


def test_a_failed_job_names_the_way_on() -> None:
    rows = [
        planned(DATASET, "dataset", "HIT"),
        planned(JOB, "job", "FAILED", "ftjob-1 failed: out of memory"),
        planned(PREDICT, "tuned", "BLOCKED", "an action above has failed"),
    ]
    assert tail(rows) == (
        "\nPlan: 1 failed, 1 blocked, 1 cached. No money.\n"
        "Why: ftjob-1 failed: out of memory.\n"
        "Launch it again: ftbuild retry ftjob-1"
    )


def test_nothing_to_do() -> None:
    assert tail([planned(DATASET, "dataset", "HIT")]) == ("\nPlan: nothing to do, 1 cached.")


def test_a_plan_of_a_smoke_run_uses_the_tiny_model_and_no_goal(own: Own) -> None:
    out = own.run("plan", TONE, "--smoke").out
    assert ("tiny random Llama" in out, "1 epoch ·" in out, "\ngoal" in out) == (True, True, False)


def test_a_setting_that_changes_no_result_changes_no_action(own: Own) -> None:
    plain = own.run("plan", TONE, "--format=json").out
    assert own.run("plan", TONE, "provider.threads=1", "evaluation.concurrency=2", "--format=json").out == plain


HALVING = """
# Ours.   ftbuild +experiment=tone_formal sweep=ours
grid: {seed: [1, 2]}
halving:
  rungs: {method.hyperparameters.n_epochs: [1, 2]}
  keep: 0.5
"""
SEARCH = """
# Ours.   ftbuild +experiment=tone_formal sweep=ours
search:
  n_trials: 3
  from:
    method.hyperparameters.n_epochs: {low: 1, high: 3, int: true}
"""


@pytest.mark.parametrize(
    ("space", "said", "other"),
    [
        (HALVING, "then at most 1 of 2 with n_epochs=2, built in full and tested", "n_epochs: [1, 4]"),
        (HALVING, "then at most 1 of 2 with n_epochs=2, built in full and tested", "keep: 0.9"),
        (SEARCH, "then 2 more, each drawn from what those before it were worth; then the best built", "n_trials: 4"),
    ],
)
def test_a_kept_plan_of_what_a_sweep_begins_with_holds_for_what_may_follow(
    own: Own, space: str, said: str, other: str
) -> None:
    """The first actions stay as they are, what follows them does not."""
    own.write("conf/sweep/ours.yaml", space)
    assert own.run("plan", TONE, "sweep=ours", "--smoke", "dataset.limit=60", "--out", "kept.json").code == 0
    assert said in json.loads((own.folder / "kept.json").read_text())["then"]["said"]
    name = other.partition(":")[0]
    own.write("conf/sweep/ours.yaml", re.sub(rf"\b{name}: (\[.*?\]|[\d.]+)", other, space))
    assert own.refused("build", "--plan", "kept.json") == (
        "kept.json: what would be built is no longer what was planned\n"
        "    what may follow has changed\n"
        "    Fix: plan again and look at it: ftbuild plan ... --out FILE\n"
    )
