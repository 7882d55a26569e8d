"""A rehearsal takes what hosted providers take: any method, tools, forms of answers; what it makes up fits them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.fine_tuning.job_create_params import JobCreateParams
from project_fixture import Project, project_in
from pydantic import TypeAdapter
from rehearsal_fixture import state, stop_server
from training_lines import BROKEN, CALCULATE, GOOD, WEATHER, in_bytes

from ftbuild.embedded.lessons import InvalidFileError
from ftbuild.embedded.rehearsed import call_of, lessons_of, made_up
from ftbuild.embedded.scripted import Words

LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer", "minimum": 3},
        {"type": ["number", "null"]},
        {"type": "boolean"},
        {"enum": ["b", 1]},
        {"const": None},
        {"$ref": "#/$defs/city"},
        {"type": "null"},
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda each: {"type": "array", "items": each, "minItems": 1}, inner),
        st.builds(lambda each: {"anyOf": each}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(
            lambda each: {"type": "object", "properties": each, "required": list(each)},
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        ),
    ),
    max_leaves=6,
)


@given(SCHEMAS)
def test_what_is_made_up_fits_its_schema(schema: dict[str, Any]) -> None:
    whole = {**schema, "$defs": {"city": {"type": "string", "enum": ["Oslo"]}}}
    Draft202012Validator(whole).validate(made_up(whole))


def test_a_schema_that_leads_in_circles_comes_to_an_end() -> None:
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert made_up(circle) is None
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert isinstance(made_up(node), dict)


@pytest.mark.parametrize("tool", [WEATHER, CALCULATE], ids=lambda tool: tool["function"]["name"])
def test_a_call_made_up_is_one_of_the_tool(tool: dict[str, Any]) -> None:
    call = call_of(tool, 1)
    assert call["function"]["name"] == tool["function"]["name"]
    Draft202012Validator(tool["function"]["parameters"]).validate(json.loads(call["function"]["arguments"]))


@pytest.mark.parametrize("method", ["supervised", "dpo", "reinforcement"])
def test_lines_of_every_method_are_taken(method: Any) -> None:
    lessons, n_cut = lessons_of(in_bytes(GOOD[method]), "training", method, Words())
    assert (len(lessons), n_cut) == (len(GOOD[method]), 0)
    assert all(any(each.learnt) for each in lessons)


@pytest.mark.parametrize("rule", ["tool-result-without-call", "unknown-tool", "not-json", "equal-outputs"])
def test_what_a_provider_refuses_is_refused_with_the_number_of_its_example(rule: str) -> None:
    found = [each for each in BROKEN if each.rule == rule]
    assert found
    for broken in found:
        with pytest.raises(InvalidFileError, match=re.escape("Example 5")):
            lessons_of(broken.file(), "training", broken.method, Words())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("rehearsed"), cache) as found:
        yield found
        stop_server(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("+experiment=dpo_tone", "provider=rehearsal"),
        ("+experiment=structured_output", "provider=rehearsal"),
        ("+experiment=parallel_tools", "provider=openai", "model=gpt_4_1_mini", "provider.rehearsed=true"),
    ],
    ids=lambda words: words[0],
)
def test_experiments_with_preferences_tools_and_forms_are_rehearsed(project: Project, words: tuple[str, ...]) -> None:
    ended = project.run(*words, "--smoke")
    assert ended.code == 0, ended.err
    requests = [json.loads(line) for line in (state(project) / "requests.jsonl").read_text().splitlines()]
    for each in requests:
        if each["method"] == "POST" and each["path"] in TYPES:
            TYPES[each["path"]].validate_python(each["body"])


TYPES: dict[str, TypeAdapter[Any]] = {
    "/v1/fine_tuning/jobs": TypeAdapter(JobCreateParams),
    "/v1/chat/completions": TypeAdapter(CompletionCreateParamsNonStreaming),
}
