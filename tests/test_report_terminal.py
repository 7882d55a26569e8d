"""The terminal summary, whole, and the wording of numbers and goal conditions."""

from dataclasses import replace
from typing import Any

import pytest
from report_fixture import report_input

from ftbuild.report import words
from ftbuild.report.input import ReportInput
from ftbuild.report.terminal import summary


def small(**run: Any) -> ReportInput:
    """The fixture with two metrics, one slice and two conditions."""
    whole = report_input()
    shown = [
        ("style.all_kept", None),
        ("style.all_kept", "source=unseen"),
        ("style.slang", None),
        ("facts.invented", None),
    ]
    results = {
        **whole.results,
        "metrics": [m for m in whole.results["metrics"] if (m["metric"], m["slice"]) in shown],
        "goal": [whole.results["goal"][0], whole.results["goal"][4]],
    }
    return replace(whole, results=results, run={**whole.run, **run})


def test_summary_shows_arms_goal_verdict_and_the_way_on():
    assert summary(small(), 120) == EXPECTED


def test_narrow_terminal_keeps_the_intervals_of_the_differences():
    assert summary(small(), 70).split("\n\n")[0] == NARROW


def test_every_line_fits_an_ordinary_terminal():
    tables = summary(report_input(), 80).split("\n\n")[:2]
    assert max(len(line) for table in tables for line in table.splitlines()) <= 80


def test_unjudged_run_has_no_verdict():
    unjudged = small()
    results = {**unjudged.results, "goal": [], "ending": None, "verdict": None}
    assert "\n\nNO VERDICT, goal not judged.\n\n" in summary(replace(unjudged, results=results), 120)


def test_what_a_rehearsal_made_up_is_called_so_and_nothing_follows_from_it():
    whole = small()
    end = summary(replace(whole, results={**whole.results, "rehearsed": True}), 120)
    assert f"\nREHEARSED: BETTER, goal undecided.\n{words.REHEARSED}\n\n" in end
    told = {"verdict": "better", "ending": "met"}
    assert words.headline({**told, "rehearsed": True}) == "Rehearsed: better, goal met."
    assert words.asked_for({**told, "rehearsed": True}) == "rehearsed: better, goal met"
    unasked = {"verdict": None, "ending": None}
    assert [words.asked_for({**unasked, "rehearsed": each}) for each in (True, False)] == [
        "rehearsed, no verdict asked for",
        "no verdict asked for",
    ]
    levers = {"retrieve": True, "tune": False, "metrics": [], "costs": []}
    assert words.recommendation(levers) == "Retrieve, and do not tune."
    assert words.recommendation(levers, rehearsed=True) == "Nothing follows: the answers are made up."


def test_changes_not_committed_are_said():
    assert "again    ftbuild +experiment=tone_formal   (on 41c07de with changes not committed)" in summary(
        small(dirty=True), 120
    )


def test_unknown_cost_is_never_nought():
    assert summary(small(cost_usd=None), 120).endswith("5 min 16 s; cost unknown")
    assert summary(small(cost_usd=0.004), 120).endswith("5 min 16 s; under $0.01")


def condition(
    kind: str, low: float | None, high: float | None, wanted: float, ending: str, **more: Any
) -> dict[str, Any]:
    estimate = None if low is None or high is None else (low + high) / 2
    plain = {"name": "it", "part": "require", "metric": "chrf", "slice": None, "arm": "base", "more_examples": None}
    return {
        **plain,
        "kind": kind,
        "estimate": estimate,
        "low": low,
        "high": high,
        "wanted": wanted,
        "ending": ending,
        **more,
    }


