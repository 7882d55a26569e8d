"""Bare `ftbuild`: every experiment and how it ended, in a wide and in a narrow terminal."""

import json
from pathlib import Path
from typing import Any

from config_fixture import Own

from ftbuild.cli.overview import lines

ROWS = [
    ("tone_formal", "Casual message in, formal message out.", "better, goal met", "today 10:42 UTC"),
    ("mine", "Ours.", "never run", ""),
]
FOOT = "\nBuild one:      ftbuild +experiment=NAME\nWhat would run: ftbuild plan +experiment=NAME\n"


def run(own: Own, name: str, **values: Any) -> None:
    value = {"experiment": "mine", "result_id": name, "started_at": "2025-03-04T10:42:00Z", **values}
    own.write(f"outputs/runs/{name}/run.json", json.dumps(value))


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
    own = Own(tmp_path)
    own.experiment("mine", "# Ours.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n")
    run(own, "20250304-104200-mine", verdict="no_difference", ending="missed")
    run(own, "20250303-104200-mine", verdict="better", ending="met")
    ended = own.run(columns=120)
    assert (ended.code, ended.err) == (0, "")
    row = "  mine           Ours.                                     no difference, goal missed    4 March 2025"
    assert f"{row}, 10:42 UTC\n" in ended.out
    assert "  tone_formal    Casual message in, formal message out.    never run\n" in ended.out
    assert ended.out.endswith(FOOT)
