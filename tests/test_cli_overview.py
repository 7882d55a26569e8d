"""Bare `ftbuild`: every experiment and how it ended, in a wide and in a narrow terminal."""

from pathlib import Path

from config_fixture import CONF
from runs_fixture import Runs

from ftbuild.cli.overview import lines
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
    assert ended.out == lines(sorted([*shipped, mine]), 200) + "\n" + FOOT


def test_what_cannot_be_read_is_not_told_as_never_run(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.own.experiment("mine", "# Ours.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n")
    runs.own.experiment("torn", "# Torn.   ftbuild +experiment=torn\ndefaults: [tone_formal\n")
    folder = tmp_path / "outputs" / "runs" / "20250304-104200-mine"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{")
    told = {line.split()[0]: line for line in runs.own.run(columns=200).out.splitlines() if line}
    assert told["mine"].endswith("its run cannot be read: ftbuild runs")
    assert told["torn"].endswith("its file is broken: ftbuild plan")
    assert told["tone_formal"].endswith("never run")
