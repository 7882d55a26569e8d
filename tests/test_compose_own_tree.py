"""The user's own conf/ stands in front of ours, from any folder below; paths start at the tree that holds the YAML."""

from pathlib import Path

import pytest
from config_fixture import CONF, TONE, Own

from ftbuild.compose import compose
from ftbuild.trees import experiments, find_root

PAIRS = CONF.parent / "datasets" / "sources" / "tone" / "pairs.jsonl"
OWN_STYLE = """
    # Ours is stricter.   ftbuild +experiment=tone_formal
    language: en
    system: Rewrite it.
    rules: {emoji: never}
"""
OWN_SOURCE = """
    # Help-desk mails.   ftbuild +experiment=mine
    kind: pairs
    path: mails/pairs.jsonl
    input: casual
    target: formal
    group: ticket
    licence: internal
    origin: Export of October
"""


def test_an_own_file_shadows_ours(tmp_path: Path) -> None:
    Own(tmp_path).write("conf/style/formal.yaml", OWN_STYLE)
    composed = compose(tmp_path, [TONE])
    assert (composed.settings.style.system, str(composed.origins.of("style.system"))) == (
        "Rewrite it.",
        "conf/style/formal.yaml:3",
    )


def test_an_own_experiment_inherits_ours_and_changes_one_value(tmp_path: Path) -> None:
    Own(tmp_path).experiment(
        "mine",
        """
        # Ours, longer.   ftbuild +experiment=mine
        defaults: [tone_formal]
        method: {hyperparameters: {n_epochs: 5}}
        """,
    )
    ours, own = compose(tmp_path, [TONE]), compose(tmp_path, ["+experiment=mine"])
    assert (own.experiment, own.description) == ("mine", "Ours, longer.")
    assert own.settings.method.hyperparameters.n_epochs == 5
    unchanged = {name for name in own.tree if own.tree[name] == ours.tree[name]}
    assert set(own.tree) - unchanged == {"method"}


def test_the_list_of_experiments_holds_own_and_ours(tmp_path: Path) -> None:
    Own(tmp_path).experiment("mine", "# Ours, longer.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n")
    known = experiments(tmp_path)
    assert (known["mine"], known["tone_formal"]) == ("Ours, longer.", "Casual message in, formal message out.")


@pytest.mark.parametrize("below", ["", "src", "src/deep/er", "conf/style"])
def test_the_tree_is_found_from_any_folder_below(tmp_path: Path, below: str) -> None:
    own = Own(tmp_path)
    own.write("conf/style/formal.yaml", OWN_STYLE)
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    assert find_root(tmp_path / below) == tmp_path
    ended = own.run(TONE, "--cfg", "job", below=below)
    assert (ended.code, "system: Rewrite it." in ended.out) == (0, True)


def test_a_folder_that_is_no_config_tree_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "project" / "conf").mkdir(parents=True)
    assert find_root(tmp_path / "project") == tmp_path / "project"


def test_null_takes_an_inherited_source_out(tmp_path: Path) -> None:
    Own(tmp_path).experiment("mine", "defaults: [tone_formal]\ndataset: {sources: {pairs: null}}\n")
    assert list(compose(tmp_path, ["+experiment=mine", "method=none"]).settings.dataset.sources) == ["unseen"]


def test_null_takes_out_conditions_arms_and_scorers_too(tmp_path: Path) -> None:
    Own(tmp_path).experiment(
        "mine",
        """
        defaults: [tone_formal]
        dataset: {sources: {unseen: null}}
        goal: {require: {beats_rules_unseen: null, closer_to_reference_unseen: null}}
        evaluation: {arms: {echo: null}, scorers: {exact: null}}
        """,
    )
    settings = compose(tmp_path, ["+experiment=mine"]).settings
    assert (list(settings.dataset.sources), list(settings.evaluation.arms), list(settings.evaluation.scorers)) == (
        ["pairs"],
        ["rules", "base", "tuned"],
        ["style", "chrf", "facts"],
    )
    assert [name for name in settings.goal.require if name.endswith("unseen")] == []


@pytest.mark.parametrize("override", ["~dataset.sources.pairs", "dataset.sources.pairs=null"])
def test_a_source_is_taken_out_on_the_command_line(tmp_path: Path, override: str) -> None:
    assert list(compose(tmp_path, [TONE, override, "method=none"]).settings.dataset.sources) == ["unseen"]


def test_our_source_in_an_own_experiment_finds_our_data(tmp_path: Path) -> None:
    Own(tmp_path).experiment("mine", "defaults: [tone_formal]\ndataset: {sources: {pairs: {only: train}}}\n")
    assert compose(tmp_path, ["+experiment=mine"]).source_path("pairs") == PAIRS


def test_an_own_source_finds_own_data_from_any_folder(tmp_path: Path) -> None:
    own = Own(tmp_path)
    own.write("conf/source/mails.yaml", OWN_SOURCE)
    own.experiment(
        "mine",
        """
        defaults:
          - tone_formal
          - /source@dataset.sources.mails: mails
        """,
    )
    (tmp_path / "src").mkdir()
    composed = compose(find_root(tmp_path / "src"), ["+experiment=mine"])
    assert [composed.source_path(name) for name in composed.settings.dataset.sources] == [
        PAIRS,
        PAIRS.with_name("unseen.jsonl"),
        tmp_path / "mails" / "pairs.jsonl",
    ]


def test_an_own_source_that_inherits_ours_keeps_our_data_until_it_names_its_own(tmp_path: Path) -> None:
    own = Own(tmp_path)
    own.write("conf/source/learn.yaml", "defaults: [tone_pairs]\nonly: train\n")
    own.write("conf/source/mails.yaml", "defaults: [tone_pairs]\npath: mails.jsonl\n")
    asked = ["+source@dataset.sources.learn=learn", "+source@dataset.sources.mails=mails"]
    composed = compose(tmp_path, [TONE, *asked])
    assert (composed.source_path("learn"), composed.source_path("mails")) == (PAIRS, tmp_path / "mails.jsonl")


def test_a_path_typed_on_the_command_line_starts_at_the_project(tmp_path: Path) -> None:
    composed = compose(tmp_path, [TONE, "dataset.sources.pairs.path=mails.jsonl"])
    assert composed.source_path("pairs") == tmp_path / "mails.jsonl"


def test_a_machine_of_its_own_may_change_settings_for_all_experiments(tmp_path: Path) -> None:
    Own(tmp_path).write("conf/local/machine.yaml", "provider: {threads: 1}\n")
    Own(tmp_path).write("conf/experiment/.keep", "")
    composed = compose(tmp_path, [TONE])
    assert (composed.settings.provider.threads, str(composed.origins.of("provider.threads"))) == (
        1,
        "conf/local/machine.yaml:1",
    )
