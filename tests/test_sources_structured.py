"""Answers with a schema: held to it, written in its order, asked for in every request and in no training line."""

import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own
from hypothesis import given
from hypothesis import strategies as st
from schemas_fixture import schemas, values_of
from training_lines import in_bytes

from ftbuild.chat import Message, ResponseFormat
from ftbuild.completion import Prompt
from ftbuild.problem import Problem
from ftbuild.render import dpo, supervised
from ftbuild.runners.answers import prompt
from ftbuild.settings import Source
from ftbuild.sources import read
from ftbuild.sources.structured import formed
from ftbuild.tools.schemas import Checker
from ftbuild.tools.strictify import strictify
from ftbuild.tools.structured import in_order

ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "amount": {"type": ["number", "null"]}},
    "required": ["name", "amount"],
    "additionalProperties": False,
}
LIST = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
    "required": ["title", "items"],
    "additionalProperties": False,
    "$defs": {"item": ITEM},
}
FORM = ResponseFormat("list", LIST)
GIVEN = {"items": [{"amount": None, "name": "ä"}, {"name": "b", "amount": 0.5}], "title": "T"}
WRITTEN = '{"title":"T","items":[{"name":"ä","amount":null},{"name":"b","amount":0.5}]}'


def source(kind: str, **fields: Any) -> Source:
    return Source.model_validate(
        {"kind": kind, "path": "d/x", "licence": "CC0-1.0", "origin": "here", "schema": "list", **fields}
    )


PAIRS = source("pairs", input="q", target="a", group="g")


def told(answer: Any, of: Source = PAIRS, line: dict[str, Any] | None = None) -> tuple[list[Any], list[Problem]]:
    content = in_bytes([line or {"q": "List it.", "a": answer, "g": "1"}])
    return formed(*read(content, "s", of), of, FORM)


@pytest.mark.parametrize("answer", [GIVEN, json.dumps(GIVEN, indent=1), WRITTEN])
def test_an_answer_is_written_in_the_order_of_the_schema(answer: Any) -> None:
    [found], problems = told(answer)
    assert problems == []
    assert found.target == Message("assistant", WRITTEN)
    assert found.response_format == FORM


def test_other_layouts_hold_json_in_a_text() -> None:
    asked = [{"role": "user", "content": "List it."}]
    answer = {"role": "assistant", "content": json.dumps(GIVEN)}
    for of, line in (
        (source("csv", input="q", target="a"), None),
        (source("chat_jsonl"), {"messages": [*asked, answer]}),
        (source("alpaca"), {"instruction": "List it.", "output": json.dumps(GIVEN)}),
        (
            source("dpo_jsonl"),
            {
                "input": {"messages": asked},
                "preferred_output": [answer],
                "non_preferred_output": [{"role": "assistant", "content": "No."}],
            },
        ),
    ):
        content = in_bytes([line]) if line else 'q,a\nList it.,"{}"\n'.format(WRITTEN.replace('"', '""')).encode()
        [found], problems = formed(*read(content, "s", of), of, FORM)
        assert (found.target.content, problems) == (WRITTEN, [])


def test_where_an_answer_does_not_fit_is_told_with_its_place() -> None:
    _, problems = told({"title": "T", "items": [{"name": 1, "amount": "two"}], "more": 1})
    assert [str(problem) for problem in problems] == [
        f"d/x:1: a{at}\n"
        "    The model would learn an answer that is not of the schema 'list'.\n"
        "    Fix: mend the line, or the schema: schemas.list.    answer-misfit"
        for at in (
            ": Additional properties are not allowed ('more' was unexpected)",
            ".items[0].amount: 'two' is not of type number or null",
            ".items[0].name: 1 is not of type string",
        )
    ]


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ("- milk", "the answer is not JSON (column 1: expected a value)"),
        ('{"a": 1, "a": 2}', "the answer is no JSON: key 'a' twice in one object"),
        ('{"a": 1e400}', "the answer is no JSON: the number 1e400 is too large to be read"),
    ],
)
def test_an_answer_that_is_not_json_is_told(answer: str, what: str) -> None:
    found, [problem] = told(answer)
    assert found == []
    assert (problem.at, problem.rule, problem.line) == ("a", "answer-not-json", 1)
    assert problem.what.partition(" (")[0] == what.partition(" (")[0]


def test_calls_and_refusals_have_no_form_to_keep_and_ask_for_it_all_the_same() -> None:
    tool = {"type": "function", "function": {"name": "ping", "description": "Ask.", "parameters": {"type": "object"}}}
    call = {"id": "c1", "type": "function", "function": {"name": "ping", "arguments": "{}"}}
    for answer in ({"tool_calls": [call]}, {"content": "Let me see.", "tool_calls": [call]}, {"refusal": "No."}):
        line = {
            "messages": [{"role": "user", "content": "?"}, {"role": "assistant", **answer}],
            "tools": [tool],
        }
        [found], problems = told(None, source("chat_jsonl"), line)
        assert (problems, found.response_format) == ([], FORM)
        assert found.target == Message.from_json({"role": "assistant", **answer})