@pytest.mark.parametrize(
    ("asked", "found", "wanted"),
    [
        (condition("at_least", 0.899, 0.95, 0.85, "met"), "surely 0.89", "wanted 0.85"),
        (condition("at_least", 0.5, 0.661, 0.7, "missed"), "surely not above 0.67", "wanted 0.70"),
        (condition("at_least", 0.5, 0.846, 0.85, "missed"), "surely not above 0.846", "wanted 0.85"),
        (condition("at_least", 0.8, 0.9, 0.85, "undecided"), "0.80 to 0.90", "wanted 0.85"),
        (condition("at_least", 0.8, 0.92, 0.85, "met"), "about 0.86", "wanted 0.85"),
        (condition("at_least", None, None, 0.85, "undecided"), "no value", "wanted 0.85"),
        (condition("at_most", 0.01, 0.04, 0.05, "met"), "at worst 0.04", "allowed 0.05"),
        (condition("at_most", 0.07, 0.2, 0.05, "missed"), "surely not below 0.07", "allowed 0.05"),
        (condition("beats", 0.89, 0.95, 0.1, "met"), "surely +0.89", "wanted +0.10"),
        (condition("beats", 0.0004, 0.1, 0.0, "met"), "surely +0.0004", "wanted above 0"),
        (condition("beats", -0.02, 0.16, 0.1, "undecided"), "-0.02 to +0.16", "wanted +0.10"),
        (condition("compared_to", -0.04, 0.01, -0.05, "met"), "at worst -0.04", "allowed -0.05"),
    ],
)  # fmt: skip
def test_goal_condition_claims_no_more_than_its_interval(asked: dict[str, Any], found: str, wanted: str):
    (finding,) = words.findings({**report_input().results, "goal": [asked]})
    assert (finding.found, finding.wanted) == (found, wanted)


def test_lower_is_better_turns_a_comparison_around():
    asked = condition("beats", -0.3, -0.12, -0.1, "met", metric="facts.invented")
    (finding,) = words.findings({**report_input().results, "goal": [asked]})
    assert (finding.asked, finding.found, finding.wanted) == (
        "facts invented: more than 0.10 below base",
        "surely -0.12",
        "wanted -0.10",
    )


def test_rounding_drops_float_noise_and_the_sign_of_nought():
    assert (words.low_end(0.29), words.high_end(0.1 + 0.2), words.signed(-0.001)) == ("0.29", "0.30", "0.00")


EXPECTED = """\
                                     n     base               tuned               difference
all style rules kept (proxy)        40     0.05 (.01-.17)     0.95 (.83-.99)      +0.90 (+.80 to +1.00)
  source=unseen                     12     0.00 (.00-.25)     1.00 (.75-1.00)     +1.00 (+.90 to +1.10)
facts invented, lower is better     40     0.00 (.00-.10)     0.10 (.03-.24)      +0.10 (.00 to +.20)

without a model                     echo     tuned against echo        rules     tuned against rules
all style rules kept (proxy)        0.03     +0.93 (+.82 to +1.03)     0.58      +0.38 (+.27 to +.48)
  source=unseen                     0.00     +1.00 (+.90 to +1.10)     0.67      +0.33 (+.23 to +.44)
facts invented, lower is better     0.00     +0.10 (.00 to +.20)       0.00      +0.10 (.00 to +.20)

an answer     seconds     tokens read     written     1,000 cost
base             1.31              64          21       no money
tuned            1.31              64          21       no money

goal     met         good_enough      surely 0.83    wanted 0.80
         undecided   invents_little   0.04 to 0.23   allowed 0.05   about 180 more test examples would tell
BETTER, goal undecided.

improve  10 misses of 40: 6 lose a fact, 4 invent a fact, 1 uses a contraction
         to read, never to train on: outputs/runs/latest/misses.jsonl
         what to learn from instead: ftbuild improve 20261123-185207-tone_formal
report   outputs/runs/latest/report.html
model    ft:smollm2-135m-instruct:ftbuild:tone-formal:8kQ2vX
         talk to it: ftbuild chat latest
         take it away: ftbuild export latest DIR
again    git checkout 41c07de && ftbuild +experiment=tone_formal
5 min 16 s; no money"""

NARROW = """\
                                  n  base  tuned  difference
all style rules kept (proxy)     40  0.05  0.95   +0.90 (+.80 to +1.00)
  source=unseen                  12  0.00  1.00   +1.00 (+.90 to +1.10)
facts invented, lower is better  40  0.00  0.10   +0.10 (.00 to +.20)"""
