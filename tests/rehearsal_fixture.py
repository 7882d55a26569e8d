"""The dress rehearsal of the shipped experiment: its command, the digests of its data, and the end of its server."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from embedded_fixture import until
from project_fixture import Project

from ftbuild.providers.embedded import running

REHEARSED = ("+experiment=tone_formal", "--smoke", "provider=rehearsal")

DATA = ("ingest", "dataset", "render")

# The artifacts of the data actions of the command above, pinned: a change of any of them is a decision.
PINNED = {
    "pairs": {
        "examples.jsonl": "a73dca7df2cb3a54fe041bf59bc712a2a399b485c4dc0bb1df2b705a3b79fedb",
        "source": "46b0aa3a5f85a752faee3d828b5b74705341969f69f00780594c3bf84e7d1f22",
    },
    "unseen": {
        "examples.jsonl": "8f8ff26980aeed13f7f32d4aeddeec3f478e69d85ff6691363a177db4c460f4f",
        "source": "9c39cbecd0957de1b536ee823cbf94985af253130330a7251ae16f1ac363fe38",
    },
    "dataset": {
        "dropped.json": "5027c035be8e641df2d44f66ed891f0c6dbe9a891c2dfc8315b61e67faba10f7",
        "provenance.jsonl": "e7198fa7e06277e4814c5ee06ec078817e57091a72dd2a983bd2054b3ce4a3b2",
        "test.jsonl": "917ae9d96862e9877a2f058a72d3db1e6f770c000c239202e494588f17dc7e00",
        "train.jsonl": "36db4f29f14e8ec0f9b6c12c3bdee028a3c9732b17d929bac3877fdd27a8de1f",
        "validation.jsonl": "3a96cd70630b991ebeea63113c4f1cc8deefadfd6654c6884a4a68837a0e4f70",
    },
    "lines": {
        "facts.jsonl": "2592a546c746b2ae62b7288e0d4fa1c4fdf5ff1e5fa316586db9c2bc7434c93a",
        "manifest.json": "ac16ad9a18cb382dcc9ca74abacf4111a8a4740e2345abaa6da2d42247c0d541",
        "test.jsonl": "3094c6d128e907c261e088465142d40d873c7fa4ec15284e5b2cd9db20094488",
        "train.jsonl": "98c0dafac1b6178fca0aadf76f2963401c0337c9c12b1b274cccbe89715072b7",
        "validation.jsonl": "e1bbd8d46e66d09fcba00b184e01c7ae160cbae14bcb4a0a65d94cafa8d4dc79",
    },
}


def state(project: Project, *, smoke: bool = True) -> Path:
    """Return the folder of the server."""
    return project.store(smoke=smoke).folder / "rehearsal"


def artifacts(project: Project) -> dict[str, dict[str, str]]:
    """Return the outputs of the data actions, by label."""
    found = [json.loads(path.read_bytes()) for path in project.store(smoke=True).folder.glob("records/*.json")]
    return {each["label"]: each["outputs"] for each in found if each["kind"] in DATA}


def stop_server(project: Project, *, smoke: bool = True) -> None:
    """End the server, and wait until it is gone."""
    folder = state(project, smoke=smoke)
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(json.loads((folder / "server.json").read_bytes())["pid"], signal.SIGTERM)
        until(lambda: running(folder) is None)


@contextmanager
def with_conf(project: Project, conf: Mapping[str, str]) -> Iterator[Project]:
    """Give the project files of its own in conf/, by their names there, and end its server."""
    for name, text in conf.items():
        path = project.folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    try:
        yield project
    finally:
        stop_server(project, smoke=False)


def recorded(project: Project, *, smoke: bool = True) -> list[dict[str, Any]]:
    """Return every request that the server was sent, oldest first."""
    lines = (state(project, smoke=smoke) / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
