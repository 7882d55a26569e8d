"""Answers that promptfoo and OpenAI's Evals recorded: `ftbuild score` and `ftbuild compare` read their files."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from config_fixture import Own
from openai.types.eval_list_response import EvalListResponse
from openai.types.evals.runs import OutputItemListResponse

MODELS = ("openai:gpt-4o-mini", "openai:ft:ours")
POLITE = {"type": "llm-rubric", "value": "is polite"}
TESTS: list[dict[str, Any]] = [
    {"vars": {"question": "Capital of France?", "answer": "Paris"},
     "assert": [{"type": "equals", "value": "{{answer}}"}]},
    {"vars": {"question": "Capital of Spain?"}, "assert": [{"type": "icontains", "value": "madrid"}, POLITE]},
    {"vars": {"question": "2 + 2?"}, "assert": [{"type": "equals", "value": 4}]},
    {"vars": {"question": "A colour?"}, "assert": [{"type": "regex", "value": "^(red|blue)$"}]},
]  # fmt: skip
SAID = (("Paris", "Rome", "4", None), ("Paris.", "It is Madrid", "4", "blue"))
RIGHT = ((1, 0, 1, None), (0, 1, 1, 1))
PROMPT = "Answer: {{question}}"


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def results() -> list[dict[str, Any]]:
    """Return results as promptfoo 0.123 writes them, those of the second model first."""
    return [
        {
            "promptIdx": at,
            "testIdx": number,
            "testCase": {**test, "options": {}, "metadata": {}},
            "promptId": "p",
            "provider": {"id": MODELS[at], "label": ""},
            "prompt": {"raw": PROMPT.replace("{{question}}", test["vars"]["question"]), "label": PROMPT},
            "vars": test["vars"],
            "success": RIGHT[at][number] == 1,
            "score": RIGHT[at][number] or 0,
            "latencyMs": 5,
            "namedScores": {},
            **(
                {"response": {"output": SAID[at][number], "tokenUsage": {"total": 9}, "cost": 0.1}}
                if SAID[at][number] is not None
                else {"error": "429", "failureReason": 2}
            ),
        }
        for at in (1, 0)
        for number, test in enumerate(TESTS)
    ]


def version_3() -> dict[str, Any]:
    prompts = [{"raw": PROMPT, "label": PROMPT, "provider": each} for each in MODELS]
    inner = {"version": 3, "timestamp": "2026-11-20T10:00:00Z", "prompts": prompts, "results": results(), "stats": {}}
    return {"evalId": "eval-1", "results": inner, "config": {"tests": TESTS}, "shareableUrl": None}


def version_2() -> dict[str, Any]:
    gone = ("promptIdx", "testIdx", "testCase", "promptId")
    listed = [{name: value for name, value in each.items() if name not in gone} for each in results()]
    names = ("question", "answer")
    body = [{"vars": [each["vars"].get(name, "") for name in names], "outputs": [], "test": each} for each in TESTS]
    table = {"head": {"prompts": [], "vars": [*names]}, "body": body}
    return {"version": 2, "results": {"version": 2, "results": listed, "table": table, "stats": {}}, "config": {}}


FILES = {
    "r.json": json.dumps(version_3(), indent=2),
    "old.json": json.dumps(version_2()),
    "r.yaml": yaml.safe_dump(version_3()),
    "r.jsonl": "".join(json.dumps(each) + "\n" for each in results()),
}


def values(own: Own, scorer: str, cases: str) -> list[float | None]:
    ended = own.run("score", scorer, "--cases", cases, "--format", "json")
    assert ended.code == 0, ended.err
    return [each["value"] for each in json.loads(ended.out)["cases"]]


@pytest.mark.parametrize("name", FILES)
def test_every_layout_of_promptfoo_gives_the_same_answers(name: str, own: Own) -> None:
    (own.folder / name).write_text(FILES[name])
    of_base, of_ours = (f"{name}#{each}" for each in MODELS)
    assert values(own, "exact", of_base) == [1, None, 1, None]
    assert values(own, "criteria", of_base) == [1, 0, 1, None]
    assert values(own, "exact", of_ours) == [0, None, 1, None]
    assert values(own, "criteria", of_ours) == [0, 1, 1, 1]
    ended = own.run("compare", of_base, of_ours, "--format", "json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert (found["n"], found["left_out"], found["base"], found["other"]) == (3, 1, 2 / 3, 2 / 3)


def test_a_file_of_several_models_asks_which(own: Own) -> None:
    (own.folder / "r.json").write_text(FILES["r.json"])
    listed = "name one, as r.json#0: 0 openai:gpt-4o-mini; 1 openai:ft:ours."
    assert own.refused("score", "exact", "--cases", "r.json") == (
        f"r.json: the answers of 2 columns\n    Fix: {listed}\n"
    )
    assert own.refused("compare", "r.json#0", "r.json#2") == f"r.json: no column '2'\n    Fix: {listed}\n"


def test_one_provider_with_two_settings_is_two_columns(own: Own) -> None:
    alike = [each | {"provider": {"id": "openai:gpt-4o-mini"}} for each in results()]
    (own.folder / "r.jsonl").write_text("".join(json.dumps(each) + "\n" for each in alike))
    assert values(own, "exact", "r.jsonl#0") == [1, None, 1, None]
    assert values(own, "exact", "r.jsonl#openai:gpt-4o-mini (1)") == [0, None, 1, None]


def test_what_criteria_are_not_carried_over_is_said_with_its_place(own: Own) -> None:
    (own.folder / "r.jsonl").write_text(FILES["r.jsonl"])
    ended = own.run("score", "criteria", "--cases", "r.jsonl#0")
    assert ended.err == (
        "r.jsonl:6: warning: testCase.assert[1]: not carried over: llm-rubric\n"
        "    A model judges it.\n"
        "    Fix: write its rubric as conf/judge/NAME.yaml, for the scorer judge.    not-carried-over\n"
    )
    assert own.run("score", "exact", "--cases", "r.jsonl#0").err == ""


def test_other_questions_under_the_same_numbers_are_refused(own: Own) -> None:
    (own.folder / "r.jsonl").write_text(FILES["r.jsonl"])
    (own.folder / "s.jsonl").write_text(FILES["r.jsonl"].replace("2 + 2?", "2 + 3?"))
    ended = own.run("compare", "r.jsonl#0", "s.jsonl#0")
    assert (ended.code, ended.err) == (
        1,
        "s.jsonl#0: id '2' asks something else than in r.jsonl#0\n    Fix: compare runs of the same tests.\n",
    )


def test_a_question_asked_again_is_no_second_piece_of_evidence(own: Own) -> None:
    again = [each | {"testIdx": each["testIdx"] + 4} for each in results()]
    (own.folder / "r.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (*results(), *again)))
    own.run("score", "criteria", "--cases", "r.jsonl#1", "--out", "kept.jsonl")
    kept = [json.loads(line) for line in (own.folder / "kept.jsonl").read_text().splitlines()]
    assert [each["cluster"] for each in kept] == ["0", "1", "2", "3"] * 2


def test_calls_of_tools_are_scored_as_calls(own: Own) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "ping", "arguments": '{"x": 1}'}}
    result = results()[0] | {"response": {"output": [call]}}
    (own.folder / "r.jsonl").write_text(json.dumps(result))
    assert values(own, "tool_calls.over", "r.jsonl") == [1]


def test_a_result_that_is_none_is_named_with_its_place(own: Own) -> None:
    broken = version_3()
    broken["results"]["results"][2] = {"prompt": "?"}
    (own.folder / "r.json").write_text(json.dumps(broken))
    ended = own.run("score", "exact", "--cases", "r.json")
    assert (ended.code, ended.err) == (
        1,
        "r.json:1: results.results[2]: {'prompt': '?'} is no result of promptfoo\n"
        "    Fix: export the file again, whole.    not-an-answer\n",
    )


# --- OpenAI's hosted Evals --------------------------------------------------------------------------

EVAL = {
    "object": "eval",
    "id": "eval_1",
    "name": "capitals",
    "created_at": 1,
    "metadata": {},
    "data_source_config": {"type": "custom", "schema": {"type": "object"}},
    "testing_criteria": [
        {"type": "string_check", "name": "same", "input": "{{ sample.output_text }}", "operation": "eq",
         "reference": "{{item.capital}}"},
        {"type": "score_model", "name": "polite", "model": "gpt-4o", "input": [{"role": "user", "content": "?"}]},
    ],
}  # fmt: skip


def item(number: int, run: str, said: str | None) -> dict[str, Any]:
    """Return an output item as the SDK writes down what the API sends."""
    country, capital = (("France", "Paris"), ("Spain", "Madrid"))[number]
    error = {"code": "", "message": ""} if said is not None else {"code": "server_error", "message": "Sorry."}
    passed = said == capital
    sent = {
        "object": "eval.run.output_item",
        "id": f"outputitem_{number}",
        "created_at": 1,
        "run_id": run,
        "eval_id": "eval_1",
        "status": "pass" if passed else "fail",
        "datasource_item_id": number,
        "datasource_item": {"country": country, "capital": capital},
        "results": [{"name": "same", "passed": passed, "score": float(passed), "type": "string_check"}],
        "sample": {
            "input": [{"role": "user", "content": f"Capital of {country}?"}],
            "output": [{"role": "assistant", "content": said}] if said is not None else [],
            "finish_reason": "stop",
            "model": "gpt-4o-mini",
            "usage": {"total_tokens": 3, "completion_tokens": 1, "prompt_tokens": 2, "cached_tokens": 0},
            "error": error,
            "temperature": 1.0,
            "max_completion_tokens": 9,
            "top_p": 1.0,
            "seed": 1,
        },
    }
    return OutputItemListResponse.model_validate(sent).to_dict()


ITEMS = [item(0, "a", "Paris"), item(1, "a", "Rome"), item(0, "b", "Paris"), item(1, "b", None)]


@pytest.mark.parametrize("paged", [False, True])
def test_output_items_of_hosted_evals_are_answers(paged: bool, own: Own) -> None:
    of_eval = EvalListResponse.model_validate(EVAL).to_dict()
    listed = [of_eval, {"object": "list", "data": ITEMS}] if paged else [of_eval, *ITEMS]
    (own.folder / "e.jsonl").write_text("".join(json.dumps(each) + "\n" for each in listed))
    assert values(own, "exact", "e.jsonl#a") == [1, 0]
    assert values(own, "criteria", "e.jsonl#b") == [1, None]
    assert (
        "testing_criteria[1]: not carried over: score_model 'polite'"
        in own.run("score", "criteria", "--cases", "e.jsonl#a").err
    )
    found = json.loads(own.run("compare", "e.jsonl#a", "e.jsonl#b", "--format", "json").out)
    assert (found["n"], found["left_out"], found["base"]) == (1, 1, 1)


def test_without_its_eval_an_items_reference_is_what_is_called_so(own: Own) -> None:
    renamed = [{**each, "datasource_item": {"q": 1, "ideal": each["datasource_item"]["capital"]}} for each in ITEMS[:2]]
    (own.folder / "e.json").write_text(json.dumps(renamed))
    assert values(own, "exact", "e.json") == [1, 0]
    (own.folder / "f.json").write_text(json.dumps(ITEMS[:2]))
    ended = own.run("score", "exact", "--cases", "f.json")
    assert (ended.code, ended.err) == (1, "f.json: no case has a value of exact\n    Fix: give the lines a target.\n")


# --- openai/evals ------------------------------------------------------------------------------------


def log(*said: tuple[str, bool], expected: Any = "Paris") -> str:
    """Return a log as `LocalRecorder` writes it."""
    run = {"run_id": "r1", "created_by": "", "created_at": "2026-11-20"}
    prompt = [{"role": "user", "content": "Capital of France?"}]
    lines: list[dict[str, Any]] = [{"spec": {"run_id": "r1", "eval_name": "c.dev.v0"}}]
    for number, (answer, correct) in enumerate(said):
        sample = {**run, "event_id": number, "sample_id": f"c.dev.{number}"}
        lines.append({**sample, "type": "sampling", "data": {"prompt": prompt, "sampled": [answer]}})
        match = {"correct": correct, "expected": expected, "picked": None, "sampled": answer}
        lines.append({**sample, "type": "match", "data": match})
    lines.append({"final_report": {"accuracy": 0.5}, "run_id": "r1"})
    return "".join(json.dumps(each) + "\n" for each in lines)


def test_a_log_of_oaieval_is_answers(own: Own) -> None:
    (own.folder / "a.jsonl").write_text(log(("Paris", True), ("Rome", False)))
    (own.folder / "b.jsonl").write_text(log(("Paris", True), ("Paris", True)))
    assert values(own, "exact", "a.jsonl") == [1, 0]
    found = json.loads(own.run("compare", "a.jsonl", "b.jsonl", "--format", "json").out)
    assert (found["n"], found["base"], found["other"]) == (2, 0.5, 1)


def test_of_several_ideal_answers_each_will_do(own: Own) -> None:
    (own.folder / "a.jsonl").write_text(log(("Paree", True), ("Rome", False), expected=["Paris", "Paree"]))
    assert values(own, "criteria", "a.jsonl") == [1, 0]
    assert values(own, "exact", "a.jsonl") == [0, 0]


# --- for CI, and as the README says it ----------------------------------------------------------------


def test_scores_and_comparisons_have_forms_for_ci(own: Own) -> None:
    (own.folder / "r.jsonl").write_text(FILES["r.jsonl"])
    scored = ("score", "criteria", "--cases", "r.jsonl#1", "--format")
    missed = '{"type": "equals", "value": "Paris"}'
    assert own.run(*scored, "github").out == (
        f"::warning file=r.jsonl#1,title=criteria.all_met%3A 0::0: [{missed}]\n"
        "::notice file=r.jsonl#1,title=criteria.all_met::criteria.all_met   0.750 (0.301 to 0.954)   4 cases\n"
    )
    suite = ElementTree.fromstring(own.run(*scored, "junit").out).find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == (
        "criteria.all_met of r.jsonl#1",
        "4",
        "1",
    )
    assert [each.get("name") for each in suite.iter("testcase") if each.find("failure") is not None] == ["0"]
    assert own.run(*scored, "md").out == (
        "### criteria.all_met of r.jsonl#1\n\n"
        "| metric | n | mean |\n| --- | --- | --- |\n| its own criteria, all met | 4 | 0.750 (0.301 to 0.954) |\n\n"
        f"| case | score |\n| --- | --- |\n| 0 | 0: [{missed}] |\n"
    )
    compared = ("compare", "r.jsonl#0", "r.jsonl#1", "--format")
    said = "UNDECIDED: too few examples to tell."
    assert own.run(*compared, "github").out.startswith(
        "::warning file=r.jsonl#1,title=compare%3A underpowered::3 examples; 1 without a value left out%0A"
    )
    [case] = ElementTree.fromstring(own.run(*compared, "junit").out).iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert (case.get("name"), failure.get("message"), failure.get("type")) == (
        "r.jsonl#0 -> r.jsonl#1",
        said,
        "underpowered",
    )
    assert own.run(*compared, "md").out == (
        f"### {said}\n\n| n | r.jsonl#0 | r.jsonl#1 | difference | p |\n| --- | --- | --- | --- | --- |\n"
        "| 3 | 0.667 | 0.667 | +0.000 (-0.692 to +0.692) | 1 (McNemar, exact) |\n\n"
        "3 examples; 1 without a value left out\n"
    )


def test_a_case_fails_where_less_is_better_and_there_is_all(own: Own) -> None:
    kept = (
        {"id": "a", "output": "By 5 May.", "target": "Soon.", "input": "soon"},
        {"id": "b", "output": "Soon.", "target": "Soon."},
    )
    (own.folder / "c.jsonl").write_text("".join(json.dumps(each) + "\n" for each in kept))
    told = own.run("score", "facts.invented", "--cases", "c.jsonl", "--format", "junit").out
    failed = [case.get("name") for case in ElementTree.fromstring(told).iter("testcase") if len(case)]
    assert failed == ["a"]


def test_kept_values_of_other_questions_are_refused(own: Own) -> None:
    (own.folder / "r.jsonl").write_text(FILES["r.jsonl"])
    (own.folder / "s.jsonl").write_text(FILES["r.jsonl"].replace("2 + 2?", "2 + 3?"))
    for each in ("r", "s"):
        own.run("score", "exact", "--cases", f"{each}.jsonl#0", "--out", f"{each}.kept.jsonl")
    assert "id '2' asks something else than in r.kept.jsonl" in own.run("compare", "r.kept.jsonl", "s.kept.jsonl").err


def test_the_commands_of_the_readme_run(own: Own) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    [section] = re.findall(r"\*\*From promptfoo and OpenAI's Evals\*\*.*?\n\n", readme, re.DOTALL)
    commands = re.findall(r"`ftbuild ([^`]+)`", section.replace("\n", " "))
    (own.folder / "results.json").write_text(FILES["r.json"])
    config = {"prompts": [PROMPT], "providers": [*MODELS], "tests": TESTS}
    (own.folder / "promptfooconfig.yaml").write_text(yaml.safe_dump(config))
    assert [each.split()[0] for each in commands] == ["init", "score", "compare"]
    assert [own.run(*each.split()).code for each in commands] == [0, 0, 0]
