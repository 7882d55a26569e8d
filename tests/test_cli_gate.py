"""How a build ends, as CI reads it."""

from xml.etree import ElementTree

from report_fixture import report_input

from ftbuild.cli.gate_text import Ended, github, markdown, xml

RESULTS = report_input().results
ENDED = [Ended("tone_formal", "BETTER, goal met", RESULTS), Ended("tone_formal n=2", "no disk", None)]


def test_github_gets_an_annotation_a_condition() -> None:
    lines = github(ENDED).splitlines()
    assert lines[:1] + lines[3:4] + lines[-3:] == [
        "::notice title=tone_formal%3A good_enough met::all style rules kept (proxy): at least 0.80: surely 0.83",
        "::warning title=tone_formal%3A keeps_facts undecided::facts kept: at least 0.85: 0.69 to 0.93; "
        "about 260 more test examples would tell",
        "tone_formal: BETTER, goal met",
        "::error title=tone_formal n=2::no disk",
        "tone_formal n=2: no disk",
    ]


def test_what_a_rehearsal_misses_is_no_failure() -> None:
    rehearsed = [Ended("tone_formal", "REHEARSED: BETTER", {**RESULTS, "rehearsed": True})]
    assert {line.split(" ")[0] for line in github(rehearsed).splitlines()[:-1]} == {"::notice"}
    assert ElementTree.fromstring(xml(rehearsed)).attrib["failures"] == "0"
    assert markdown(rehearsed).startswith("### tone_formal: Rehearsed: better, goal undecided.")


def test_junit_has_a_test_case_a_condition_and_what_is_not_met_fails() -> None:
    root = ElementTree.fromstring(xml(ENDED))
    failed = [(case.get("name"), each.get("type")) for case in root.iter("testcase") for each in case.iter("failure")]
    assert root.attrib == {"tests": "7", "failures": "3"}
    assert failed == [("keeps_facts", "undecided"), ("invents_little", "undecided"), ("built", "failed")]


def test_markdown_has_a_row_a_condition_and_a_star_where_a_difference_stands_among_all_metrics() -> None:
    metrics = [
        {**each, "differences": {"base": {**each["differences"]["base"], "p_adjusted": p}}}
        for each, p in zip([m for m in RESULTS["metrics"] if not m["slice"]][:2], (0.04, 0.06), strict=True)
    ]
    told = markdown([Ended("tone_formal", "BETTER.", {**RESULTS, "metrics": metrics})]).splitlines()
    rows = [line for line in told if line.startswith("| ")]
    assert told[0] == "### tone_formal: Better, goal undecided."
    assert len([row for row in rows if row.startswith(("| met |", "| undecided |"))]) == len(RESULTS["goal"])
    assert [row.endswith(" * |") for row in rows[-2:]] == [True, False]
    assert "among 2 metrics (Holm, 5 %)" in told[-1]
