"""What an editor underlines and offers, asked of a real yaml-language-server that knows only the table we write."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from config_fixture import CONF, Own
from language_server_fixture import Editor, editor, install

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm, to install yaml-language-server"),
]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    project = Own(tmp_path_factory.mktemp("project"))
    shutil.copytree(CONF, project.folder / "conf", ignore=shutil.ignore_patterns("local"))
    assert project.run("schema").code == 0
    return project


@pytest.fixture(scope="module")
def opened(own: Own, cache: Path) -> Iterator[Editor]:
    with editor(install(cache / "language_server"), own.folder) as started:
        yield started


def test_no_shipped_file_is_underlined(own: Own, opened: Editor) -> None:
    files = [str(path.relative_to(own.folder)) for path in sorted(own.folder.rglob("*.yaml"))]
    assert len(files) > 10
    assert {path: found for path in files if (found := opened.problems(path))} == {}


def test_a_misspelt_key_and_a_wrong_type_are_underlined(own: Own, opened: Editor) -> None:
    text = (CONF / "provider/embedded.yaml").read_text()
    own.write("conf/provider/mine.yaml", text.replace("idle_seconds: 600", "idel_seconds: long\nidle_seconds: long"))
    assert sorted(opened.problems("conf/provider/mine.yaml")) == [
        "5: idel_seconds: Property idel_seconds is not allowed.",
        '6: long: Incorrect type. Expected "number".',
    ]


def test_so_they_are_deep_in_an_experiment(own: Own, opened: Editor) -> None:
    own.experiment(
        "mine",
        """
        defaults:
          - tone_formal
          - override /stile: formal

        method: {hyperparameters: {n_epochs: 99}}
        evaluation: {arms: {tuned: null, echo: {kind: ecco}}, scorers: {bleu: {}}}
        style: {rules: {slnag: never}}
        """,
    )
    assert sorted(opened.problems("conf/experiment/mine.yaml")) == [
        "4: override /stile: Property override /stile is not allowed.",
        "6: 99: Value is above the maximum of 50.",
        "7: bleu: Property bleu is not allowed.",
        '7: ecco: Value is not accepted. Valid values: "echo", "rules", "base", "tuned", "before".',
        "8: slnag: Property slnag is not allowed.",
    ]


def test_options_and_keys_are_offered(own: Own, opened: Editor) -> None:
    own.experiment("offered", "defaults:\n  - override /goal: \n\nmethod:\n  \n")
    opened.problems("conf/experiment/offered.yaml")
    assert {"right_tone", "right_tone_anywhere"} <= set(opened.offered("conf/experiment/offered.yaml", 2, 20))
    assert {"hyperparameters", "type"} <= set(opened.offered("conf/experiment/offered.yaml", 5, 2))


def test_what_a_key_means_is_said_where_it_stands(opened: Editor) -> None:
    opened.problems("conf/provider/embedded.yaml")
    assert "`idle_seconds` is how long the server outlives" in opened.hover("conf/provider/embedded.yaml", 4, 2)
