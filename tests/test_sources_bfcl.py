"""BFCL: a case becomes a line with names and types that a provider takes; one that contradicts itself is named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settings_fixture import FULL, VERSIONS, settings, tools_of

from ftbuild.chat import ToolCall
from ftbuild.completion import Completion
from ftbuild.digest import of_bytes
from ftbuild.example import Example
from ftbuild.plan.resolve import resolve
from ftbuild.problem import Problem
from ftbuild.rules import examples as rules
from ftbuild.runners.formats import json_lines
from ftbuild.runners.measure import score
from ftbuild.runners.pure import PURE
from ftbuild.settings import Source
from ftbuild.sources import read
from ftbuild.stream import whole
from ftbuild.tools.names import LONGEST, OTHER, provider_names

SHARED = Path(__file__).parents[2] / "shared" / "data" / "bfcl"
SOURCE = Source(kind="bfcl", path="d/cases.jsonl", licence="Apache-2.0", origin="BFCL v4")
CASE = {
    "id": "parallel_1",
    "question": [[{"role": "user", "content": "hcf of 36 and 24, and of 6.5 and 1?"}]],
    "function": [
        {
            "name": "math.hcf",
            "description": "Highest common factor.",
            "parameters": {
                "type": "dict",
                "properties": {
                    "number1": {"type": "float", "optional": True},
                    "number2": {"type": "any"},
                    "how": {"type": "dict", "properties": {"fast": {"type": "boolean"}}},
                    "names": {"type": "tuple", "items": {"type": "string"}},
                },
                "required": ["number1", "number2", "adults"],
            },
        }
    ],
    "ground_truth": [
        {"math.hcf": {"number1": [36, 36.0], "number2": [24], "how": [{"fast": [True, False]}, ""], "names": [""]}},
        {"math.hcf": {"number1": [6.5], "number2": ["", 1], "names": [["a"]]}},
    ],
}


def found(*cases: Any) -> tuple[list[dict[str, Any]], list[Problem]]:
    examples, problems = read(b"\n".join(json.dumps(each).encode() for each in cases), "b", SOURCE)
    return [each.conversation() for each in examples], problems


def test_a_case_becomes_a_line_that_a_provider_takes() -> None:
    assert found(CASE) == (
        [
            {
                "messages": [
                    CASE["question"][0][0],  # type: ignore[index]
                    {
                        "role": "assistant",
                        "tool_calls": [
                            {
                                "id": f"call_{number}",
                                "type": "function",
                                "function": {"name": "math_hcf", "arguments": json.dumps(arguments)},
                            }
                            for number, arguments in enumerate(
                                [{"number1": 36, "number2": 24}, {"number1": 6.5, "number2": 1, "names": ["a"]}], 1
                            )
                        ],
                    },
                ],
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "math_hcf",
                            "description": "Highest common factor.",
                            "parameters": {
                                "type": "object",
                                "properties": {
                                    "number1": {"type": "number"},
                                    "number2": {},
                                    "how": {"type": "object", "properties": {"fast": {"type": "boolean"}}},
                                    "names": {"type": "array", "items": {"type": "string"}},
                                },
                                "required": ["number1", "number2"],
                            },
                        },
                    }
                ],
            }
        ],
        [],
    )


def test_a_case_that_contradicts_its_own_tools_is_named_and_left_out() -> None:
    wrong = {**CASE, "id": "live_7", "ground_truth": [{"math.hcf": {"number1": ["six"], "number2": [1]}}]}
    lines, problems = found(CASE, wrong, CASE)
    assert len(lines) == 2
    assert [str(problem) for problem in problems] == [
        "d/cases.jsonl:2: warning: messages[1].tool_calls[0].function.arguments.number1: live_7: 'six' is not of type "
        "number\n    It is left out: it contradicts itself.    arguments-misfit"
    ]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({**CASE, "question": [[], []]}, "'parallel_1' is no case of one turn: too many values to unpack (expected 1)"),
        ({"id": "b_2", "question": [[]], "function": []}, "'b_2' is no case of one turn: no 'ground_truth'"),
        (1, "1 is no case of one turn: 'int' object is not subscriptable"),
    ],
)  # fmt: skip
def test_what_is_no_case_is_refused(case: Any, said: str) -> None:
    lines, [problem] = found(case)
    assert (lines, problem.what, problem.severity) == ([], said, "error")


def normal(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line without the names of its calls, the order of arguments and the flag."""
    line = json.loads(json.dumps(line))
    for message in line["messages"]:
        for number, call in enumerate(message.get("tool_calls", ())):
            call["id"], call["function"]["arguments"] = number, json.loads(call["function"]["arguments"])
    line.pop("parallel_tool_calls", None)
    return line


