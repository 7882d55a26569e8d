"""`ftbuild schema`: the schemas take every shipped file and refuse what no setting has; the table is merged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_fixture import CONF, TONE, Own
from jsonschema import Draft7Validator

from ftbuild.cli.schema import merged
from ftbuild.editor_schemas import globs, schemas
from ftbuild.errors import ConfigError
from ftbuild.trees import GROUPS, group_options

NAMES = (*GROUPS, "config")
DRAWN = schemas({group: list(group_options(CONF.parent, group)) for group in GROUPS})
SAID = """\
17 schemas in .ftbuild/schemas (--out FOLDER puts them elsewhere)
yaml.schemas in .vscode/settings.json says which is for which file: VS Code needs nothing else
Neovim: vim.lsp.config("yamlls", {settings = {yaml = {schemas = vim.json.decode(table.concat(vim.fn.readfile(\
".vscode/settings.json"), "\\n"))["yaml.schemas"]}}})
another client of yaml-language-server: give it the same yaml.schemas
after a new file in conf/: ftbuild schema again, so that its name is offered
"""
TABLE = {f"./.ftbuild/schemas/{name}.json": globs(name) for name in NAMES}


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def problems(name: str, text: str) -> list[str]:
    """Return what the schema `name` says against a YAML text: the place and the kind of rule."""
    found = Draft7Validator(DRAWN[name]).iter_errors(yaml.safe_load(text))
    return [f"{'.'.join(map(str, each.path))}: {each.validator}" for each in found]


def shipped() -> Iterator[tuple[str, Path]]:
    for name in NAMES:
        for pattern in globs(name):
            yield from ((name, path) for path in CONF.parent.glob(pattern))


def test_every_shipped_file_fits_its_schema() -> None:
    files = list(shipped())
    assert {path for _, path in files} >= {path for path in CONF.rglob("*.yaml") if path.parent.name != "local"}
    assert [(path.name, found) for name, path in files if (found := problems(name, path.read_text()))] == []


def test_what_is_composed_fits_too(own: Own) -> None:
    assert problems("experiment", own.run("plan", TONE, "--cfg", "job").out) == []


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_draft_07(name: str) -> None:
    assert DRAWN[name]["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(DRAWN[name])


# A tool's parameters are a JSON Schema as it is; a point of a space has any keys.
ANY_SCHEMA = {"additionalProperties": True, "type": "object"}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_required_and_no_unknown_key_is_let_through(name: str) -> None:
    def maps(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if value.get("type") == "object":
                yield value
            for each in value.values():
                yield from maps(each)
        elif isinstance(value, list):
            for each in value:
                yield from maps(each)

    found = [each for each in maps(DRAWN[name]) if each != ANY_SCHEMA]
    assert [each for each in found if "required" in each or each.get("additionalProperties", True) is True] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("goal", "require: {}"),
        ("goal", "defaults: [right_tone, _self_]\nkeep: {facts_kept: null}"),
        ("goal", "defaults: [one_of_a_later_day]"),
        ("goal", "require: {a: {at_least: '${goal.by}'}}\njudge_by: ???"),
        ("goal", "require: ${goal.keep}"),
        ("model", "id: ???\npackage: null"),
        ("evaluation", "arms: {echo: null}\nscorers: {chrf: null}\nconcurrency: 1"),
        ("method", "hyperparameters: {n_epochs: auto, batch_size: 8, learning_rate_multiplier: 0.5}"),
        ("dataset", "limit: null\nsources: {a: {only: test}, b: null}"),
        ("style", "rules: {contractions: null, banned: ['${x}', a]}"),
        ("sweep", "grid: {a.b: [1], c: 'range(1,3)', d: {e: [1]}, f: null}\nzip: {g: {h: [x], i: '1,2'}}"),
        ("sweep", "random: {n: 3, from: {a: {low: 1, high: 3, int: true}, b: [x]}}\nlist: [{a: {b: c}}]"),
        ("experiment", "defaults: [{override /sweep: seeds}]\nsweep: {grid: {seed: [1]}}"),
        ("experiment", "seed: 3"),
        ("experiment", "defaults:\n- tone_formal\n- /source@dataset.sources.a: later\n- override /goal: right_tone\n"),
        ("experiment", "defaults: [{override /tracker: null}, {optional /style: [formal, mine]}]"),
        ("config", "defaults: [{goal: '???'}, {/dataset: by_group}, _self_, {optional local@_global_: machine}]"),
    ],
)
def test_a_file_may_be_a_part(name: str, text: str) -> None:
    assert problems(name, text) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("goal", "metrik: chrf", [": additionalProperties"]),
        ("goal", "metric: null", ["metric: type"]),
        ("goal", "require: null", ["require: anyOf"]),
        ("goal", "require: {a: {at_leest: 1}}", ["require: anyOf"]),
        ("goal", "judge_by: lower", ["judge_by: anyOf"]),
        ("style", "system: [a]", ["system: type"]),
        ("style", "expand: {u: null}", ["expand: anyOf"]),
        ("evaluation", "concurrency: 0", ["concurrency: anyOf"]),
        ("evaluation", "scorers: {bleu: {}}", ["scorers: anyOf"]),
        ("method", "hyperparameters: {n_epochs: 51}", ["hyperparameters: anyOf"]),
        ("dataset", "defaults: [{stile: formal}]", ["defaults.0: anyOf"]),
        ("dataset", "defaults: {style: formal}", ["defaults: type"]),
        ("experiment", "defaults: [{override /stile: formal}]", ["defaults.0: anyOf"]),
        ("experiment", "defaults: [{override /style: formal, override /goal: right_tone}]", ["defaults.0: anyOf"]),
        ("experiment", "stile: {}", [": additionalProperties"]),
        ("sweep", "girid: {a: [1]}", [": additionalProperties"]),
        ("sweep", "grid: {a: 3}", ["grid: anyOf"]),
        ("sweep", "random: {n: 1, from: {a: {lo: 1}}}", ["random: anyOf"]),
    ],
)
def test_what_no_setting_has_is_refused(name: str, text: str, found: list[str]) -> None:
    assert problems(name, text) == found


def test_a_field_says_what_the_docstring_of_its_model_says_of_it() -> None:
    fields = DRAWN["provider"]["properties"]
    assert fields["idle_seconds"]["description"].startswith("Where jobs and requests go")
    assert "description" not in fields["kind"]


def test_options_of_both_trees_are_offered(own: Own) -> None:
    own.write("conf/style/mine.yaml", "defaults: [formal]")
    own.run("schema")
    drawn = json.loads((own.folder / ".ftbuild/schemas/experiment.json").read_bytes())
    assert drawn["definitions"]["choice_of_style"]["anyOf"][0]["enum"] == [
        *sorted(["mine", *(path.stem for path in (CONF / "style").glob("*.yaml"))]),
        "???",
    ]


def test_schemas_and_table_are_written_to_the_project(own: Own) -> None:
    own.write("conf/goal/mine.yaml", "defaults: [right_tone]")
    ended = own.run("schema", below="notes")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == SAID.replace(" in .ftbuild", " in ../.ftbuild").replace(" in .vscode", " in ../.vscode")
    assert json.loads((own.folder / ".vscode/settings.json").read_bytes()) == {"yaml.schemas": TABLE}
    assert sorted(path.stem for path in (own.folder / ".ftbuild/schemas").iterdir()) == sorted(NAMES)


def test_out_puts_the_schemas_elsewhere_and_the_table_follows(own: Own) -> None:
    own.run("schema")
    ended = own.run("schema", "--out", "editor")
    assert ended.err == SAID.replace(".ftbuild/schemas (--out FOLDER puts them elsewhere)", "editor")
    table = json.loads((own.folder / ".vscode/settings.json").read_bytes())["yaml.schemas"]
    assert table == {f"./editor/{name}.json": globs(name) for name in NAMES}


def test_schemas_outside_the_project_are_named_in_full(tmp_path: Path) -> None:
    own = Own(tmp_path / "project")
    own.run("schema", "--out", "../shared")
    table = json.loads((own.folder / ".vscode/settings.json").read_bytes())["yaml.schemas"]
    assert table == {f"{tmp_path}/shared/{name}.json": globs(name) for name in NAMES}


def test_other_settings_of_the_editor_stay_as_they_are(own: Own) -> None:
    own.write(
        ".vscode/settings.json", '{\n\t"files.eol": "\\n",\n\t"yaml.schemas": {"ours.json": "*.yaml"},\n\t"ü": 1\n}'
    )
    own.run("schema")
    text = (own.folder / ".vscode/settings.json").read_text()
    expected = {"files.eol": "\n", "yaml.schemas": {"ours.json": "*.yaml", **TABLE}, "ü": 1}
    assert text == json.dumps(expected, indent="\t", ensure_ascii=False) + "\n"


def test_settings_that_say_it_already_are_not_touched() -> None:
    before = json.dumps({"yaml.schemas": TABLE}).encode()
    assert merged(before, TABLE) is before


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b'{\n  // mine\n  "a": 1\n}', "2: not JSON (column 3: Expecting property name enclosed in double quotes)"),
        (b'{\n"a": "\xff"}', "2: not UTF-8"),
        (b"[]", " not a map of settings"),
        (b'{"yaml.schemas": []}', " yaml.schemas is not a map"),
    ],
)
def test_settings_that_cannot_be_added_to_are_refused(text: bytes, what: str) -> None:
    with pytest.raises(ConfigError) as refused:
        merged(text, {"./goal.json": ["conf/goal/*.yaml"]})
    assert str(refused.value) == (
        f".vscode/settings.json:{what}\n"
        "    Written again as JSON it would lose its comments, so it is left as it is.\n"
        '    Fix: put this into it by hand: "yaml.schemas": {"./goal.json": ["conf/goal/*.yaml"]}'
    )


def test_refused_settings_keep_their_bytes_and_the_schemas_are_there(own: Own) -> None:
    own.write(".vscode/settings.json", "{ // mine\n}")
    assert own.refused("schema").startswith(".vscode/settings.json:1: not JSON (column 3: ")
    assert (own.folder / ".vscode/settings.json").read_text() == "{ // mine\n}"
    assert (own.folder / ".ftbuild/schemas/goal.json").is_file()
