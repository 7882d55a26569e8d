"""The pace of hypothesis, and what the end-to-end tests share.

That is a cache in which the tiny model is made once, and project folders.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from project_fixture import Project, project_in

# No deadlines: a busy machine is no reason to fail. CI draws the same examples every time; new ones are for people,
# who can mend what they find.
hypothesis.settings.register_profile("ftbuild", deadline=None, max_examples=60)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.load_profile("ci" if "CI" in os.environ else "ftbuild")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path / "project", cache) as found:
        yield found