def test_the_two_hundred_cases_at_hand_become_lines_that_pass_the_checks() -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the cases beside the checkout: ../shared/data/bfcl")
    examples, problems = read((SHARED / "input.jsonl").read_bytes(), "b", SOURCE)
    left_out = {problem.what.partition(":")[0] for problem in problems if "left out" in problem.why}
    assert left_out == {"live_multiple_735-167-6", "live_parallel_multiple_2-2-0"}
    assert len(examples) == 198
    assert [
        problem
        for each in examples
        for problem in rules.check(each.conversation(), each.path, each.line)
        if problem.severity == "error"
    ] == []
    wanted = [json.loads(line) for line in (SHARED / "expected_openai.jsonl").read_bytes().splitlines()]
    differing = [each.line for each in examples if normal(each.conversation()) != normal(wanted[each.line - 1])]
    assert differing == [198]  # `any` is no type here, and a string there


@given(st.lists(st.text("ab.é_-ß", max_size=70)))
def test_provider_names_are_taken_and_lead_back(names: list[str]) -> None:
    mapped = provider_names(names)
    assert set(mapped) == set(names)
    assert len(set(mapped.values())) == len(mapped)
    assert all(0 < len(each) <= LONGEST and not OTHER.search(each) for each in mapped.values())
    assert all(mapped[name] == name for name in names if name and not OTHER.search(name) and len(name) <= LONGEST)


def test_every_accepted_value_counts_from_the_source_to_the_scores(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(json.dumps(CASE).encode())
    source = {"kind": "bfcl", "path": str(path), "only": "test", "licence": "Apache-2.0", "origin": "BFCL v4"}
    chosen = settings(FULL | {"dataset": FULL["dataset"] | {"sources": {"b": source}, "limit": None}})
    ingest, dataset = [
        each
        for each in resolve(chosen, {"b": of_bytes(path.read_bytes())}, VERSIONS, tools=tools_of(chosen))
        if each.kind.name in ("ingest", "dataset")
    ]
    read_ = PURE["ingest"](json.loads(ingest.settings_text), {}, {"path": str(path)})
    made = PURE["dataset"](json.loads(dataset.settings_text), {"b": whole(read_.outputs["examples.jsonl"])}, {})
    example = json.loads(whole(made.outputs["test.jsonl"]))

    def exact_set(*arguments: dict[str, Any]) -> float:
        calls = tuple(ToolCall(f"x{number}", "math_hcf", json.dumps(each)) for number, each in enumerate(arguments))
        answer = json_lines([{"id": example["id"], **Completion("", tool_calls=calls).to_json()}])
        asked = {"rules": {}, "slang": [], "language": "en", "scorers": [["tool_calls", 1]]}
        scores = score(asked, {"predictions": answer, "examples": json_lines([example])}, {}).outputs["scores.jsonl"]
        return float(json.loads(whole(scores))["scores"]["tool_calls.exact_set"])

    second = {"number1": 6.5, "number2": 1, "names": ["a"]}
    assert exact_set(second, {"number1": 36, "number2": 24}) == 1  # the one that is learnt from
    assert exact_set(second, {"number1": 36, "number2": 24, "how": {"fast": False}}) == 1
    assert exact_set({**second, "number2": 2}, {"number1": 36, "number2": 24}) == 0
    assert exact_set({"number1": 6.5, "names": ["a"]}, {"number1": 36, "number2": 24}) == 1  # may be left out
    assert exact_set(second, {"number1": 36, "number2": 24, "names": ["b"]}) == 0


def test_an_example_keeps_its_accepted_values_in_its_json_form() -> None:
    [example], _ = read(json.dumps(CASE).encode(), "b", SOURCE)
    assert Example.from_json(example.to_json()) == example
    assert example.accepted is not None
    assert [*example.accepted] == [each.id for each in example.target.tool_calls]
    assert not {"accepted", "criteria"} & replace(example, accepted=None).to_json().keys()
