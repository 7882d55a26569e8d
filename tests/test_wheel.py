"""The wheel brings conf/ and the data of the shipped experiments: it works in an empty folder, without the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from config_fixture import CONF, TONE

ROOT = CONF.parent
SOURCES = ROOT / "datasets" / "sources"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installed:
    """A virtual environment with ftbuild from the wheel, and an empty folder to work in."""

    wheel: Path
    python: Path
    folder: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FTBUILD_"))}
        script = self.python.with_name("ftbuild")
        return subprocess.run(
            [script, *arguments], cwd=self.folder, env=clean, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build and install once. The dependencies are borrowed from the environment that runs the tests.

    They come in at the end of the path by a .pth file, without the .pth files that lie there
    themselves: so an editable install of the checkout does not come with them.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["--no-build-isolation"] if _has("hatchling") else []
    subprocess.run([*pip, "wheel", "--no-deps", *build, "--wheel-dir", folder, ROOT], check=True, cwd=folder)
    (wheel,) = folder.glob("ftbuild-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    own = _printed(python, "import sysconfig; print(sysconfig.get_path('purelib'))")
    borrowed = _printed(Path(sys.executable), "import sysconfig; print(sysconfig.get_path('purelib'))")
    (Path(own) / "borrowed.pth").write_text(borrowed + "\n", encoding="utf-8")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True, cwd=folder)
    empty = folder / "empty"
    empty.mkdir()
    return Installed(wheel, python, empty)


def _has(module: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def _printed(python: Path, code: str) -> str:
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_wheel_holds_every_config_file_and_all_data(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = set(wheel.namelist())
    wanted = {f"ftbuild/conf/{path.relative_to(CONF)}" for path in CONF.rglob("*.yaml") if "local" not in path.parts}
    wanted |= {f"ftbuild/datasets/sources/{path.relative_to(SOURCES)}" for path in SOURCES.rglob("*") if path.is_file()}
    assert wanted - names == set()
    assert {"ftbuild/py.typed"} <= names
    assert [name for name in names if not name.startswith(("ftbuild/", "ftbuild-"))] == []


def test_the_package_comes_from_the_wheel_and_not_from_the_checkout(installed: Installed) -> None:
    code = "import ftbuild, json, sys; print(json.dumps([ftbuild.__file__, sys.path]))"
    done = subprocess.run(
        [installed.python, "-c", code], cwd=installed.folder, capture_output=True, text=True, check=True
    )
    place, path = json.loads(done.stdout)
    assert Path(place).is_relative_to(installed.python.parents[1])
    assert str(ROOT) not in path


def test_bare_ftbuild_lists_the_shipped_experiments(installed: Installed) -> None:
    done = installed.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.stem for path in (CONF / "experiment").glob("*.yaml") if path.stem not in done.stdout] == []


def test_a_plan_reads_conf_and_data_from_the_wheel_and_is_that_of_the_checkout(installed: Installed) -> None:
    done = installed.run("plan", TONE, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    here = subprocess.run(
        [sys.executable, "-m", "ftbuild", "plan", TONE, "--format", "json"],
        cwd=installed.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == json.loads(here.stdout)


def test_the_plan_is_readable_too(installed: Installed) -> None:
    done = installed.run("plan", TONE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"Do it: ftbuild {TONE}\n")


def test_cfg_job_composes(installed: Installed) -> None:
    done = installed.run(TONE, "--cfg", "job", "seed=3")
    assert (done.returncode, done.stderr, yaml.safe_load(done.stdout)["seed"]) == (0, "", 3)


def test_reading_left_the_folder_empty(installed: Installed) -> None:
    installed.run("plan", TONE)
    assert list(installed.folder.iterdir()) == []
