"""Bare `ftbuild`: every experiment and how it ended, in a wide and in a narrow terminal."""

from pathlib import Path

from config_fixture import CONF
from runs_fixture import Runs

from ftbuild.cli.overview import lines, steps
from ftbuild.cli.standing import Standing
from ftbuild.digest import of_file
from ftbuild.store.store import Record
from ftbuild.trees import experiments

ROWS = [
    ("tone_formal", "Casual message in, formal message out.", "better, goal met", "today 10:42 UTC"),
    ("mine", "Ours.", "never run", ""),
]
FOOT = "\nBuild one:      ftbuild +experiment=NAME\nWhat would run: ftbuild plan +experiment=NAME\n"


def test_a_wide_terminal_has_one_line_an_experiment() -> None:
    assert lines(ROWS, 100) == (
        "  tone_formal    Casual message in, formal message out.    better, goal met    today 10:42 UTC\n"
        "  mine           Ours.                                     never run"
    )


def test_a_narrow_terminal_puts_the_description_below() -> None:
    assert lines(ROWS, 60) == (
        "  tone_formal    better, goal met    today 10:42 UTC\n"
        "      Casual message in, formal message out.\n"
        "  mine           never run\n"
        "      Ours."
    )


def test_every_experiment_stands_with_its_newest_run(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.own.experiment("mine", "# Ours.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n")
    runs.write("20250304-104200-mine", verdict="no_difference", ending="missed", rehearsed=True)
    runs.write("20250303-104200-mine", verdict="better", ending="met")
    ended = runs.own.run(columns=200)
    assert (ended.code, ended.err) == (0, "")
    shipped = [(name, about, "never run", "") for name, about in experiments(CONF.parent).items()]
    mine = ("mine", "Ours.", "rehearsed: no difference, goal missed", "4 March 2025, 10:42 UTC")
    following = "\nNext of the five steps goal, data, train, test, improve:\n"
    following += "  mine    done       ftbuild runs --experiment mine\n"
    assert ended.out == lines(sorted([*shipped, mine]), 200) + "\n" + following + FOOT


def test_what_cannot_be_read_is_not_told_as_never_run(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.own.experiment("mine", "# Ours.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n")
    runs.own.experiment("torn", "# Torn.   ftbuild +experiment=torn\ndefaults: [tone_formal\n")
    folder = tmp_path / "outputs" / "runs" / "20250304-104200-mine"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{")
    out = runs.own.run(columns=200).out
    assert "Next of" not in out
    told = {line.split()[0]: line for line in out.splitlines() if line}
    assert told["mine"].endswith("its run cannot be read: ftbuild runs")
    assert told["torn"].endswith("its file is broken: ftbuild plan")
    assert told["tone_formal"].endswith("never run")


def following(runs: Runs, columns: int = 200) -> list[str]:
    """Return what is said of the steps that come next."""
    out = runs.own.run(columns=columns).out
    return out.partition("improve:\n")[2].partition("\n\n")[0].splitlines()


def test_what_comes_next_is_one_command_an_experiment(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.own.experiment("mine", "# Ours.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n")
    assert following(runs) == ["  mine    data       ftbuild +experiment=mine"]
    (tmp_path / "datasets" / "built" / "mine").mkdir(parents=True)
    assert following(runs) == ["  mine    train      ftbuild +experiment=mine"]
    runs.write("20250303-104200-mine", verdict="better", ending="missed")
    assert following(runs) == ["  mine    improve    ftbuild improve 20250303-104200-mine"]
    runs.own.write("datasets/proposals/20250303-104200-mine/proposal.yaml", "experiment: mine\n")
    assert following(runs) == ["  mine    improve    ftbuild accept datasets/proposals/20250303-104200-mine"]
    runs.own.experiment(
        "mine_2",
        "# Two.   ftbuild +experiment=mine_2\ndefaults: [mine]\nround:\n  # of it\n  run: null\n  after: mine\n",
    )
    assert following(runs) == [
        "  mine      improve    ftbuild +experiment=mine_2",
        "  mine_2    data       ftbuild +experiment=mine_2",
    ]
    runs.write("20250304-104200-mine_2", verdict="better", ending="met", fine_tuned_model="ft:mine_2")
    runs.write("20250305-104200-mine_2", verdict="better", ending="missed", rehearsed=True)
    assert following(runs) == ["  mine_2    done       ftbuild chat 20250304-104200-mine_2"]


def test_what_was_only_rehearsed_is_to_be_built(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.own.experiment("mine", "# Ours.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n")
    runs.write("20250303-104200-mine", verdict="better", ending="missed", rehearsed=True)
    assert following(runs) == ["  mine    train      ftbuild +experiment=mine    only rehearsed"]


def test_a_source_whose_bytes_have_changed_since_comes_first(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.own.experiment("mine", "# Ours.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n")
    runs.own.write("mine.csv", "a,b\nhey,Hello.\n")
    source = {"kind": "csv", "path": "mine.csv"}
    preimage = {"settings": {"source": source, "bytes": of_file(tmp_path / "mine.csv")}, "inputs": []}
    record = Record("a" * 64, "ingest", "mine", {}, "1 example", 0.0, 0.0)
    runs.store.record(record, {"preimage": preimage})
    action = {"label": "mine", "kind": "ingest", "key": record.key, "status": "RUN", "seconds": 0.0}
    runs.write("20250303-104200-mine", verdict="better", ending="met", actions=[action], fine_tuned_model="ft:x")
    assert following(runs) == ["  mine    done       ftbuild chat 20250303-104200-mine"]
    runs.own.write("mine.csv", "a,b\nhey,Good day.\n")
    assert following(runs) == ["  mine    data       ftbuild +experiment=mine    data changed since"]


def test_in_a_narrow_terminal_the_command_stands_below_the_name_and_is_not_broken() -> None:
    command = "ftbuild accept datasets/proposals/20250303-104200-a_name_that_is_long"
    found = [Standing("a_name_that_is_long", "improve", command), Standing("mine", "train", "ftbuild +experiment=mine")]
    assert steps(found, 80) == (
        "Next of the five steps goal, data, train, test, improve:\n"
        "  a_name_that_is_long    improve\n"
        f"      {command}\n"
        "  mine    train\n"
        "      ftbuild +experiment=mine"
    )
