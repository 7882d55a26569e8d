"""What runs tools, as a config names it: refused with the place before anything runs, and part of the key."""

import json
from pathlib import Path

import pytest
from config_fixture import Own

TOOLS = "+experiment=tool_calling"


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def keys(own: Own, *words: str) -> dict[str, str]:
    """Return the ids of the actions of a plan, by label."""
    ended = own.run("plan", TOOLS, *words, "--format=json")
    assert ended.code == 0, ended.err
    return {each["label"]: each["id"] for each in json.loads(ended.out)["actions"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["evaluation.results.calculate.run=calculater"],
            "evaluation.results.calculate.run: nothing of the name 'calculater' runs a tool\n"
            "    Fix: write 'calculator'.",
        ),
        (
            ["evaluation.results.translate.path=null"],
            "evaluation.results.translate.path: glossary reads a file, and none is named\n"
            "    Fix: evaluation.results.translate.path=FILE",
        ),
        (
            ["+evaluation.results.calculate.path=x"],
            "evaluation.results.calculate.path: calculator reads no file\n    Fix: leave it out.",
        ),
        (
            ["+evaluation.results.calculat={run: weather}"],
            "evaluation.results.calculat: tools has no 'calculat'\n    Fix: write 'calculate'.",
        ),
        (
            ["+evaluation.samples=2"],
            "evaluation.samples: 2, and at temperature 0 one answer is like the other\n"
            "    Fix: request.temperature=0.7",
        ),
    ],
)
def test_what_cannot_run_a_tool_is_refused_with_the_remedy(words: list[str], said: str, own: Own) -> None:
    ended = own.run("plan", TOOLS, *words)
    assert (ended.code, ended.err) == (2, f"command line: {said}\n")


def test_a_file_that_is_not_there_or_is_no_glossary_is_told(own: Own) -> None:
    for name, content, said in (
        ("gone.yaml", None, "no such file or directory"),
        ("list.yaml", "- a", "a glossary maps"),
    ):
        path = own.folder / name
        if content is not None:
            path.write_text(content)
        ended = own.run("plan", TOOLS, f"evaluation.results.translate.path={name}")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"command line: evaluation.results.translate.path: {path}: {said}")


def test_what_yaml_does_not_read_as_text_in_a_glossary_is_told_with_its_lines(own: Own) -> None:
    path = own.folder / "bare.yaml"
    path.write_text("Hello: {ja: x, no: hei}\nyes:\n  en: yes\n'no': {'no': nei, 'on': ['på']}\n")
    ended = own.run("plan", TOOLS, "evaluation.results.translate.path=bare.yaml")
    fix = "    Fix: put it in quotes: YAML reads it as a truth value, a number, a date or nothing.\n"
    assert (ended.code, ended.out, ended.err) == (
        2,
        "",
        f"{path}:1: no is not text to YAML\n{fix}{path}:2: yes is not text to YAML\n{fix}"
        f"{path}:3: yes is not text to YAML\n{fix}{path}:4: a list or a map where a text belongs\n",
    )
    path.write_text("Hello: {ja: x, 'no': hei}\n")
    assert own.run("plan", TOOLS, "evaluation.results.translate.path=bare.yaml").code == 0


def test_an_edit_of_the_glossary_asks_again_and_trains_nothing_anew(own: Own) -> None:
    glossary = Path(own.folder / "words.yaml")
    word = "evaluation.results.translate.path=words.yaml"
    glossary.write_text("Hi: {de: Hallo}")
    before = keys(own, word)
    assert keys(own, word) == before
    glossary.write_text("Hi: {de: Servus}")
    after = keys(own, word)
    changed = {label for label in before if before[label] != after[label]}
    assert changed == {"base", "tuned", "base scores", "tuned scores", "verdict", "report"}


def test_a_tool_that_only_examples_bring_may_be_run(own: Own) -> None:
    assert "base" in keys(own, "+evaluation.results.stock_level={run: weather}")


def test_every_answer_as_target_changes_what_is_asked_and_not_what_is_learnt(own: Own) -> None:
    last, every = keys(own), keys(own, "+evaluation.targets=every")
    assert set(every) - set(last) == {"targets"}
    assert {label for label in last if last[label] == every[label]} >= {"dataset", "lines", "job"}
    assert last["base"] != every["base"]