def test_without_a_schema_an_object_is_no_answer() -> None:
    plain = Source(kind="pairs", path="d/x", input="q", target="a", group="g", licence="CC0-1.0", origin="here")
    assert [each.rule for each in read(in_bytes([{"q": "?", "a": GIVEN, "g": "1"}]), "s", plain)[1]] == ["not-a-text"]


def test_the_form_goes_with_requests_and_into_no_line() -> None:
    [found], _ = told(GIVEN)
    whole = found.conversation()
    asked = prompt(whole, {"temperature": 0})
    assert asked == Prompt((Message("user", "List it."),), {"temperature": 0, "response_format": FORM.to_json()})
    assert list(json.loads(supervised.line(whole))) == ["messages"]
    rejected = {**whole, "rejected": {"role": "assistant", "content": "No."}}
    assert list(json.loads(dpo.line(rejected))["input"]) == ["messages"]
    assert FORM.to_json()["json_schema"] == {"name": "list", "strict": True, "schema": LIST}


@given(schemas, st.data())
def test_order_changes_no_value_and_is_reached_at_once(schema: dict[str, Any], data: st.DataObject) -> None:
    strict = strictify(schema, "tuned").schema
    value = data.draw(values_of(strict))
    ordered = in_order(value, Checker(strict))
    assert ordered == value
    assert json.dumps(in_order(_turned(value), Checker(strict))) == json.dumps(ordered)


@pytest.mark.parametrize("number", ["1.0", "1e3", "0.10", "12345678901234567890.5", "1" * 30, "-0.0"])
def test_numbers_keep_their_digits(number: str) -> None:
    [found], problems = told(f'{{"items": [{{"amount": {number}, "name": "a"}}], "title": "T"}}')
    assert problems == []
    assert found.target.content == f'{{"title":"T","items":[{{"name":"a","amount":{number}}}]}}'


def test_every_answer_that_is_learnt_has_the_form() -> None:
    def chat(first: dict[str, Any]) -> dict[str, Any]:
        asked = {"role": "user", "content": "List it."}
        return {"messages": [asked, {"role": "assistant", **first}, asked, {"role": "assistant", "content": WRITTEN}]}

    of = source("chat_jsonl")
    [found], problems = told(None, of, chat({"content": json.dumps(GIVEN)}))
    assert ([each.content for each in found.messages[1::2]], problems) == ([WRITTEN, WRITTEN], [])
    [found], problems = told(None, of, chat({"content": "Of what?", "weight": 0}))
    assert (found.messages[1].content, problems) == ("Of what?", [])
    found, [problem] = told(None, of, chat({"content": "Of what?"}))
    assert found == []
    assert str(problem) == (
        "d/x:1: messages[1].content: the answer is not JSON (column 1: expecting value)\n"
        "    The model would learn an answer that is not of the schema 'list'.\n"
        "    Fix: write it as JSON; or give it weight 0, and it is not learnt.    answer-not-json"
    )


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(each) for name, each in reversed(value.items())}
    return [_turned(each) for each in value] if isinstance(value, list) else value


