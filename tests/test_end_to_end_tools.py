"""Experiments with tools and forms of answers, built by our own server with the tiny model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from project_fixture import Project, project_in


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("tools"), cache) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["function_calling", "tool_calling", "parallel_tools", "structured_output"])
def test_it_is_trained_and_answered(project: Project, experiment: str) -> None:
    ended = project.run(f"+experiment={experiment}", "--smoke")
    assert ended.code == 0, ended.err
    run = project.run_json("outputs/smoke/runs/latest")
    assert run["fine_tuned_model"].startswith(f"ft:tiny-random:ftbuild:{experiment.replace('_', '-')}:")
    assert run["metrics"]
    [log] = project.folder.rglob("requests.log")
    assert {line.split()[-1] for line in log.read_text().splitlines()} == {"200"}
