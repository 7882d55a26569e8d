"""What promptfoo and OpenAI's Evals ask: `ftbuild init` makes an experiment of it, and says what is left."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own
from hypothesis import given
from hypothesis import strategies as st
from test_imports_answers import EVAL, FILES, ITEMS, log

from ftbuild.imports import yaml_text
from ftbuild.imports.templates import filled

CONFIG = """
    # yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
    description: Support answers
    prompts:
      - file://prompts/chat.json
      - 'Shortly: {{question}}'
    providers: [openai:gpt-4o-mini]
    defaultTest:
      vars: {tone: kind}
      assert:
        - {type: not-icontains, value: as an AI}
        - {type: cost, threshold: 0.01}
    tests:
      - vars: {question: Is Oslo in Norway?}
        assert:
          - {type: equals, value: yes}
      - vars: {question: "Name a {{colour}} thing", colour: [red, blue]}
        assert:
          - {type: icontains-any, value: "{{colour}}, thing", weight: 2}
          - {type: llm-rubric, value: is polite}
      - vars: {question: Late?}
        assert:
          - {type: javascript, value: output.length < 9}
      - file://more.csv
      - file://made.py:tests
"""
CHAT = '[{"role": "system", "content": "You are {{tone}}."}, {"role": "user", "content": "{{ question }}"}]'
CSV = (
    "question,__expected,__expected2,__description\n"
    "Capital of Spain?,Madrid,icontains: madrid,x\n"
    'Weather?,"contains-any: sun,rain",similar(0.8): It is sunny,\n'
)
NOT_AN_AI = {"type": "not-icontains", "value": "as an AI"}


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def lines(own: Own) -> list[Any]:
    [file] = (own.folder / "datasets" / "sources").glob("*.jsonl")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def asked(line: dict[str, Any]) -> tuple[str, str, list[Any]]:
    """Return what a line asks last, what it answers, and its criteria."""
    *_, question, answer = line["messages"]
    return question["content"], answer["content"], line.get("criteria", [])


def test_a_config_of_promptfoo_becomes_a_source_and_an_experiment(own: Own) -> None:
    own.write("promptfooconfig.yaml", CONFIG)
    own.write("prompts/chat.json", CHAT)
    own.write("more.csv", CSV)
    ended = own.run("init", "support", "--from", "promptfooconfig.yaml")
    assert ended.code == 0, ended.err
    assert ended.out == (
        "promptfooconfig.yaml: tests of promptfoo, 5 of them carried over\n"
        "wrote datasets/sources/promptfooconfig.jsonl (5 lines), conf/source/promptfooconfig.yaml (7 lines), "
        "conf/experiment/support.yaml (8 lines)\n"
        "Look at it: ftbuild show +experiment=support --split test\n"
    )
    found = lines(own)
    assert found[0] == {
        "messages": [
            {"role": "system", "content": "You are kind."},
            {"role": "user", "content": "Is Oslo in Norway?"},
            {"role": "assistant", "content": "yes"},
        ],
        "criteria": [NOT_AN_AI, {"type": "equals", "value": "yes"}],
        "from": "promptfooconfig.yaml:13",
    }
    assert [asked(each) for each in found[1:]] == [
        ("Name a red thing", "red", [NOT_AN_AI, {"type": "icontains-any", "value": ["red", "thing"]}]),
        ("Name a blue thing", "blue", [NOT_AN_AI, {"type": "icontains-any", "value": ["blue", "thing"]}]),
        (
            "Capital of Spain?",
            "Madrid",
            [NOT_AN_AI, {"type": "equals", "value": "Madrid"}, {"type": "icontains", "value": "madrid"}],
        ),
        ("Weather?", "It is sunny", [NOT_AN_AI, {"type": "contains-any", "value": ["sun", "rain"]}]),
    ]
    assert [each["from"] for each in found[3:]] == ["more.csv:2", "more.csv:3"]


def test_all_that_is_not_carried_over_is_listed_with_file_and_place(own: Own) -> None:
    own.write("promptfooconfig.yaml", CONFIG)
    own.write("prompts/chat.json", CHAT)
    own.write("more.csv", CSV)
    told = own.run("init", "support", "--from", "promptfooconfig.yaml").err.splitlines()
    assert [each.partition("    ")[0] for each in told if not each.startswith("    ")] == [
        "promptfooconfig.yaml:6: warning: not carried over: providers",
        "promptfooconfig.yaml:5: warning: prompts[1]: not carried over: the prompt 'Shortly: {{question}}'",
        "promptfooconfig.yaml:7: warning: defaultTest.assert[1]: not carried over: cost",
        "promptfooconfig.yaml:16: warning: tests[1].assert[0]: not carried over: weight of icontains-any",
        "promptfooconfig.yaml:16: warning: tests[1].assert[1]: not carried over: llm-rubric",
        "promptfooconfig.yaml:20: warning: tests[2].assert[0]: not carried over: javascript",
        "promptfooconfig.yaml:20: warning: tests[2]: not carried over: the whole question: no expected answer",
        "more.csv:3: warning: assert[1]: not carried over: similar",
        "promptfooconfig.yaml:24: warning: tests[4]: not carried over: the tests 'file://made.py:tests'",
    ]


def test_the_experiment_tests_and_trains_nothing(own: Own) -> None:
    own.write("promptfooconfig.yaml", CONFIG)
    own.write("prompts/chat.json", CHAT)
    own.write("more.csv", CSV)
    own.run("init", "support", "--from", "promptfooconfig.yaml")
    shown = own.run("show", "+experiment=support", "--split", "test", "-n", "1")
    assert shown.out.startswith("test, line 1 of 5     datasets/sources/promptfooconfig.jsonl:"), shown.err
    built = own.run("dataset", "+experiment=support")
    assert built.code == 0, built.err
    kept = {each.name: each.read_text() for each in (own.folder / built.out.strip()).glob("*.jsonl")}
    assert (kept["train.jsonl"], kept["validation.jsonl"], kept["test.jsonl"].count("\n")) == ("", "", 5)
    assert "criteria" not in kept["test.jsonl"]  # lines hold nothing but what a provider takes
    planned = own.run("plan", "+experiment=support")
    assert (planned.code, "nothing is trained" in planned.out) == (0, True)
    assert own.refused("plan", "+experiment=support", "method=supervised").endswith(
        "conf/method/supervised.yaml:2: method.type: supervised, and every source is only: test\n"
        "    Fix: method=none measures without training; or add a source to learn from.\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "said", "first"),
    [
        (
            "tests.csv",
            CSV,
            "tests of promptfoo, 2 of them",
            ("Capital of Spain?", "Madrid",
             [{"type": "equals", "value": "Madrid"}, {"type": "icontains", "value": "madrid"}]),
        ),
        (
            "tests.jsonl",
            '{"vars": {"prompt": "2 + 2?", "n": 1}, "assert": [{"type": "equals", "value": 4}]}\n',
            "tests of promptfoo, 1 of them",
            ("2 + 2?", "4", [{"type": "equals", "value": "4"}]),
        ),
        (
            "config.json",
            json.dumps({"prompts": ["{{q}}?"], "providers": ["echo"], "tests": [
                {"vars": {"q": "Hm"}, "assert": [{"type": "assert-set", "assert": [
                    {"type": "contains-all", "value": "a, b"}, {"type": "is-json", "value": "{type: array}"}]}]}]}),
            "tests of promptfoo, 1 of them",
            ("Hm?", "a, b", [{"type": "contains-all", "value": ["a", "b"]},
                             {"type": "is-json", "value": {"type": "array"}}]),
        ),
        (
            "results.json",
            FILES["r.json"],
            "results of promptfoo, 3 of them",
            ("Answer: Capital of France?", "Paris", [{"type": "equals", "value": "Paris"}]),
        ),
        (
            "items.jsonl",
            "".join(json.dumps(each) + "\n" for each in (EVAL, *ITEMS)),
            "output items of OpenAI's Evals, 2 of them",
            ("Capital of France?", "Paris", [{"type": "equals", "value": "Paris"}]),
        ),
        (
            "samples.jsonl",
            json.dumps({"input": [{"role": "system", "content": "Short."}, {"role": "user", "content": "2 + 2?"}],
                        "ideal": ["4", "four"]}) + "\n",
            "samples of OpenAI's evals, 1 of them",
            ("2 + 2?", "4", [{"type": "contains-any", "value": ["4", "four"]}]),
        ),
        (
            "hosted.jsonl",
            '{"item": {"question": "2 + 2?", "correct_label": "4"}}\n',
            "samples of OpenAI's evals, 1 of them",
            ("2 + 2?", "4", []),
        ),
        (
            "log.jsonl",
            log(("Paris", True)),
            "samples in a log of openai/evals, 1 of them",
            ("Capital of France?", "Paris", []),
        ),
    ],
)  # fmt: skip
def test_every_layout_is_recognised(name: str, content: str, said: str, first: Any, own: Own) -> None:
    (own.folder / name).write_text(content, encoding="utf-8")
    ended = own.run("init", "mine", "--from", name)
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"{name}: {said} carried over\n")
    assert asked(lines(own)[0]) == first
    assert own.run("plan", "+experiment=mine").code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "config.yaml",
            "prompts: [a]\nproviders: [b]\ntests:\n  - {vars: [}\n",
            "config.yaml:4: not YAML: did not find expected node content\n",
        ),
        (
            "config.yaml",
            "prompts: ['{{q | upper}}']\nproviders: [b]\ntests:\n"
            "  - {vars: {q: a}, assert: [{type: equals, value: b}]}\n",
            "config.yaml: tests of promptfoo, and none can be carried over\n"
            "config.yaml:2: warning: not carried over: providers\n"
            "    Fix: model and provider are conf/model and conf/provider.    not-carried-over\n"
            "config.yaml:4: warning: tests[0]: not carried over: the whole test: it has a template with more than a "
            "name in it ({{q | upper}})\n"
            "    Fix: write prompt and vars with {{name}} alone.    not-carried-over\n",
        ),
        (
            "samples.jsonl",
            '{"input": "2 + 2?", "ideal": "4"}\n{"input": "2 + 3?"}\n{"input": "2\n',
            "samples.jsonl:2: {'input': '2 + 3?'} is no sample\n    Fix: {input: ..., ideal: ...}\n"
            "samples.jsonl:3: not JSON (column 11: unterminated string starting)\n"
            "    Fix: {input: ..., ideal: ...}\n",
        ),
    ],
)
def test_a_broken_file_is_told_with_its_line(name: str, content: str, said: str, own: Own) -> None:
    (own.folder / name).write_text(content, encoding="utf-8")
    ended = own.run("init", "mine", "--from", name)
    assert (ended.code, ended.out, ended.err) == (1, "", said)


def test_a_packed_file_of_tests_is_read(own: Own) -> None:
    (own.folder / "tests.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    assert own.run("init", "mine", "--from", "tests.csv.gz").code == 0
    assert [each["from"] for each in lines(own)] == ["tests.csv.gz:2", "tests.csv.gz:3"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", "yes"), ("on", "on"), ("12:30", "12:30"), ("2026-11-30", "2026-11-30"), ("true", True), ("0x1F", 31),
     ("010", 10), ("1.5e3", 1500.0), ("~", None), ("", None), ("1_000", "1_000")],
)  # fmt: skip
def test_yaml_is_read_as_promptfoo_reads_it(text: str, value: Any) -> None:
    assert yaml_text.read(f"a: {text}\n") == {"a": value}


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(), min_size=1), st.data())
def test_a_template_of_names_is_filled_in(values: dict[str, str], data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from([*values])))
    template = "|".join(f"{{{{ {name} }}}}" for name in names)
    assert filled(template, values) == "|".join(values[name] for name in names)


@pytest.mark.parametrize("template", ["{% if a %}x{% endif %}", "{{ a | upper }}", "{{ missing }}", "{{ a.b }}"])
def test_a_template_that_is_a_program_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="a template with "):
        filled(template, {"a": "x"})
