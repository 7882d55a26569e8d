"""The same experiment gives the same keys and the same bytes, whatever the machine and the folder look like."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from project_fixture import Project, project_in
from rehearsal_fixture import DATA, PINNED, REHEARSED, artifacts, stop_server

CHECKOUT = Path(__file__).parents[1]
IN_ORDER = ("expand", "substitute", "scorers")  # the order of these maps carries meaning
FREE = ("echo", "rules", "echo scores", "rules scores")

# The keys of what no provider has to do with, pinned: a change of any of them is a decision.
KEYS = {
    "pairs": "2f602cdc5bc72a68f19fca81556365a20c1a6b945db51201dc202682fe2e60ae",
    "unseen": "b1fa3f459dc688e4db0e199f6322ba5bda74d11bcfccf2cc58ca43a669fc3b55",
    "dataset": "0c7e9994a41caa5bea27772ede2f65bd1a34e20ffdcff0864a24538a47906caa",
    "lines": "6ae1c3d500c86bbaea16d099a0cc34ea1b4627dc5312bdf5d946f40a9854d818",
    "echo": "e0d0bd24d832e62bf504972c3d0c86f123fc6a8e0106899abc1fedd3bf1cddc7",
    "rules": "bb39319d338bb98ac038cc9cbc8a823e12357cd28ac14b85be417303ed6c5c58",
    "echo scores": "3c25b7ec2248b1538f80beec89a38ee54a8aced32443fde7facc694895b577ef",
    "rules scores": "98baa3c163719911bde8ad75ef19e9a73132df4f5b844c84c1c65d20b351abec",
}


@dataclass(frozen=True)
class Place:
    """Where and how a build is run. `conf` gives the project a conf/ of its own: ours, its keys in another order."""

    folder: str = "project"
    arguments: tuple[str, ...] = ("--jobs", "1")
    environment: dict[str, str] = field(default_factory=dict)
    umask: int = 0o022
    conf: bool = False


PLACES = {
    "none": Place(),
    "hash seed": Place(environment={"PYTHONHASHSEED": "4711"}),
    "time zone": Place(environment={"TZ": "Pacific/Chatham"}),
    "locale": Place(environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "umask": Place(umask=0o077),
    "folder": Place(folder="elsewhere/a b/ünï"),
    "workers": Place(arguments=("--jobs", "4")),
    "conf": Place(conf=True),
}
WHOLE = {
    "all at once": Place(
        folder="elsewhere/a b/ünï",
        arguments=("--jobs", "4"),
        environment={"PYTHONHASHSEED": "4711", "TZ": "Pacific/Chatham", "LC_ALL": "C", "PYTHONUTF8": "0"},
        umask=0o077,
        conf=True,
    ),
    "ray": Place(arguments=("--ray", "local", "--jobs", "2")),
}


@contextmanager
def built(place: Place, folder: Path, cache: Path, *verb: str) -> Iterator[Project]:
    """Give a project in which the command above was run at `place`, up to what the `verb` builds."""
    before = os.umask(place.umask)
    try:
        with project_in(folder / place.folder, cache) as project:
            if place.conf:
                reorder(CHECKOUT / "conf", project.folder / "conf")
                copy(CHECKOUT / "datasets" / "sources", project.folder / "datasets" / "sources")
            ended = project.run(*verb, *REHEARSED, *place.arguments, **place.environment)
            try:
                assert ended.code == 0, ended.err
                yield project
            finally:
                stop_server(project)
    finally:
        os.umask(before)


def reorder(source: Path, target: Path) -> None:
    """Copy a tree of YAML files, the last first, the keys of its maps the other way round; comments above them stay."""
    for path in sorted(source.rglob("*.yaml"), reverse=True):
        text = path.read_text(encoding="utf-8")
        head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        body = yaml.safe_dump(_reversed(yaml.safe_load(text)), sort_keys=False, allow_unicode=True)
        place.write_text(head + body, encoding="utf-8")


def _reversed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: each if key in IN_ORDER else _reversed(each) for key, each in reversed(value.items())}


def copy(source: Path, target: Path) -> None:
    for path in sorted((each for each in source.rglob("*") if each.is_file()), reverse=True):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())


def keys(project: Project) -> dict[str, str]:
    """Return the key, which is the digest of the pre-image, of what no provider has to do with, by label."""
    found = [json.loads(path.read_bytes()) for path in project.store(smoke=True).folder.glob("records/*.json")]
    return {each["label"]: each["key"] for each in found if each["kind"] in DATA or each["label"] in FREE}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_all_differences_at_once_change_nothing(name: str, tmp_path: Path, cache: Path) -> None:
    with built(WHOLE[name], tmp_path, cache) as project:
        assert (keys(project), artifacts(project)) == (KEYS, PINNED)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_one_difference_changes_nothing_of_the_data(name: str, tmp_path: Path, cache: Path) -> None:
    """Which of them it is, when all at once change something."""
    with built(PLACES[name], tmp_path, cache, "dataset") as project:
        assert (keys(project), artifacts(project)) == ({label: KEYS[label] for label in PINNED}, PINNED)
