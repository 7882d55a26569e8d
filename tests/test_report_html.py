"""The page as text: self-contained, escaped, the same every time, and silent about conversations when asked."""

import json
from dataclasses import replace
from typing import Any

import pytest
from page_fixture import Page
from report_fixture import SYSTEM, report_input

from ftbuild.report import charts, misses
from ftbuild.report.html import render
from ftbuild.report.input import ReportInput
from ftbuild.report.marks import Piece, mark
from ftbuild.report.misses import INVENTED, LOST, Snippet
from ftbuild.report.view import SIGNS, view


def test_page_is_well_formed_and_every_link_stays_in_it():
    page = Page(render(report_input()))
    assert (page.open, page.crossed) == ([], [])
    assert len(page.ids) == len(set(page.ids))
    assert {link for link in page.links if link.removeprefix("#") not in page.ids} == set()


def test_page_loads_nothing():
    text = render(report_input())
    assert Page(text).loads == ["data:,"]
    assert "@import" not in text
    assert "url(" not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


def test_text_of_an_example_is_never_markup():
    evil = "<script>alert('hi')</script>"
    hostile = replace(
        report_input(),
        caveat=f"</p>{evil}",
        run={**report_input().run, "description": '"><img src=x onerror=1>', "command": "</code><script>"},
        examples=[
            {
                **e,
                "input": evil,
                "target": evil,
                "answers": dict.fromkeys(e["answers"], evil),
                "slices": {"'><b": '"><i>'},
            }
            for e in report_input().examples
        ],
    )
    text = render(hostile)
    page = Page(text)
    assert (page.scripts, page.loads, page.open, page.crossed) == (1, ["data:,"], [], [])
    assert '<p class="text">&lt;script&gt;alert(&#39;hi&#39;)&lt;/script&gt;</p>' in text


def test_same_input_gives_the_same_bytes():
    stored = ReportInput.from_json(json.loads(json.dumps(report_input().to_json())))
    assert render(stored) == render(report_input())


def test_without_examples_no_conversation_is_in_the_page():
    page = Page(render(report_input(), examples=False)).said
    given = report_input()
    texts = {text for e in given.examples for text in (e["input"], e["target"], *e["answers"].values())}
    texts |= {m["content"] for s in given.dataset["samples"] for m in s["messages"] if m["content"] != SYSTEM}
    facts = {snippet.text for e in given.examples for snippet in misses.snippets(e, "tuned") if len(snippet.text) > 2}
    assert {text for text in texts | facts if text in page} == set()
    assert "10 of 40 answers of the tuned model are misses" in page
    assert "0.95" in page


def test_verdict_can_be_forwarded():
    page = " ".join(Page(render(report_input())).said.split())
    assert (
        "On 40 test examples kept out of training, 38 of 40 answers of the tuned model keep every style rule; before "
        "training it was 2 of 40. The gain is +0.90, and we are 95 % sure that it lies between +0.80 and +1.00. "
        "4 of 6 conditions of the goal are met; not decided by so few examples: keeps facts, invents little."
    ) in page


def said(**changed: Any) -> str:
    """Return the sentences of the verdict where its difference is another, and the metric counts no answers."""
    given = report_input()
    metric, *others = given.results["metrics"]
    numbers = {"n": 40, "low": 0.2, "high": 0.3}
    arms = {**metric["arms"], "base": {**numbers, "mean": 0.262}, "tuned": {**numbers, "mean": 0.266}}
    verdict = changed.pop("verdict")
    changes = {"base": {**metric["differences"]["base"], **changed}}
    shown = {**metric, "metric": "chrf", "label": "chrF", "arms": arms, "differences": changes}
    results = {**given.results, "metrics": [shown, *others], "verdict": verdict, "verdict_metric": "chrf"}
    return " ".join(view(replace(given, results=results), examples=False)["verdict"]["sentences"][:2])


def test_a_gain_that_was_shown_is_never_written_as_none():
    assert said(verdict="better", difference=0.004, low=0.0012, high=0.0068, mde=0.004) == (
        "On 40 test examples kept out of training, “chrF” is 0.266 after training and was 0.262 before. "
        "The gain is +0.004, and we are 95 % sure that it lies between +0.001 and +0.007."
    )


@pytest.mark.parametrize(
    ("mde", "more"), [(0.01, ""), (0.16, " They could have shown a change of 0.16 or more."), (None, "")]
)
def test_what_examples_could_have_shown_is_never_narrower_than_what_they_did_not(mde: float | None, more: str):
    assert said(verdict="underpowered", difference=0.004, low=-0.106, high=0.114, mde=mde).endswith(
        f"The change is 0.00, and we are 95 % sure that it lies between -0.11 and +0.12: too few examples to "
        f"tell.{more}"
    )


def test_a_run_without_training_verdict_or_values_still_has_a_page():
    given = report_input()
    nothing = {"n": 0, "mean": None, "low": None, "high": None}
    no_difference = {"n": 0, "difference": None, "low": None, "high": None, "mde": None}
    metrics = [
        {**m, "arms": dict.fromkeys(m["arms"], nothing), "differences": dict.fromkeys(m["differences"], no_difference)}
        for m in given.results["metrics"]
    ]
    results = {**given.results, "metrics": metrics, "goal": [], "ending": None, "verdict": None}
    blank = [{**e, "answers": {**e["answers"], "tuned": ""}, "detail": {}} for e in given.examples]
    bare = replace(given, results=results, training=None, caveat=None, actions=[], examples=blank)
    page = Page(render(bare))
    assert (page.open, page.crossed) == ([], [])
    assert "No verdict, goal not judged." in page.said
    assert "answers nothing" in page.said
    assert Page(render(replace(bare, examples=[]))).crossed == []


