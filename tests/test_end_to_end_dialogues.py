"""Dialogues with executed tools in a rehearsal, killed in the middle: what was answered is not asked again."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from embedded_fixture import until
from project_fixture import Project, project_in
from rehearsal_fixture import recorded, stop_server

CONCURRENCY = 4
REHEARSED = ("+experiment=tool_calling", "provider=rehearsal", f"evaluation.concurrency={CONCURRENCY}")


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path, cache) as found:
        yield found
        stop_server(found, smoke=False)


def n_kept(project: Project) -> int:
    path = project.store().folder / "calls.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM call").fetchone()[0])
        except sqlite3.OperationalError:  # the table is not there yet
            return 0


def asked(project: Project) -> Counter[str]:
    """Return how often each request for a completion was sent."""
    sent = (each for each in recorded(project, smoke=False) if each["path"].endswith("/chat/completions"))
    bodies = (each["body"] for each in sent)
    return Counter(json.dumps(body, sort_keys=True) for body in bodies if body and "model" in body)  # whole ones


@pytest.mark.slow
def test_kill_9_in_mid_evaluation_repeats_at_most_the_requests_under_way(project: Project) -> None:
    client = project.start(*REHEARSED)
    # 216 requests of the base model, and each dialogue of the tuned one has two.
    until(lambda: n_kept(project) > 240 or client.process.poll() is not None)
    assert client.process.poll() is None  # in the middle
    client.kill()
    assert n_kept(project) > 240
    ended = project.run(*REHEARSED)
    assert ended.code == 0, ended.err  # what a rehearsal answers is made up, and misses no goal
    repeated = {request: n for request, n in asked(project).items() if n > 1}
    of_model = Counter(json.loads(request)["model"] for request in repeated)
    assert max(of_model.values(), default=0) <= CONCURRENCY  # an arm each, and both may have been under way
    assert set(repeated.values()) <= {2}
    [predictions] = [
        each
        for path in project.store().folder.glob("records/*.json")
        if (each := json.loads(path.read_bytes()))["kind"] == "predict" and each["label"] == "tuned"
    ]
    assert predictions["note"].startswith("216 answers")
    metrics = project.run_json()["metrics"]
    assert "results.stated" in json.dumps(metrics)
