"""What a round moved since the one before it: judged on real comparisons, and said in whole sentences."""

from dataclasses import replace
from typing import Any

import pytest
from report_fixture import report_input

from ftbuild.cli.gate_text import Ended, markdown
from ftbuild.errors import EvaluationError
from ftbuild.evaluate.compare import compare
from ftbuild.report import rounds
from ftbuild.report.html import render
from ftbuild.report.terminal import summary
from ftbuild.settings import Goal

METRIC = "tool_calls.exact_set"
GOAL = Goal.model_validate(
    {
        "metric": METRIC,
        "require": {"worth_it": {"beats": "before", "by": 0.02}},
        "keep": {"quiet": {"compared_to": "before", "may_drop": 0.05, "slice": "calls=none"}},
    }
)
# slice, how many examples, right before, right now
KINDS = (("three", 60, 6, 54), ("none", 200, 200, 200), ("odd", 3, 1, 1))


def lines(now: bool) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{name}{number}",
            "group": f"{name}{number}",
            "slices": {"calls": name, "source": "requests"},
            "scores": {METRIC: float(number < (after if now else before))},
            "detail": {},
        }
        for name, n, before, after in KINDS
        for number in range(n)
    ]


def results(*aims: str, **told: Any) -> dict[str, Any]:
    after = {"number": 2, "after": "first", "aims": list(aims), "looks": 2, "split": "test", "fresh": False, **told}
    arms = {"base": lines(now=False), "before": lines(now=False), "tuned": lines(now=True)}
    return compare(arms, GOAL, after=after)


def test_an_aim_has_moved_did_not_move_or_cannot_be_told() -> None:
    found = results("calls=three", "calls=none", "calls=odd")
    assert [(each["slice"], each["verdict"]) for each in found["round"]["aims"]] == [
        ("calls=three", "better"),
        ("calls=none", "no_difference"),
        ("calls=odd", "underpowered"),
    ]
    assert [row.cells for row in rounds.rows(found)] == [
        ("exactly the calls wanted", "263", "0.79 (0.73 to 0.84)", "0.97 (0.94 to 0.99)", "+0.18 (+0.14 to +0.24)", ""),
        ("aim calls=three", "60", "0.10 (0.04 to 0.21)", "0.90 (0.79 to 0.96)", "+0.80 (+0.68 to +0.89)", "moved"),
        (
            "aim calls=none",
            "200",
            "1.00 (0.98 to 1.00)",
            "1.00 (0.98 to 1.00)",
            "0.00 (-0.02 to +0.02)",
            "did not move",
        ),
        (
            "aim calls=odd",
            "3",
            "0.33 (0.06 to 0.80)",
            "0.33 (0.06 to 0.80)",
            "0.00 (-0.57 to +0.57)",
            "cannot tell: no change would show in so few examples",
        ),
    ]
    assert rounds.sentences(found) == ["1 of 3 aims moved."]


def test_aims_are_corrected_for_how_many_they_are() -> None:
    alone = results("calls=three")["round"]["aims"][0]["p_adjusted"]
    among = results("calls=three", "calls=none", "calls=odd")["round"]["aims"][0]["p_adjusted"]
    assert among == pytest.approx(3 * alone)


def test_a_slice_that_is_aimed_at_is_a_row_however_few_examples_it_has() -> None:
    shown = {each["slice"] for each in results("calls=odd", "source=requests")["metrics"]}
    assert shown >= {"calls=odd", "source=requests"}
    assert shown - {each["slice"] for each in results()["metrics"]} == {"calls=odd", "source=requests"}


def test_a_slice_without_a_test_example_is_refused() -> None:
    with pytest.raises(EvaluationError) as refused:
        results("calls=thre", "langage=ja")
    assert str(refused.value) == (
        "round.aims: no test example is in 'calls=thre'\n"
        "    Fix: the nearest is calls=three; its values there are none, odd, three.\n"
        "round.aims: no test example is in 'langage=ja'\n"
        "    Fix: no test example has a langage."
    )


@pytest.mark.parametrize(
    ("aims", "said"),
    [
        ((), "Nothing was aimed at: round.aims names the slices that a round should move."),
        (("calls=three",), "The one aim moved."),
        (("calls=none",), "No aim moved: this round did not show where it was meant to."),
        (
            ("calls=odd",),
            "No aim moved, as far as so few examples can tell: this round did not show where it was meant to.",
        ),
    ],
)
def test_a_round_is_summed_up_in_a_sentence(aims: tuple[str, ...], said: str) -> None:
    assert rounds.sentences(results(*aims)) == [said]


def test_from_the_third_look_on_the_test_examples_are_called_used_up_and_fresh_ones_offered() -> None:
    assert len(rounds.sentences(results("calls=three", looks=2))) == 1
    warned = "This is the third round that looks at these test examples: what it gains may be of them alone. "
    fresh = "evaluation.split=confirm measures on examples that no round has looked at"
    assert rounds.sentences(results("calls=three", looks=3, fresh=True))[1:] == [f"{warned}{fresh}."]
    assert rounds.sentences(results("calls=three", looks=3))[1:] == [
        f"{warned}{fresh}; hold them back first: a source with only: confirm, or +dataset.split.confirm=0.15."
    ]
    assert rounds.sentences(results("calls=three", looks=12))[1].startswith("This is the 12th round ")


def test_the_verdict_is_that_of_the_goal_whatever_moved() -> None:
    first = compare({"base": lines(now=False), "before": lines(now=False), "tuned": lines(now=True)}, GOAL)
    later = results("calls=none")
    assert [later[name] for name in ("verdict", "ending", "goal")] == [
        first[name] for name in ("verdict", "ending", "goal")
    ]
    assert later["ending"] == "met"


def test_terminal_page_and_markdown_tell_the_round() -> None:
    found = results("calls=three", "calls=none")
    jobs = {name: {"trained_tokens": n, "cost_usd": 0} for name, n in (("first", 1000), ("second", 1200))}
    arms = {**report_input().arms, "before": {"about": "the model of the round before", "usage": None}}
    told = replace(
        report_input(), results=found, examples=[], arms=arms, round={"run": "20250303-104200-first", "jobs": jobs}
    )
    block = """\
Round 2, after first        n  before               now                  change
exactly the calls wanted  263  0.79 (0.73 to 0.84)  0.97 (0.94 to 0.99)  +0.18 (+0.14 to +0.24)
aim calls=three            60  0.10 (0.04 to 0.21)  0.90 (0.79 to 0.96)  +0.80 (+0.68 to +0.89)
aim calls=none            200  1.00 (0.98 to 1.00)  1.00 (0.98 to 1.00)  0.00 (-0.02 to +0.02)
  calls=three: moved
  calls=none: did not move
  1 of 2 aims moved.
  Trained on: first 1,000 tokens, no money; second 1,200 tokens, no money.
  What was missed in 20250303-104200-first was read for it.
"""
    assert block in summary(told, 100)
    assert all(len(line) <= 80 for line in summary(told, 80).splitlines())
    page = render(told)
    assert '<h2 id="rounds-title">Round 2, after first</h2>' in page
    assert "quiet, which must not get worse: met" in page
    assert "Trained on: first 1,000 tokens, no money; second 1,200 tokens, no money." in page
    assert "#### Round 2, after first\n" in markdown([Ended("second", "better", found)])


def test_a_first_round_tells_of_none() -> None:
    told = report_input()
    assert "round" not in told.to_json()
    assert 'id="rounds"' not in render(told)