def test_misses_come_with_most_kinds_first_and_hits_are_the_rest():
    examples = report_input().examples
    missed = misses.misses(examples)
    assert [misses.kinds(e, "tuned") for e in missed[:4]] == [
        ["lost", "invented"],
        ["lost", "invented"],
        ["style.exclamation_marks", "style.slang"],
        ["lost"],
    ]
    hits = misses.hits(examples)
    assert len(hits) == 20
    assert {e["id"] for e in hits}.isdisjoint(e["id"] for e in missed)
    assert misses.hits(list(reversed(examples))) == hits


def test_lost_against_an_arm_holds_only_what_that_arm_got_right():
    examples = report_input().examples
    assert [e["input"] for e in misses.lost_against(examples, "base")] == ["im out till the 14th, back on the 15th"]


def test_snippets_are_marked_where_they_are_said():
    text = "I owe u 15 dollars at 3 p.m., u see."
    found = mark(text, [Snippet("style.slang", "u"), Snippet(LOST, "time 15:00"), Snippet(INVENTED, "number $15")])
    assert found == [
        Piece("I owe "),
        Piece("u", "style.slang"),
        Piece(" "),
        Piece("15 dollars", INVENTED),
        Piece(" at "),
        Piece("3 p.m.", LOST),
        Piece(", "),
        Piece("u", "style.slang"),
        Piece(" see."),
    ]


def test_a_snippet_found_nowhere_leaves_the_text_whole():
    assert mark("All is well.", [Snippet(LOST, "name marta"), Snippet("style.slang", "")]) == [Piece("All is well.")]


def test_a_word_inside_a_marked_sentence_is_seen():
    found = mark("We gonna go.", [Snippet("style.sentence_words", "We gonna go."), Snippet("style.slang", "gonna")])
    assert found == [Piece("We "), Piece("gonna", "style.slang"), Piece(" go.")]


def test_one_scale_reaches_as_far_as_the_numbers():
    assert charts.scale_of([0.2, 1.0]) == charts.Scale(0, 1, (0, 0.25, 0.5, 0.75, 1))
    assert charts.scale_of([-0.4, 1.0]) == charts.Scale(-0.5, 1.0, (-0.5, 0.0, 0.5, 1.0))


def test_a_long_job_does_not_make_a_heavy_page():
    training = {**(report_input().training or {}), "checkpoints": []}
    training["steps"] = [{"step": n, "train_loss": 1.0, "valid_loss": None} for n in range(1, 20_001)]
    chart = charts.loss(training)
    assert chart is not None
    assert chart.svg.count("L") <= charts.MOST_POINTS + 1
    assert charts.loss({**training, "steps": []}) is None


def test_a_source_of_passages_counts_no_examples() -> None:
    page = render(report_input())
    row = page[page.index(">handbook</th>") :].partition("</tr>")[0]
    assert row.startswith('>handbook</th><td class="number">passages</td>')


def test_where_no_scorer_tells_a_miss_the_page_claims_no_hit() -> None:
    given = report_input()
    examples = [
        {**each, "scores": {arm: {"chrf": 0.2} for arm in each["scores"]}, "detail": {}} for each in given.examples
    ]
    page = render(replace(given, examples=examples))
    assert "That tells no miss: an answer may be near and wrong, or far and right." in page
    assert "without a miss" not in page


def test_a_page_without_misses_says_what_one_would_be() -> None:
    given = report_input()
    examples = [
        {**each, "scores": {arm: {"json_schema.valid": 1} for arm in each["scores"]}, "detail": {}}
        for each in given.examples
    ]
    page = render(replace(given, examples=examples))
    assert (
        "None of 40 answers of the tuned model is a miss. Misses would break their schema or get a field wrong." in page
    )


def test_a_difference_is_marked_where_it_holds_among_all_metrics_and_the_page_says_among_how_many() -> None:
    given = report_input()
    starred = '<abbr class="held" title="p 0.001, among all metrics 0.012">*</abbr>'
    held = sum(
        each["p_adjusted"] is not None and each["p_adjusted"] <= 0.05
        for metric in given.results["metrics"]
        for each in metric["differences"].values()
    )
    text = render(given)
    assert held
    assert text.count(starred) == text.count('class="held"') == held
    assert "A difference with * holds also among 12 metrics (Holm, 5 %)." in " ".join(Page(text).said.split())


def test_where_no_difference_was_tested_no_star_is_explained() -> None:
    given = report_input()
    untested = [
        {**each, "differences": {arm: {**d, "p_adjusted": None} for arm, d in each["differences"].items()}}
        for each in given.results["metrics"]
    ]
    text = render(replace(given, results={**given.results, "metrics": untested}))
    assert "Holm" not in text
    assert 'class="held"' not in text


def test_the_page_of_a_winner_says_what_it_came_to_on_examples_that_nobody_had_looked_at() -> None:
    given = report_input()
    assert "The winner of a sweep" not in render(given)
    assert "sweep" not in given.to_json()
    for verdict, ending, word in (("better", "met", "confirmed"), ("worse", "missed", "not confirmed")):
        sweep = {"looks": 6, "verdict": "better", "p": 0.0123, "confirmed": {**given.results, "verdict": verdict}}
        won = replace(given, sweep=sweep)
        assert ReportInput.from_json(json.loads(json.dumps(won.to_json()))) == won
        text = render(won)
        said = " ".join(Page(text).said.split())
        assert f"The winner of a sweep {SIGNS[ending]} {word} On 40 examples that nobody had looked at: 0.95" in said
        assert "on the test split, +0.90 (+0.80 to +1.00) to base; among 6 looks (Holm, p 0.012): better." in said
