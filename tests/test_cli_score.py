"""`ftbuild score` and `ftbuild compare`: recorded answers and values from anywhere, without a project."""

import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own

TOOLS = [
    {
        "type": "function",
        "function": {"name": "ping", "parameters": {"type": "object", "properties": {"x": {}}}},
    }
]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def lines(own: Own, name: str, *values: Any) -> None:
    (own.folder / name).write_text("".join(json.dumps(each) + "\n" for each in values), encoding="utf-8")


def calls(*numbers: object) -> dict[str, Any]:
    made = [{"name": "ping", "arguments": json.dumps({"x": each})} for each in numbers]
    return {"tool_calls": [{"id": f"c{n}", "type": "function", "function": each} for n, each in enumerate(made)]}


def test_calls_are_scored_with_their_details_and_a_mean(own: Own) -> None:
    lines(
        own,
        "cases.jsonl",
        {"id": "a", "output": calls(2, 1), "target": calls(1, 2), "tools": TOOLS},
        {"id": "b", "output": calls(3), "target": calls(1), "tools": TOOLS},
        {"id": 3, "output": "no idea", "target": "It is warm."},
    )
    ended = own.run("score", "tool_calls", "--cases", "cases.jsonl", "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    difference = {"call": 'ping({"x": 3})', "arguments": [{"name": "x", "sent": 3, "wanted": 1}]}
    assert json.loads(ended.out) == {
        "schema_version": 1,
        "cases": [
            {"id": "a", "value": 1.0, "detail": None},
            {"id": "b", "value": 0.0, "detail": {"missing": [], "extra": [], "differs": [difference]}},
            {"id": "3", "value": None, "detail": None},
        ],
        "summary": {
            "n": 2,
            "mean": 0.5,
            "low": pytest.approx(0.0945, abs=1e-4),
            "high": pytest.approx(0.9055, abs=1e-4),
        },
    }


def test_the_same_for_people_by_another_metric(own: Own) -> None:
    lines(own, "cases.jsonl", {"id": "a", "output": calls(2, 1), "target": calls(1), "tools": TOOLS})
    ended = own.run("score", "tool_calls.precision", "--cases", "cases.jsonl")
    assert ended.out == "a   0.500\ntool_calls.precision   0.500 (unbounded)   1 case\n"


def test_the_leaderboards_mode_takes_what_it_accepts(own: Own) -> None:
    case = {"id": "a", "output": calls("O. K."), "target": calls("ok"), "tools": TOOLS, "accepted": [{"x": ["ok", ""]}]}
    lines(own, "cases.jsonl", case)
    scored = [
        json.loads(own.run("score", "tool_calls", "--cases", "cases.jsonl", "--format", "json", *mode).out)
        for mode in ((), ("--mode", "bfcl"))
    ]
    assert [each["cases"][0]["value"] for each in scored] == [0, 1]


def test_a_style_is_that_of_an_experiment(own: Own) -> None:
    lines(own, "cases.jsonl", {"id": "a", "output": "I can't.", "target": "I cannot."})
    assert own.refused("score", "style", "--cases", "cases.jsonl") == (
        "command line: no style to score by\n"
        "    A style is a list of rules, and this command names none.\n"
        "    Fix: ftbuild score style --cases FILE.jsonl +experiment=NAME\n"
    )
    ended = own.run("score", "style.contractions", "--cases", "cases.jsonl", "+experiment=tone_formal")
    assert ended.out == "a   0.000\nstyle.contractions   0.000 (unbounded)   1 case\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "command line: score takes one scorer\n    Fix: ftbuild score SCORER --cases FILE.jsonl\n"),
        (
            ("tool_call", "--cases", "x"),
            "command line: no scorer 'tool_call'\n    Fix: the nearest is 'tool_calls'.\n",
        ),
        (
            ("tool_calls.f2", "--cases", "x"),
            "command line: tool_calls gives no metric 'tool_calls.f2'\n    Fix: the nearest is 'tool_calls.f1'.\n",
        ),
        (
            ("chrf", "--cases", "x", "--mode", "bfcl"),
            "command line: chrf has no --mode\n    Fix: leave it out; tool_calls has one.\n",
        ),
        (
            ("chrf",),
            "command line: score takes the cases from a file\n"
            "    Fix: --cases FILE.jsonl, with a line a case: id, output, target, and tools, schema and cluster "
            "if there are\n",
        ),
        (
            ("constraints", "--cases", "x.jsonl"),
            "command line: no constraint to score by\n"
            "    Fix: ftbuild score constraints --cases FILE.jsonl --options '{words: {at_most: 40}}'\n",
        ),
        (
            ("constraints", "--options", "{words: {most: 4}, language: English}"),
            "command line: --options: constraints has no 'words.most'\n"
            "    Fix: the nearest is 'at_most'.\n"
            "command line: --options: language: String should match pattern '^[a-z]{2}$'\n"
            "    Fix: --options '{KEY: VALUE, ...}', as under evaluation.scorers in a config\n",
        ),
        (
            ("constraints", "--options", "{word: {at_most: 4}}"),
            "command line: --options: constraints has no 'word'\n    Fix: the nearest is 'words'.\n",
        ),
        (
            ("constraints", "--options", "{"),
            "command line: --options: not YAML: expected the node content, but found '<stream end>'\n"
            "    Fix: --options '{KEY: VALUE, ...}', as under evaluation.scorers in a config\n",
        ),
        (
            ("chrf", "--options", "{language: en}"),
            "command line: --options: chrf takes no options; language is of constraints\n"
            "    Fix: --options '{KEY: VALUE, ...}', as under evaluation.scorers in a config\n",
        ),
        (("chrf", "--cases", "x.jsonl"), "x.jsonl: no such file\n    Fix: check the path.\n"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_why(own: Own, words: tuple[str, ...], said: str) -> None:
    assert own.refused("score", *words) == said


def test_constraints_are_scored_by_what_the_command_line_says(own: Own) -> None:
    lines(
        own,
        "cases.jsonl",
        {"id": "a", "output": "Send it now.", "target": ""},
        {"id": "b", "output": "Send it now, please.", "target": ""},
    )
    words = ("--cases", "cases.jsonl", "--options", "{words: {at_most: 3}, banned: [please]}")
    assert own.run("score", "constraints", *words).out.splitlines()[:2] == ["a   1.000", "b   0.000"]
    ended = own.run("score", "constraints.words", *words, "--format", "json")
    assert [each["detail"] for each in json.loads(ended.out)["cases"]] == [[], ["4 words, at most 3"]]


def test_answers_are_scored_against_the_passages_of_their_line(own: Own) -> None:
    passage = {"name": "Leave", "text": "Everyone has 27 days.", "gold": True}
    lines(
        own,
        "cases.jsonl",
        {"id": "a", "output": "27 days (Leave)", "target": "27.", "passages": [passage]},
        {"id": "b", "output": "27 days", "target": "27.", "passages": [passage]},
        {"id": "c", "output": "It is not said.", "target": "27.", "passages": [{**passage, "gold": False}]},
    )
    words = ("--cases", "cases.jsonl", "--options", "{abstains: [not said]}")
    assert own.run("score", "grounding.citation", *words).out.splitlines()[:3] == [
        "a   1.000",
        "b   0.000",
        "c   no value",
    ]
    assert own.run("score", "grounding.abstains", *words).out.splitlines()[2] == "c   1.000"
    assert own.refused("score", "grounding", "--cases", "cases.jsonl") == (
        "command line: no phrase by which an answer abstains\n"
        "    Fix: ftbuild score grounding --cases FILE.jsonl --options '{abstains: [The handbook does not say]}'\n"
    )


def test_what_a_judge_has_said_is_scored_without_asking_it(own: Own) -> None:
    replies = {"a": ["A", "B"], "b": ["A", "A"], "c": ["B", "A"]}
    cases = [{"id": each, "output": "x", "target": "y", "judgements": said} for each, said in replies.items()]
    lines(own, "cases.jsonl", *cases, {"id": "d", "output": "x", "target": "y"})
    told = own.run("score", "judge", "--cases", "cases.jsonl").out.splitlines()
    assert told[:4] == ["a   1.000", "b   0.500", "c   0.000", "d   no value"]
    lines(own, "cases.jsonl", {"id": "a", "output": "x", "target": "y", "judgements": ["A"]})
    assert own.run("score", "judge", "--cases", "cases.jsonl").err == (
        "cases.jsonl:1: judgements: two replies of a judge, output first and target first\n"
    )


@pytest.mark.parametrize(
    ("scorer", "output", "said"),
    [
        ("judge", "a", "judge\n    Fix: give the lines judgements, what a judge has replied to each order."),
        ("json_schema", "{}", "json_schema.valid\n    Fix: give the lines a schema, that of the answer."),
        ("exact", None, "exact: every output is null\n    Fix: give the lines what is scored."),
    ],
)
def test_a_score_of_nothing_is_no_success(own: Own, scorer: str, output: str | None, said: str) -> None:
    lines(own, "cases.jsonl", {"id": "a", "output": output, "target": "b"})
    ended = own.run("score", scorer, "--cases", "cases.jsonl")
    assert (ended.code, ended.out, ended.err) == (1, "", f"cases.jsonl: no case has a value of {said}\n")


def test_every_broken_case_is_named_by_its_line(own: Own) -> None:
    lines(
        own,
        "cases.jsonl",
        {"output": "a", "target": "b"},
        {"id": "a", "output": "a", "target": "b"},
        {"id": "a", "output": "a", "target": "b"},
        {"id": "b", "output": 5, "target": "b"},
        {"id": "c", "output": {"tool_calls": [{"name": "ping"}]}, "target": "b"},
        {"id": "d", "output": "a", "target": "b", "tools": [{"name": "ping"}]},
        {"id": "e", "output": "a", "target": calls(1), "accepted": []},
        {"id": "g", "output": "a", "target": "b", "passages": [{"name": "Leave"}]},
        ["f"],
    )
    ended = own.run("score", "exact", "--cases", "cases.jsonl")
    assert ended.code == 1
    assert ended.err == (
        "cases.jsonl:1: no id, a text or a whole number\n"
        "cases.jsonl:3: id 'a' stands in line 2 already\n"
        "cases.jsonl:4: no output: an assistant message, or its text\n"
        "cases.jsonl:5: output: tool_calls are not as chat completions spell them ('id')\n"
        "cases.jsonl:6: tools are not as chat completions spell them ('function')\n"
        "cases.jsonl:7: accepted has 0 entries for 1 calls of the target\n"
        "cases.jsonl:8: passages: each has a name and a text, and gold is true or false where it is known\n"
        "cases.jsonl:9: not a JSON object\n"
    )


def test_what_was_scored_can_be_compared(own: Own) -> None:
    for name, right in (("base", 3), ("other", 11)):
        cases = [
            {"id": f"{n}", "output": "yes" if n < right else "no", "target": "yes", "cluster": n // 2}
            for n in range(12)
        ]
        lines(own, f"{name}.jsonl", *cases)
        kept = own.run("score", "exact", "--cases", f"{name}.jsonl", "--out", f"{name}.values.jsonl")
        assert kept.err == f"wrote {name}.values.jsonl\n"
    ended = own.run("compare", "base.values.jsonl", "other.values.jsonl", "--format", "json")
    assert json.loads(ended.out) == {
        "schema_version": 1,
        "n": 12,
        "base": 0.25,
        "other": pytest.approx(11 / 12),
        "difference": pytest.approx(2 / 3),
        "se": pytest.approx(0.1666, abs=1e-3),
        "low": pytest.approx(-0.0515, abs=1e-3),
        "high": pytest.approx(0.9125, abs=1e-3),
        "p": pytest.approx(2 / 2**8),
        "test": "McNemar, exact",
        "mde": pytest.approx(0.5818, abs=1e-3),
        "p_clustered": pytest.approx(2 / 2**5),
        "method": "Tango",
        "verdict": "underpowered",
        "left_out": 0,
    }


def test_two_files_are_compared_for_people(own: Own) -> None:
    lines(own, "a.jsonl", *({"id": n, "value": n % 2} for n in range(40)), {"id": 40, "value": None})
    lines(own, "b.jsonl", *({"id": n, "value": n % 2} for n in range(41)))
    assert own.run("compare", "a.jsonl", "b.jsonl").out == (
        "40 examples; 1 without a value left out\n"
        "base 0.500   other 0.500   difference +0.000 (-0.088 to +0.088)\n"
        "p 1 (McNemar, exact); data like these show a difference of 0.068 four times in five\n"
        "UNDECIDED: too few examples to tell.\n"
    )


@pytest.mark.parametrize(
    ("base", "other", "said"),
    [
        (
            [{"id": "a", "value": 1}],
            [{"id": "b", "value": 1}],
            "a.jsonl: no line of id 'b', which b.jsonl has\nb.jsonl: no line of id 'a', which a.jsonl has\n",
        ),
        ([{"id": "a", "value": "1"}], [{"id": "a", "value": 1}], "a.jsonl:1: value is '1', no number\n"),
        ([{"id": "a"}], [{"id": "a", "value": 1}], "a.jsonl:1: no value; null says that the example has none\n"),
        (
            [{"id": "a", "value": 1, "cluster": "x"}, {"id": "b", "value": 1}],
            [{"id": "a", "value": 1}, {"id": "b", "value": 1}],
            "a.jsonl: 1 of 2 lines have a cluster; 'b' has none\n"
            "    Examples of one cluster are no independent evidence.\n"
            "    Fix: give all of them one, or none.\n",
        ),
        (
            [{"id": "a", "value": 1, "cluster": "x"}],
            [{"id": "a", "value": 1, "cluster": "y"}],
            "b.jsonl: id 'a' is of cluster 'y', in a.jsonl of 'x'\n"
            "    Fix: say it alike, or in the first file alone.\n",
        ),
        ([], [{"id": "a", "value": 1}], "a.jsonl: holds no line\n"),
        (
            [{"id": "a", "value": 1, "metric": "exact"}],
            [{"id": "a", "value": 0.4, "metric": "chrf"}],
            "b.jsonl: values of chrf, and in a.jsonl of exact\n"
            "    Fix: compare values of one metric; ftbuild score --out writes them.\n",
        ),
    ],
)
def test_values_that_cannot_be_compared_are_named(own: Own, base: list[Any], other: list[Any], said: str) -> None:
    lines(own, "a.jsonl", *base)
    lines(own, "b.jsonl", *other)
    ended = own.run("compare", "a.jsonl", "b.jsonl")
    assert (ended.code, ended.err) == (1, said)


def test_a_difference_that_rates_cannot_have_is_not_promised(own: Own) -> None:
    lines(own, "a.jsonl", {"id": 1, "value": 0}, {"id": 2, "value": 0})
    lines(own, "b.jsonl", {"id": 1, "value": 1, "metric": "exact"}, {"id": 2, "value": 0, "metric": "exact"})
    ended = own.run("compare", "a.jsonl", "b.jsonl")
    said = ended.out.splitlines()
    assert said[2] == "p 1 (McNemar, exact); with so few examples no difference could be shown"
    assert (ended.code, said[3]) == (0, "UNDECIDED: too few examples to tell.")


def test_compare_takes_two_files(own: Own) -> None:
    assert own.refused("compare", "a.jsonl") == (
        "command line: compare takes two files\n"
        "    Fix: ftbuild compare BASE.jsonl OTHER.jsonl, with a line an example: id, value, and cluster if there "
        "is one\n"
    )
