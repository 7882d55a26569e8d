"""Reinforcement lines: read back as written, pass the rules and the SDK's own types, and hold what graders read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from config_fixture import TONE, Own
from conversations_fixture import examples
from examples_fixture import example
from hypothesis import given
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.fine_tuning import job_create_params
from pydantic import TypeAdapter, ValidationError
from settings_fixture import GRADED, settings

from ftbuild.chat import Message, ResponseFormat, ToolCall
from ftbuild.example import Example
from ftbuild.ledger.port import JobRequest
from ftbuild.plan.action import JOB, Action
from ftbuild.render import dpo, reinforcement, supervised
from ftbuild.render.lacking import lacking
from ftbuild.rules.lines import check
from ftbuild.rules.pack import PACKS
from ftbuild.runners.wording import learning
from ftbuild.settings import Method
from ftbuild.settings.graders import templates

SDK: TypeAdapter[Any] = TypeAdapter(ChatCompletionMessageParam)
SDK_TOOL: TypeAdapter[Any] = TypeAdapter(ChatCompletionToolParam)
SDK_JOB: TypeAdapter[Any] = TypeAdapter(job_create_params.JobCreateParams)
FORM = ResponseFormat("note", {"type": "object", "properties": {"a": {"type": "integer"}}})


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: each for name, each in message.items() if name not in names}


@given(examples())
def test_a_line_reads_back_as_written_but_for_the_weight_of_the_answer(example_: Example) -> None:
    whole = example_.conversation()
    *asked, target = whole["messages"]
    assert reinforcement.parse(reinforcement.line(whole)) == {**whole, "messages": [*asked, without(target, "weight")]}


def test_a_refusal_and_a_text_beside_calls_read_back_too() -> None:
    call = ToolCall("c1", "ping", "{}")
    for target in (Message("assistant", None, refusal="No."), Message("assistant", "Let me see.", (call,))):
        whole = Example((Message("user", "?"), target), "", "s", "p", 1, "g", "?").conversation()
        assert reinforcement.parse(reinforcement.line(whole)) == whole


@given(examples())
def test_all_methods_read_back_what_they_wrote(example_: Example) -> None:
    whole = replace(example_, rejected=Message("assistant", "No.")).conversation()
    assert dpo.parse(dpo.line(whole)) == whole
    assert supervised.parse(supervised.line(whole)) == without(whole, "rejected")


@given(examples())
def test_a_line_is_what_the_protocol_takes(example_: Example) -> None:
    line = json.loads(reinforcement.line(example_.conversation()))
    assert next(iter(line)) == "messages"
    assert isinstance(line["reference"], str)
    for message in line["messages"]:
        assert message["role"] != "system"
        checked = SDK.validate_python(without(message, "weight"), strict=True)
        assert {**checked, **{key: list(checked[key]) for key in ("tool_calls",) if key in checked}} == without(
            message, "weight"
        )
    for tool in line.get("tools", ()):
        assert SDK_TOOL.validate_python(tool, strict=True) == tool


def test_the_bytes_of_a_line_are_pinned() -> None:
    messages = (Message("system", "Be brief."), Message("user", "ü?"), Message("assistant", '{"a":1}', weight=1))
    whole = Example(messages, "", "s", "p", 1, "g", "ü?", response_format=FORM).conversation()
    assert reinforcement.line(whole).decode() == (
        '{"messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"ü?"}],'
        '"reference":"{\\"a\\":1}","reference_json":{"a":1}}'
    )
    assert check(reinforcement.value(whole), "reinforcement", PACKS["openai"]) == []


def test_calls_are_a_reference_as_text_and_as_they_are() -> None:
    calls = (ToolCall("c1", "rain", '{"city": "Rome"}'),)
    whole = Example(
        (Message("user", "Rain?"), Message("assistant", None, calls)), "", "s", "p", 1, "g", ""
    ).conversation()
    line = reinforcement.value(whole)
    assert line["reference_tools"] == [calls[0].to_json()]
    assert json.loads(line["reference"]) == line["reference_tools"]


def test_numbers_of_any_length_make_a_line() -> None:
    messages = (Message("user", "?"), Message("assistant", '{"a":123456789012345678901234567890}'))
    whole = Example(messages, "", "s", "p", 1, "g", "?", response_format=FORM).conversation()
    assert b'"reference_json":{"a":123456789012345678901234567890}' in reinforcement.line(whole)


def test_a_text_beside_calls_is_no_json_to_compare_with() -> None:
    answer = Message("assistant", "Let me see.", (ToolCall("c1", "ping", "{}"),))
    whole = Example((Message("user", "?"), answer), "", "s", "p", 1, "g", "?", response_format=FORM).conversation()
    line = reinforcement.value(whole)
    assert (line["reference"], "reference_json" in line) == ("Let me see.", False)


def test_what_a_grader_reads_is_looked_for_in_every_line() -> None:
    whole = example("hey", "Hello.").conversation()
    assert lacking(whole, "reinforcement", ["reference"]) == ""
    assert lacking(whole, "reinforcement", ["reference", "reference_json"]) == (
        "no reference_json, which the grader reads"
    )
    told = {"messages": [*whole["messages"][:1], {"role": "assistant", "content": "a"}, *whole["messages"][1:]]}
    assert lacking(told, "reinforcement") == "no message of the user right before the answer"
    assert (lacking(told, "supervised"), lacking(told, "dpo")) == ("", "no rejected answer")


def request(method: dict[str, Any], form: ResponseFormat | None = None) -> dict[str, Any]:
    """Return the body with which a job of the method is created."""
    asked = {"method": Method.model_validate_json(json.dumps(method)).keyed()}
    asked |= {"response_format": json.dumps(form.to_json())} if form is not None else {}
    action = Action(JOB, "job", "train", asked)
    name = action.settings["method"]["type"]
    learnt = {"type": name, name: learning(action.settings, settings().provider)}
    return JobRequest("m", "file-1", "file-2", learnt, 7, "s", {}).to_json()


@pytest.mark.parametrize("name", [*GRADED["method"]["grader"]["graders"]])
def test_every_kind_of_grader_is_one_to_the_sdk(name: str) -> None:
    grader = GRADED["method"]["grader"]["graders"][name]
    body = request({**GRADED["method"], "grader": grader})
    assert body["method"]["reinforcement"]["grader"] == grader
    SDK_JOB.validate_python(body)
    with pytest.raises(ValidationError):
        SDK_JOB.validate_python({**body, "method": {**body["method"], "reinforcement": {"grader": {"type": "x"}}}})


def test_hyperparameters_and_form_stand_where_the_protocol_has_them() -> None:
    grader = GRADED["method"]["grader"]["graders"]["same"]
    body = request({**GRADED["method"], "grader": grader}, FORM)
    assert body["method"] == {
        "type": "reinforcement",
        "reinforcement": {
            "hyperparameters": {
                "n_epochs": 1,
                "batch_size": "auto",
                "learning_rate_multiplier": "auto",
                "compute_multiplier": 1.5,
                "eval_interval": 10,
                "eval_samples": 5,
                "reasoning_effort": "low",
            },
            "grader": grader,
            "response_format": FORM.to_json(),
        },
    }
    assert request({"type": "dpo", "hyperparameters": {"beta": 0.1}})["method"]["dpo"] == {
        "hyperparameters": {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto", "beta": 0.1}
    }


def test_templates_are_found_wherever_they_stand() -> None:
    method = Method.model_validate_json(json.dumps(GRADED["method"]))
    assert method.grader is not None
    at = "g.graders"
    assert list(templates(method.grader, "g")) == [
        (f"{at}.same.input", "sample.output_text"),
        (f"{at}.same.reference", "item.reference"),
        (f"{at}.near.input", "sample.output_text"),
        (f"{at}.near.reference", "item.reference"),
        (f"{at}.judge.input.0.content", "sample.output_text"),
    ]


GRADER = """
    # Ours.   ftbuild dataset +experiment=tone_formal method=ours
    type: reinforcement
    hyperparameters: {n_epochs: 1}
    grader:
