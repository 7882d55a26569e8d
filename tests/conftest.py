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

LONGEST = "test_end_to_end_tone_formal.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that trains the real model, then those with slow tests: the longest runs alone at no end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name != LONGEST, item.path not in slow))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path / "project", cache) as found:
        yield found
