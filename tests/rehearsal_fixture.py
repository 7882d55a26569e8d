"""The dress rehearsal of the shipped experiment: its command, the digests of its data, and the end of its server."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

from embedded_fixture import until
from project_fixture import Project

from ftbuild.providers.embedded import running

REHEARSED = ("+experiment=tone_formal", "--smoke", "provider=rehearsal")

DATA = ("ingest", "dataset", "render")

# The artifacts of the data actions of the command above, pinned: a change of any of them is a decision.
PINNED = {
    "pairs": {
        "examples.jsonl": "a184f818b059bcdd711772605dc96db511f4826bbe62e9c2b07cc0089d11cc4f",
        "source": "46b0aa3a5f85a752faee3d828b5b74705341969f69f00780594c3bf84e7d1f22",
    },
    "unseen": {
        "examples.jsonl": "b6e2bda468b64b98e681c62813e321dee700f81ab01ce6cefb0e20df37df85da",
        "source": "9c39cbecd0957de1b536ee823cbf94985af253130330a7251ae16f1ac363fe38",
    },
    "dataset": {
        "dropped.json": "5027c035be8e641df2d44f66ed891f0c6dbe9a891c2dfc8315b61e67faba10f7",
        "provenance.jsonl": "796efed212fc938a459bb7e975f198ad02c712d662a576f7e0f1f6c020258fc1",
        "test.jsonl": "1cd5dc7628d866ce4be29227a0d099bf92009ea661fa34c1f0b8806a7ccd6b15",
        "train.jsonl": "42d66d3e0bb035534e317229420d6f55a93cc843c0c7dc4d2a895343cc2c035f",
        "validation.jsonl": "2d23f885fad61378bef388136ee57cefb5176f0019eb77278f5276b90235e383",
    },
    "lines": {
        "manifest.json": "7df7f5dcec108554e749828c54604a63e28f611e2cde7284ddbbb18d14920a03",
        "test.jsonl": "86664dc89a0e42a4597f04610afa73f67472ab0e02703c26dac8dfc052964603",
        "train.jsonl": "ae918ddd795ac4ccda7222dcc14b6440e78e7b615471aaf729fbe8e3c51dce31",
        "validation.jsonl": "211096bbc9ef73ac454dfc3f5f7160db6b34eeee33359cb59d8ef0a75f091c74",
    },
}


def state(project: Project) -> Path:
    """Return the folder of the server."""
    return project.store(smoke=True).folder / "rehearsal"


def artifacts(project: Project) -> dict[str, dict[str, str]]:
    """Return the outputs of the data actions, by label."""
    found = [json.loads(path.read_bytes()) for path in project.store(smoke=True).folder.glob("records/*.json")]
    return {each["label"]: each["outputs"] for each in found if each["kind"] in DATA}


def stop_server(project: Project) -> None:
    """End the server, and wait until it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(json.loads((state(project) / "server.json").read_bytes())["pid"], signal.SIGTERM)
        until(lambda: running(state(project)) is None)
