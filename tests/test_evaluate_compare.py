from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftbuild.errors import EvaluationError
from ftbuild.evaluate import arms, scoring
from ftbuild.evaluate.compare import compare
from ftbuild.evaluate.trust import Trust, trust
from ftbuild.scorers import Case, build
from ftbuild.settings import Arm, Condition, Evaluation, Goal, Style, StyleRules
from ftbuild.settings.evaluation import ScorerName, ScorerOptions
from ftbuild.settings.style import AtMost

CONF = Path(__file__).parent.parent / "conf"
SCORERS: tuple[ScorerName, ...] = ("style", "chrf", "facts", "exact")
STYLE = Style(
    language="en",
    system="x",
    rules=StyleRules(
        contractions="never",
        slang="never",
        exclamation_marks="never",
        sentence_case="always",
        sentence_words=AtMost(at_most=40),
    ),
    slang=("hey", "thx", "gimme", "dunno"),
    expand={"thx": "thank you", "u": "you", "pls": "please"},
)
GOAL = Goal.model_validate(yaml.safe_load((CONF / "goal" / "right_tone.yaml").read_text()), strict=False)
REWRITING = Evaluation.model_validate(
    yaml.safe_load((CONF / "evaluation" / "rewriting.yaml").read_text()), strict=False
)
NAMES = ["Ana", "Bo", "Chidi", "Dara", "Emeka", "Farah", "Goran", "Hana", "Ilse", "Jude"]
CONSTANT = "Thank you for your message. We will reply as soon as possible."


def pair(i: int) -> tuple[str, str]:
    name = NAMES[i % 10]
    return (
        f"hey {name.lower()}, the site's down since {i + 2} and i dunno why, gimme a call!",
        f"Dear {name}, the site has been down since {i + 2}, and I do not know why. Please call me.",
    )


def lines(answer: Callable[[str, str], str], n: int = 80) -> list[dict[str, Any]]:
    cases = [
        Case(f"e{i}", casual, formal, answer(casual, formal), f"g{i % 16}", {"source": "unseen" if i % 2 else "pairs"})
        for i in range(n)
        for casual, formal in [pair(i)]
    ]
    return list(
        scoring.score(
            ([each] for each in cases),
            build({name: ScorerOptions() for name in ("style", "chrf", "facts", "exact")}, STYLE),
        )
    )


def all_arms(tuned: Callable[[str, str], str]) -> dict[str, list[dict[str, Any]]]:
    rules = REWRITING.arms["rules"]
    return {
        "echo": lines(lambda casual, _: arms.echo(casual)),
        "rules": lines(lambda casual, _: arms.rules(casual, STYLE, rules)),
        "base": lines(lambda casual, _: casual),
        "tuned": lines(tuned),
    }


def test_the_references_meet_the_goal() -> None:
    results = compare(all_arms(lambda _, formal: formal), GOAL)
    endings = {each["name"]: each["ending"] for each in results["goal"]}
    assert endings == dict.fromkeys([*GOAL.require, *GOAL.keep], "met")
    assert (results["ending"], results["verdict"], results["verdict_metric"], results["n_test"]) == (
        "met",
        "better",
        "style.all_kept",
        80,
    )


def test_one_constant_formal_sentence_fails_the_goal() -> None:
    results = compare(all_arms(lambda *_: CONSTANT), GOAL)
    missed = [each["name"] for each in results["goal"] if each["ending"] == "missed"]
    assert (results["ending"], missed) == (
        "missed",
        ["closer_to_reference", "facts_kept"],
    )


def line(i: int, value: float | None, source: str = "pairs") -> dict[str, Any]:
    scores = {"facts.kept": value, "style.emoji": 1.0, "style.all_kept": value}
    return {"id": f"e{i}", "group": f"g{i % 4}", "slices": {"source": source}, "scores": scores, "detail": {}}


SMALL = Goal(metric="style.all_kept", require={"good": Condition(at_least=0.5)})


def test_metrics_come_in_order_each_followed_by_its_slices() -> None:
    half = [line(i, 1.0, "unseen" if i < 5 else "pairs" if i < 10 else "tiny") for i in range(12)]
    results = compare({"base": half, "tuned": half}, SMALL)
    assert [(each["metric"], each["slice"]) for each in results["metrics"]] == [
        ("style.all_kept", None),
        ("style.all_kept", "source=pairs"),
        ("style.all_kept", "source=unseen"),
        ("facts.kept", None),
        ("facts.kept", "source=pairs"),
        ("facts.kept", "source=unseen"),
        ("style.emoji", None),
    ]