"""


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


@pytest.mark.parametrize(
    ("grader", "said"),
    [
        (
            "{type: python, name: a, source: 'x = ('}",
            ": source, line 1: no Python ('(' was never closed)\n",
        ),
        ("{type: python, name: a, source: 'x = 1'}", ": source defines no grade(sample, item)\n"),
        ("{type: python, name: a, source: 'def grade(sample): return 1'}", ": grade takes sample and item\n"),
        (
            "{type: string_check, name: a, operation: eq, input: '{{sample.output_tekst}}', reference: x}",
            ".input: no field 'output_tekst' in sample\n    Fix: the nearest is 'output_text'; there are output_text,"
            " output_json, output_tools, choices, model.\n",
        ),
        (
            "{type: string_check, name: a, operation: eq, input: '{{output_text}}', reference: x}",
            ".input: {{output_text}} begins with neither sample nor item\n"
            "    Fix: the nearest is 'sample.output_text'; there are sample.output_text, item.reference.\n",
        ),
        (
            "{type: string_cheque, name: a}",
            ".type: 'string_cheque' should be one of 'string_check', 'text_similarity', 'python', 'score_model',"
            " 'multi'\n    Fix: the nearest is 'string_check'.\n",
        ),
        (
            "{type: multi, name: a, calculate_output: 2 * sames, graders: {same: {type: string_check, name: s,"
            " operation: eq, input: a, reference: b}}}",
            ": calculate_output names 'sames', which is no grader; there are same and the functions min, max, abs,"
            " floor, ceil, exp, sqrt, log\n",
        ),
        (
            "{type: string_check, name: a, operation: eq, input: '{sample.output_text}',"
            " reference: '{{item.reference}}'}",
            ": reads nothing of the answer: all would be worth the same\n"
            "    Fix: name it in double braces, as in {{sample.output_text}}.\n",
        ),
        (
            "{type: multi, name: a, calculate_output: same, graders: {same: {type: text_similarity, name: s,"
            " evaluation_metric: bleu, input: '{{sample.output_text', reference: b}}}",
            ".graders.same: reads nothing of the answer: all would be worth the same\n"
            "    Fix: name it in double braces, as in {{sample.output_text}}.\n",
        ),
    ],
)
def test_a_grader_that_could_not_grade_is_told(own: Own, grader: str, said: str) -> None:
    own.write("conf/method/ours.yaml", GRADER.rstrip() + f" {grader}\n")
    assert own.refused("plan", TONE, "method=ours") == f"conf/method/ours.yaml:4: method.grader{said}"


GRADING = "graders: {same: {type: string_check, name: s, operation: eq, input: a, reference: b}}, type: multi, name: a"
ARITHMETIC = "numbers, graders, + - * / ^ and the functions min, max, abs, floor, ceil, exp, sqrt, log"


@pytest.mark.parametrize(
    "formula", ["same > 0.5", "same.score", "same if same else 0", "'same'", "same % 2", "same + True", "log(1)(2)"]
)
def test_a_formula_is_arithmetic(own: Own, formula: str) -> None:
    own.write("conf/method/ours.yaml", GRADER.rstrip() + f' {{{GRADING}, calculate_output: "{formula}"}}\n')
    assert own.refused("plan", TONE, "method=ours") == (
        "conf/method/ours.yaml:4: method.grader: calculate_output holds what is no arithmetic; there are "
        f"{ARITHMETIC}\n"
    )


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("same(1)", "calls 'same'; there are the functions min, max, abs, floor, ceil, exp, sqrt, log"),
        (
            "same + min",
            "names 'min', which is no grader; there are same and the functions min, max, abs, floor, ceil, exp, sqrt,"
            " log",
        ),
        ("max(0, 1)", "names no grader, and every answer would be worth the same"),
    ],
)
def test_a_formula_calls_functions_and_adds_up_graders(own: Own, formula: str, said: str) -> None:
    own.write("conf/method/ours.yaml", GRADER.rstrip() + f' {{{GRADING}, calculate_output: "{formula}"}}\n')
    assert (
        own.refused("plan", TONE, "method=ours") == f"conf/method/ours.yaml:4: method.grader: calculate_output {said}\n"
    )


JUDGE = "type: score_model, name: j, model: m"


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (
            "input: [{role: usr, content: a}]",
            ".input.0.role: 'usr' should be 'user', 'assistant', 'system' or 'developer'\n"
            "    Fix: the nearest is 'user'.\n",
        ),
        ("input: [{role: user}]", ".input.0.content is missing\n"),
        ("input: [{role: user, content: a}], range: [1, 0]", ": range: 1 is not below 0\n"),
        (
            "input: [{role: user, content: a}], sampling_params: {temperatur: 0}",
            ".sampling_params.temperatur'\n    method.grader.sampling_params has max_completions_tokens,"
            " reasoning_effort, seed, temperature, top_p.\n"
            "    Fix: the nearest key is method.grader.sampling_params.temperature.\n",
        ),
    ],
)
def test_what_a_judging_model_is_told_is_checked_before_it_is_paid_for(own: Own, given_: str, said: str) -> None:
    own.write("conf/method/ours.yaml", GRADER.rstrip() + f" {{{JUDGE}, {given_}}}\n")
    assert own.refused("plan", TONE, "method=ours").endswith(f"method.grader{said}")


def test_a_long_source_is_refused() -> None:
    source = "def grade(sample, item):\n    return 1.0\n" + "#" * 256_000
    with pytest.raises(ValidationError, match="source has 256,040 bytes, below 256,000 are taken"):
        Method.model_validate(
            {
                "type": "reinforcement",
                "hyperparameters": {},
                "grader": {"type": "python", "name": "a", "source": source},
            }
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["~method.grader"], "method: the method reinforcement needs a grader\n"),
        (["method.hyperparameters.beta=1"], "method: hyperparameters.beta is of the method dpo\n"),
    ],
)
def test_a_method_has_what_is_its_own(own: Own, words: list[str], said: str) -> None:
    assert own.refused("plan", TONE, "method=reinforcement", *words).endswith(said)


def test_lines_are_written_for_others_and_our_own_server_is_asked_nothing(own: Own) -> None:
    ended = own.run("dataset", TONE, "method=reinforcement")
    assert ended.code == 0, ended.err
    path = f"{ended.out.strip()}/train.jsonl"
    line = json.loads((own.folder / path).read_bytes().splitlines()[0])
    assert [each["role"] for each in line["messages"]] == ["developer", "user"]
    assert own.run("check", "--method", "reinforcement", path).code == 0
    refused = own.run(TONE, "method=reinforcement")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith(
        "conf/method/reinforcement.yaml:2: method.type: the provider cannot train with 'reinforcement'\n"
        "    It trains with supervised and dpo. Nothing has run, and nothing was sent to it.\n"
        "    Fix: ftbuild dataset writes the lines all the same, for a provider that can; "
        "provider=rehearsal builds all of it.\n"
    )
    assert not (own.folder / "outputs" / ".ftbuild" / "embedded").exists()


def test_a_field_that_no_line_has_is_told_before_anything_is_written(own: Own) -> None:
    read = "'method.grader.reference=\"{{item.reference_json.items}}\"'".strip("'")
    ended = own.run("dataset", TONE, "method=reinforcement", read)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(
        "884 of 884 train examples have no reference_json, which the grader reads\n"
        "    The method reinforcement has the model answer the user, and a grader look at the answer.\n"
        "    Fix: let the grader read something else.\n"
    )


def test_show_tells_what_the_grader_compares_with(own: Own) -> None:
    ended = own.run("show", TONE, "method=reinforcement", "-n", "1")
    assert [line.split()[-1] for line in ended.out.splitlines() if line.startswith("  assistant")] == ["reference"]
    assert "learnt" not in ended.out
    [shown] = json.loads(own.run("show", TONE, "method=reinforcement", "-n", "1", "--format", "json").out)["examples"]
    assert (shown["method"], shown["n_learnt"]) == ("reinforcement", 0)
