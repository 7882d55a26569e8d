"""`ftbuild completion`: what can stand at the cursor, and that bash, zsh and fish put it there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from config_fixture import CONF, Own
from shell_fixture import environment, tab

from ftbuild.cli.candidates import Candidate, candidates
from ftbuild.cli.options import VALUED
from ftbuild.cli.verbs import VERBS
from ftbuild.ledger.journal import Journal
from ftbuild.trees import experiments

GROUPS = [
    "goal",
    "dataset",
    "style",
    "tools",
    "retrieval",
    "model",
    "method",
    "provider",
    "evaluation",
    "tracker",
    "judge",
    "teacher",
    "sweep",
]
FORMAL = Candidate("style=formal", "Formal business English.")
MINE = Candidate("style=mine", "My own way.")
UNSEEN = "Pairs from twelve situations found nowhere else, to test on and never to learn from."


@pytest.fixture
def own(tmp_path: Path) -> Own:
    project = Own(tmp_path)
    project.write("conf/style/mine.yaml", "# My own way.   ftbuild +experiment=mine\ndefaults: [formal]\nwhim: 1\n")
    project.experiment(
        "mine", "# Mine at last.\ndefaults:\n- tone_formal\n- /source@dataset.sources.more: tone_unseen\n"
    )
    return project


def offered(own: Own, *words: str) -> list[Candidate]:
    """Return what the last word can become."""
    return candidates(words[:-1], words[-1], own.folder)


def words(own: Own, *typed: str) -> list[str]:
    return [each.word for each in offered(own, *typed)]


def test_the_first_word_is_a_verb_or_what_build_takes(own: Own) -> None:
    keys = ["seed=", "request.", "round=", "budget."]
    levels, choices = [f"{group}." for group in GROUPS], [f"{group}=" for group in GROUPS]
    assert words(own, "") == [*VERBS, "+experiment=", *levels, *keys, *choices]
    assert offered(own, "pl") == [Candidate("plan", VERBS["plan"].what)]


def test_behind_a_verb_stand_no_verbs(own: Own) -> None:
    assert words(own, "plan", "p") == ["provider.", "provider="]
    assert words(own, "jobs", "") == []


def test_experiments_of_both_trees_are_offered(own: Own) -> None:
    known = experiments(CONF.parent) | {"mine": "Mine at last."}
    all_ = [Candidate(f"+experiment={name}", known[name]) for name in sorted(known)]
    assert offered(own, "+experiment=") == offered(own, "plan", "+experiment=") == all_
    assert offered(own, "expe") == [Candidate("experiment=", ", ".join(sorted(known)))]
    assert words(own, "experiment=m") == ["experiment=mine"]


def test_options_of_a_group_are_offered_with_what_they_are(own: Own) -> None:
    found = offered(own, "style=")
    assert [each for each in found if each in (FORMAL, MINE)] == [FORMAL, MINE]
    assert len(found) == len([*(CONF / "style").glob("*.yaml")]) + 1
    assert offered(own, "plan", "-m", "style=formal,m") == [Candidate("style=formal,mine", MINE.about)]
    assert offered(own, "+source@dataset.sources.x=tone_u") == [
        Candidate("+source@dataset.sources.x=tone_unseen", UNSEEN)
    ]


def test_the_tree_is_found_from_a_folder_below(own: Own) -> None:
    (own.folder / "notes").mkdir()
    assert candidates([], "style=m", own.folder / "notes") == [MINE]


def test_keys_are_offered_a_level_at_a_time_with_their_place(own: Own) -> None:
    own.write("conf/method/slow.yaml", "type: supervised\nhyperparameters:\n  n_epochs: 9\n")
    assert words(own, "method.") == ["method.hyperparameters.", "method.type=", "method.checkpoint=", "method.grader."]
    assert offered(own, "method.hyperparameters.n") == [
        Candidate("method.hyperparameters.n_epochs=", "conf/method/slow.yaml:3")
    ]
    assert words(own, "style.b") == []
    assert "style.whim=" in words(own, "style.")


def test_entries_of_maps_are_offered_by_name_and_lists_have_none(own: Own) -> None:
    assert words(own, "dataset.sources.mo") == ["dataset.sources.more."]
    assert words(own, "dataset.sources.pa") == ["dataset.sources.pairs."]
    assert words(own, "style.rules.ba") == ["style.rules.banned="]


def test_what_is_taken_out_is_an_entry_or_a_level_above_one(own: Own) -> None:
    assert words(own, "~dataset.sources.pa") == ["~dataset.sources.pairs", "~dataset.sources.pairs."]
    assert words(own, "~dataset.l") == ["~dataset.limit"]


def test_a_file_that_is_no_yaml_costs_only_its_own_keys(own: Own) -> None:
    own.write("conf/method/broken.yaml", "{")
    (own.folder / "conf/method/latin.yaml").write_bytes(b"# \xff\n")
    assert words(own, "method.t") == ["method.type="]
    assert words(own, "method=b") == ["method=broken"]


def test_a_verb_offers_the_options_it_takes(own: Own) -> None:
    assert words(own, "plan", "--") == [*VERBS["plan"].options, "--help", "--version"]
    assert offered(own, "plan", "--smo") == [
        Candidate("--smoke", "the whole path in a minute, with 20 examples and a tiny model; no verdict")
    ]


def test_an_option_offers_its_values(own: Own) -> None:
    assert words(own, "plan", "--format", "") == list(VERBS["plan"].formats)
    assert words(own, "plan", "--format=j") == ["--format=json"]
    assert words(own, "runs", "--experiment", "m") == ["mine"]
    assert words(own, "-c", "") == ["job"]
    assert words(own, "plan", "--out", "") == []


def test_diff_offers_runs_newest_first_and_none_twice(own: Own) -> None:
    for name in ("20260101-000000-mine", "20260102-000000-mine"):
        own.write(f"outputs/runs/{name}/run.json", json.dumps({"verdict": "better", "ending": "met"}))
    own.write("outputs/runs/20260103-000000-mine/run.json", "torn")
    (own.folder / "outputs/runs/latest").symlink_to("20260102-000000-mine")
    first, second = (Candidate(f"2026010{day}-000000-mine", "Better, goal met.") for day in (2, 1))
    assert offered(own, "diff", "") == [first, second]
    assert offered(own, "diff", first.word, "--format", "md", "") == [second]
    assert offered(own, "diff", first.word, second.word, "") == []


def test_retry_offers_failed_jobs_and_cancel_those_under_way(own: Own) -> None:
    for place, name, status in [("", "a", "failed"), ("", "b", "succeeded"), ("", "c", None), ("smoke", "d", None)]:
        store = "outputs/.ftbuild" if not place else f"outputs/{place}/.ftbuild"
        journal = Journal(own.folder / store / "ledger", name)
        journal.append(1.0, "intent", command=["+experiment=mine"], experiment="mine")
        journal.append(2.0, "launched", job_id=f"ftjob-{name}")
        if status:
            journal.append(3.0, "ended", job_id=f"ftjob-{name}", status=status, error=None)
    own.write("outputs/.ftbuild/ledger/e.jsonl", "torn\n")
    assert offered(own, "retry", "") == [Candidate("ftjob-a", "mine: failed")]
    for verb in ("cancel", "pause", "resume", "watch"):
        assert words(own, verb, "ftjob") == ["ftjob-c", "ftjob-d"]
    assert words(own, "adopt", "ftjob-x", "+exp") == ["+experiment="]


def test_completion_offers_the_shells(own: Own) -> None:
    assert words(own, "completion", "") == ["bash", "zsh", "fish"]
    assert words(own, "completion", "bash", "") == []


def test_an_answer_needs_neither_hydra_nor_pydantic(own: Own) -> None:
    code = """
