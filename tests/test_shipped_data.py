"""The data of the shipped experiments: it builds, and what was written to be tested on is what it was."""

import json
from collections import Counter
from pathlib import Path

import pytest
from config_fixture import CONF, Own

from ftbuild.digest import of_file

SOURCES = CONF.parent / "datasets" / "sources"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def test_what_was_written_by_hand_to_test_parallel_calls_is_frozen() -> None:
    """Written and read before any model was trained on the rest; a change of it makes old scores worthless."""
    path = SOURCES / "assistant" / "handwritten.jsonl"
    assert of_file(path) == "027f6ace8a312f6d53218838ae68a2b2d93b36e5b37a7d75ac2ba45463f044f5"
    kinds = Counter(json.loads(line)["kind"] for line in path.read_bytes().splitlines())
    assert kinds == {"one": 25, "two": 25, "three": 15, "none": 15}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_builds_its_data_and_no_line_is_refused(name: str, tmp_path: Path) -> None:
    ended = Own(tmp_path).run("show", f"+experiment={name}", "-n", "1", "--format", "json")
    assert ended.code == 0, ended.err
    [shown] = json.loads(ended.out)["examples"]
    assert shown["n_learnt"] > 0
    assert shown["licence"] == "CC0-1.0"
    assert (SOURCES.parent.parent / shown["path"]).exists()