def test_a_metric_without_values_has_n_0_and_nulls() -> None:
    none = [line(i, None) for i in range(4)]
    shown = compare({"base": none, "tuned": none}, SMALL)["metrics"][0]
    assert shown == {
        "metric": "style.all_kept",
        "label": "style rules, all kept",
        "proxy": True,
        "lower_is_better": False,
        "slice": None,
        "arms": {arm: {"n": 0, "mean": None, "low": None, "high": None, "method": ""} for arm in ("base", "tuned")},
        "differences": {
            "base": {
                **dict.fromkeys(["base", "other", "difference", "se", "low", "high", "p", "mde"]),
                **dict.fromkeys(["p_clustered", "p_adjusted"]),
                "method": "",
                "n": 0,
                "test": "none",
            }
        },
    }


def test_unjudged_results_have_no_goal_ending_or_verdict() -> None:
    few = [line(i, 1.0) for i in range(4)]
    results = compare({"base": few, "tuned": few}, GOAL, judged=False)
    assert (results["goal"], results["ending"], results["verdict"]) == ([], None, None)


def test_a_condition_on_a_slice_nobody_has_is_undecided() -> None:
    goal = Goal(metric="style.all_kept", require={"there": Condition(at_least=0.5, slice="unseen")})
    few = [line(i, 1.0) for i in range(8)]
    (judged,) = compare({"base": few, "tuned": few}, goal)["goal"]
    assert judged == {
        "name": "there",
        "part": "require",
        "metric": "style.all_kept",
        "slice": "source=unseen",
        "kind": "at_least",
        "arm": None,
        "estimate": None,
        "low": None,
        "high": None,
        "wanted": 0.5,
        "ending": "undecided",
        "more_examples": None,
        "p": None,
        "p_adjusted": None,
    }


def test_missing_examples_unknown_metrics_and_arms_are_named_at_once() -> None:
    goal = Goal(
        metric="style.all_kep", require={"a": Condition(beats="rule"), "b": Condition(metric="bleu", at_least=1)}
    )
    with pytest.raises(EvaluationError) as error:
        compare({"base": [line(0, 1.0)], "tuned": [line(0, 1.0), line(1, 1.0)]}, goal)
    assert str(error.value) == (
        "arm 'base' has no scores for example 'e1'\n"
        "goal.metric: no scorer gives the metric 'style.all_kep'\n"
        "    Fix: write 'style.all_kept'.\n"
        "goal.b: no scorer gives the metric 'bleu'\n"
        "    Fix: add its scorer to evaluation.scorers.\n"
        "goal.a: no arm 'rule'\n"
        "    Fix: one of base, tuned."
    )


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("hey, can u call?! thx 🙏", "I hope this message finds you well. Hello, could you please call? Thank you."),
        ("i'm late, sorry!!", "I hope this message finds you well. I am late, I apologize."),
        ("where is it", "I hope this message finds you well. Where is it?"),
        ("", "I hope this message finds you well."),
    ],
)
def test_the_rules_arm_rewrites_without_a_model(raw: str, answer: str) -> None:
    assert arms.rules(raw, STYLE, REWRITING.arms["rules"]) == answer


def test_the_longest_phrase_is_replaced_first() -> None:
    arm = Arm(kind="rules", substitute={"can": "may", "can you": "could you please"})
    assert arms.rules("Can you or can I?", STYLE, arm) == "Could you please or may I?"


def test_an_echo_is_the_input() -> None:
    assert arms.echo(" hey\n") == " hey\n"


def with_judge(replies: tuple[str, str]) -> Trust:
    """Return the trust in a judge that says of every pair of three labels what it is said to say."""
    return trust([{"better": each, "replies": replies} for each in ("one", "other", "tie") * 10], 0.6)


@pytest.mark.parametrize(("admitted", "ending"), [(False, "undecided"), (True, "met"), (None, "undecided")])
def test_a_condition_on_a_judge_counts_only_where_it_is_admitted(admitted: bool | None, ending: str) -> None:
    goal = Goal(metric="chrf", require={"judged": Condition(metric="judge", at_least=0.6)})
    arms_ = {
        name: [{**each, "scores": {**each["scores"], "judge": 1.0}} for each in lines(lambda _, formal: formal)]
        for name in ("base", "tuned")
    }
    letters = {"one": ("A", "B"), "other": ("B", "A"), "tie": ("T", "T")}
    good = trust([{"better": each, "replies": letters[each]} for each in [*letters] * 10], 0.6)
    trusted = {True: good, False: with_judge(("A", "A")), None: None}[admitted]
    results = compare(arms_, goal, trusted=trusted)
    [condition] = results["goal"]
    assert (condition["ending"], results["ending"]) == (ending, ending)
    assert condition.get("refused") == (None if admitted else "the judge is not admitted")
    assert results.get("judge", {}).get("admitted") is admitted