import sys
from ftbuild.cli.dispatch import run
code = run(["completion", "bash"])
sys.exit(code or " ".join({name.partition(".")[0] for name in sys.modules} & {"hydra", "pydantic", "numpy"}) or 0)
"""
    for asked in ("", "method.hyperparameters.", "+experiment=", "\ndiff", "\nretry"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=own.folder,
            env={**os.environ, "FTBUILD_COMPLETE": asked},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "said", "shell"),
    [((), "", "bash"), (("fisch",), ", not 'fisch'", "fish"), (("a", "b"), ", not 'a b'", "bash")],
)
def test_a_shell_without_a_script_is_refused(own: Own, words: tuple[str, ...], said: str, shell: str) -> None:
    text = f"command line: completion takes bash, zsh or fish{said}\n    Fix: ftbuild completion {shell}\n"
    assert own.refused("completion", *words) == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_behind_an_option_that_takes_a_file_the_shell_offers_files(own: Own, shell: str) -> None:
    files = {name for name, value in VALUED.items() if value in ("FILE", "FOLDER")}
    assert set(re.findall(r"--[a-z]+", own.run("completion", shell).out)) & set(VALUED) == files


@pytest.fixture(params=["bash", pytest.param("zsh", marks=pytest.mark.slow), "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"needs {request.param}")
    return str(request.param)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("ftbuild compl", "ftbuild completion "),
        ("ftbuild plan +experiment=tone_fo", "ftbuild plan +experiment=tone_formal "),
        ("cd .; ftbuild -m style=formal,", "cd .; ftbuild -m style=formal,"),
        ("~/.programs/ftbuild style=mi", "~/.programs/ftbuild style=mine "),
        ("ftbuild source@dataset.sources.a=tone_pa", "ftbuild source@dataset.sources.a=tone_pairs "),
        ("ftbuild plan method.hyp", "ftbuild plan method.hyperparameters."),
        ("ftbuild method.hyperparameters.n_", "ftbuild method.hyperparameters.n_epochs="),
        ("ftbuild plan --format=js", "ftbuild plan --format=json "),
        ("ftbuild plan --format js", "ftbuild plan --format json "),
        ("ftbuild plan --out con", "ftbuild plan --out conf/"),
    ],
)
def test_tab_completes_the_line(own: Own, shell: str, typed: str, line: str) -> None:
    assert tab(shell, own.folder, typed).line == line


def test_tab_shows_what_there_is(own: Own, shell: str) -> None:
    screen = tab(shell, own.folder, "ftbuild style=", times=2).screen
    assert "formal" in screen
    assert "mine" in screen
    assert [said for said in (FORMAL.about, MINE.about) if said in screen] == (
        [] if shell == "bash" else [FORMAL.about, MINE.about]
    )


def test_bash_without_breaks_at_equals_signs_is_given_whole_words(own: Own) -> None:
    script = """
eval "$(ftbuild completion bash)"
COMP_WORDBREAKS=$' \\t\\n' COMP_LINE='ftbuild style=m rest' COMP_POINT=15
COMP_WORDS=(ftbuild style=m rest) COMP_CWORD=1
_ftbuild ftbuild
printf '[%s]' "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "-c", script], cwd=own.folder, env=environment(own.folder), capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[style=mine ]", "")