SCHEMA = """
    # A note.   ftbuild show +experiment=notes
    type: object
    properties:
      title: {type: string}
      done: {enum: ["yes", "no"]}
    required: [title, done]
    additionalProperties: false
"""
SOURCE = """
    # Notes.   ftbuild show +experiment=notes
    kind: pairs
    path: data/notes.jsonl
    input: said
    target: note
    group: said
    schema: note
    licence: CC0-1.0
    origin: Written for a test
"""
EXPERIMENT = """
    # Notes as JSON.   ftbuild +experiment=notes
    defaults:
      - /schema@schemas.note: note
      - /source@dataset.sources.notes: notes
      - override /style: plain
      - override /goal: closer
      - override /evaluation: answers
    dataset: {split: {validation: 0.2, test: 0.3, seed: 4}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Own:
    project = Own(tmp_path)
    project.write("conf/schema/note.yaml", SCHEMA)
    project.write("conf/source/notes.yaml", SOURCE)
    project.experiment("notes", EXPERIMENT)
    (project.folder / "data").mkdir()
    lines = [{"said": f"Note {n}", "note": {"done": "no", "title": str(n)}} for n in range(40)]
    (project.folder / "data" / "notes.jsonl").write_bytes(in_bytes(lines))
    return project


def test_show_tells_the_schema_and_the_answer_as_it_will_be_learnt(own: Own) -> None:
    ended = own.run("show", "+experiment=notes", "-n", "1")
    assert ended.code == 0, ended.err
    _, form, user, answer = ended.out.splitlines()
    number = user.split()[-1]
    assert form == "  form       JSON of the schema note"
    assert answer.split()[1:] == [f'{{"title":"{number}","done":"no"}}', "learnt"]


def test_the_order_of_properties_changes_the_key_and_a_comment_does_not(own: Own) -> None:
    def key() -> Any:
        return json.loads(own.run("plan", "+experiment=notes", "--format", "json").out)["actions"][0]["key"]

    before = key()
    own.write("conf/schema/note.yaml", SCHEMA + "    # the end\n")
    assert key() == before
    title, done = "      title: {type: string}\n", '      done: {enum: ["yes", "no"]}\n'
    own.write("conf/schema/note.yaml", SCHEMA.replace(title + done, done + title))
    assert key() != before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'done: {enum: ["yes", "no"]}',
            "done: {enum: [yes, no]}",
            "5: schemas.note.properties.done.enum.0: True, which is how YAML reads a bare on, yes or true\n"
            "    Fix: put the word in quotes.\n"
            "conf/schema/note.yaml:5: schemas.note.properties.done.enum.1: False, which is how YAML reads a bare off,"
            " no or false\n"
            "    Fix: put the word in quotes.\n",
        ),
        (
            "title: {type: string}",
            "title: {type: [string, null]}",
            "4: schemas.note.properties.title.type.1: no value, which is how YAML reads null, ~ or nothing\n"
            '    Fix: put the word in quotes: "null".\n',
        ),
        (
            "title: {type: string}",
            "no: {type: string}",
            '4: the key no is not text: YAML reads it as true or false\n    Fix: put it in quotes: "no".\n',
        ),
        (
            "title: {type: string}",
            "title: {typ: string}",
            "4: no key 'schemas.note.properties.title.typ'\n"
            "    schemas.note.properties.title has $schema, $id, $comment, title, description, type, enum, const"
            " and 39 more.\n"
            "    Fix: the nearest key is schemas.note.properties.title.type.\n",
        ),
        (
            "title: {type: string}",
            "grader: {type: 5}",  # named as pydantic names a branch, or as a key that holds several models
            "4: schemas.note.properties.grader.type: 5 should be 'string', 'number', 'integer', 'boolean', 'object',"
            " 'array' or 'null' or a valid array\n",
        ),
        (
            "title: {type: string}",
            "str: {anyOf: [{typ: string}]}",
            "4: no key 'schemas.note.properties.str.anyOf.0.typ'\n"
            "    schemas.note.properties.str.anyOf.0 has $schema, $id, $comment, title, description, type, enum, const"
            " and 39 more.\n"
            "    Fix: the nearest key is schemas.note.properties.str.anyOf.0.type.\n",
        ),
        (
            "title: {type: string}",
            "title: {additionalProperties: {typ: string}}",
            "4: no key 'schemas.note.properties.title.additionalProperties.typ'\n",
        ),
        (
            "title: {type: string}",
            "title: {type: string, minLength: 1}",
            "4: schemas.note.properties.title.minLength: a fine-tuned model takes no 'minLength'\n"
            "    Fix: a fine-tuned model is held to a subset of JSON Schema: take it out, or say it otherwise.\n",
        ),
        (
            "required: [title, done]",
            "required: [title]",
            "6: schemas.note.required: 'done' is not required; an optional one is a union with null\n"
            "    Fix: a fine-tuned model is held to a subset of JSON Schema: take it out, or say it otherwise.\n",
        ),
        (
            "title: {type: string}",
            'title: {$ref: "#/$defs/titel"}',
            "4: schemas.note.properties.title.$ref: leads nowhere: '#/$defs/titel'\n",
        ),
    ],
)
def test_what_is_wrong_with_a_schema_is_told_with_its_line(own: Own, old: str, new: str, said: str) -> None:
    own.write("conf/schema/note.yaml", SCHEMA.replace(old, new))
    refused = own.refused("plan", "+experiment=notes")
    assert refused.startswith(f"conf/schema/note.yaml:{said}")


def test_a_schema_that_is_not_there_is_told_with_the_line_to_write(own: Own) -> None:
    own.write("conf/source/notes.yaml", SOURCE.replace("schema: note", "schema: order"))
    assert own.refused("plan", "+experiment=notes") == (
        "conf/source/notes.yaml:7: dataset.sources.notes.schema: no schema 'order' in schemas\n"
        "    Fix: put `- /schema@schemas.order: order` into the defaults of the experiment.\n"
    )


def test_a_name_that_no_provider_takes_is_told(own: Own) -> None:
    own.experiment("notes", EXPERIMENT.replace("schemas.note:", "schemas.Notiz_über:"))
    own.write("conf/source/notes.yaml", SOURCE.replace("schema: note", "schema: Notiz_über"))
    assert own.refused("plan", "+experiment=notes") == (
        "conf/schema/note.yaml: schemas.Notiz_über: 'Notiz_über' is no name that a provider takes\n"
        "    Fix: up to 64 of a-z, A-Z, 0-9, _ and -.\n"
    )


def test_reinforcement_takes_the_form_of_all_its_sources_or_none(own: Own) -> None:
    ended = own.run("dataset", "+experiment=notes", "method=reinforcement")
    line = json.loads((own.folder / ended.out.strip() / "train.jsonl").read_bytes().splitlines()[0])
    assert line["reference_json"]["done"] == "no"
    more = "+source@dataset.sources.more=tone_pairs"
    assert own.refused("plan", "+experiment=notes", "method=reinforcement", more).endswith(
        "reinforcement.yaml:2: method.type: a job has one response_format, and the sources have note, none\n"
        "    Fix: take the sources of one schema.\n"
    )
