"""After one real build: what `why` says of each kind of change, what the lock file pins, how a kept plan is built."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project_fixture import Project, project_in

from ftbuild.digest import of_value
from ftbuild.plan.action import DATASET

pytestmark = pytest.mark.slow

FILES = {
    "conf/experiment/mine.yaml": """# @package _global_
# Ours.   ftbuild +experiment=mine
defaults:
  - tone_formal
  - /source@dataset.sources.ours: ours
  - override /model: tiny
  - override /style: ours

dataset:
  sources: {pairs: null}
  limit: 40
method:
  hyperparameters: {n_epochs: 1}
""",
    "conf/source/ours.yaml": """# Ours.   ftbuild +experiment=mine
kind: pairs
path: data/ours.jsonl
input: casual
target: formal
group: thread
licence: internal
origin: help desk
""",
    "conf/style/ours.yaml": """# Ours.   ftbuild +experiment=mine
defaults: [formal]
system: Write like a letter.
""",
    "data/ours.jsonl": "".join(
        json.dumps({"casual": f"hey send file {n} pls", "formal": f"Please send file {n}.", "thread": f"t{n}"}) + "\n"
        for n in range(60)
    ),
    ".gitignore": "outputs/\ndatasets/\n",
}
MINE = "+experiment=mine"
SINCE = r"since today \d\d:\d\d UTC"


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.email=a@example.com", "-c", "user.name=A"]
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("why"), cache) as project:
        for name, text in FILES.items():
            (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (project.folder / name).write_text(text)
        git(project.folder, "init", "-q")
        git(project.folder, "add", "-A")
        git(project.folder, "commit", "-qm", "begin")
        ended = project.run(MINE)
        assert ended.code == 3, ended.err
        yield project


@pytest.fixture
def mine(built: Project) -> Iterator[Project]:
    yield built
    git(built.folder, "checkout", "-q", ".")


def edit(project: Project, name: str, old: str, new: str) -> None:
    path = project.folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def why(project: Project, *words: str) -> str:
    before = sorted(str(path) for path in (project.folder / "outputs").rglob("*"))
    ended = project.run("why", *words, MINE, COLUMNS="100")
    assert (ended.code, ended.err) == (0, "")
    assert sorted(str(path) for path in (project.folder / "outputs").rglob("*")) == before
    return ended.out


def test_nothing(mine: Project) -> None:
    assert why(mine).splitlines()[0] == "Nothing would run."


def test_a_value_in_yaml(mine: Project) -> None:
    edit(mine, "conf/experiment/mine.yaml", "n_epochs: 1", "n_epochs: 2")
    said = why(mine)
    assert re.fullmatch(
        rf"job will run again, because one setting changed {SINCE}:\n"
        r"    method\.hyperparameters\.n_epochs   1 -> 2     conf/experiment/mine\.yaml:13, not committed\n\n"
        r"As before: unseen, ours and 8 more\.\n"
        r"After it, if it comes out differently: tuned, tuned scores and 2 more\.\n",
        said,
    ), said


def test_a_value_on_the_command_line(mine: Project) -> None:
    said = mine.run("why", MINE, "seed=8").out
    assert "job will run again" in said
    assert "    seed   7 -> 8     command line\n" in said
    assert "base will run again" not in said  # at temperature 0 nothing is drawn


def test_a_comment_in_yaml(mine: Project) -> None:
    edit(mine, "conf/source/ours.yaml", "# Ours.", "# All of ours.")
    said = why(mine)
    assert re.fullmatch(
        r"Nothing would run\.\n(.*\n)*conf/source/ours\.yaml was edited today \d\d:\d\d UTC: "
        r"nothing that changes a result\.\n(.*\n)*",
        said,
    ), said


def test_reordered_keys(mine: Project) -> None:
    edit(mine, "conf/source/ours.yaml", "input: casual\ntarget: formal\n", "target: formal\ninput: casual\n")
    assert why(mine).splitlines()[0] == "Nothing would run."


def test_a_source_line(mine: Project) -> None:
    edit(mine, "data/ours.jsonl", "hey send file 7 pls", "hey send file seven pls")
    said = why(mine, "dataset")
    assert re.match(
        rf"ours will run again, because one source changed {SINCE}:\n"
        r"    data/ours\.jsonl:8\n"
        r'  - \{"casual": "hey send file 7 pls", .*\}\n'
        r'  \+ \{"casual": "hey send file seven pls", .*\}\n',
        said,
    ), said


def test_a_long_source_line_is_shown_where_it_differs(mine: Project) -> None:
    edit(mine, "data/ours.jsonl", "hey send file 7 pls", f"hey {'so ' * 40}send file 7 pls")
    assert mine.run("dataset", "+experiment=mine").code == 0
    edit(mine, "data/ours.jsonl", "so send file 7 pls", "so send file seven pls")
    said = why(mine, "dataset")
    assert re.search(r"\n  - \.\.\..* send file 7 pls.*\n  \+ \.\.\..* send file seven pls", said), said


def test_a_style_text(mine: Project) -> None:
    edit(mine, "conf/style/ours.yaml", "like a letter", "like a long letter")
    said = why(mine, "verdict")
    assert re.match(
        rf"dataset will run again, because one setting changed {SINCE}:\n"
        r"    style\.system   'Write like a letter\.' -> 'Write like a long letter\.'     "
        r"conf/style/ours\.yaml:3, not committed\n",
        said,
    ), said


def test_a_new_version_of_a_transform(mine: Project) -> None:
    """The store of an older ftbuild: its record of the dataset says version 0."""
    records = mine.folder / "outputs/.ftbuild/records"
    planned = json.loads(mine.run("plan", MINE, "--format", "json").out)["actions"]
    [key] = [each["key"] for each in planned if each["kind"] == "dataset"]
    value = json.loads((records / f"{key}.json").read_bytes())
    value["preimage"]["version"] = 0
    value["key"] = of_value(value["preimage"])
    kept = {path: path.read_bytes() for path in records.glob("*.json")}
    kept = {path: content for path, content in kept.items() if json.loads(content)["kind"] == "dataset"}
    for path in kept:
        path.unlink()
    older = records / f"{value['key']}.json"
    older.write_text(json.dumps(value))
    try:
        said = why(mine)
    finally:
        older.unlink()
        for path, content in kept.items():
            path.write_bytes(content)
    assert re.match(
        rf"dataset will run again, because one version changed {SINCE}:\n"
        rf"    dataset is version {DATASET.version}, was 0\n",
        said,
    ), said


def test_json_names_key_file_and_line(mine: Project) -> None:
    edit(mine, "conf/experiment/mine.yaml", "n_epochs: 1", "n_epochs: 2")
    [job] = json.loads(mine.run("why", MINE, "--format", "json").out)["actions"]
    assert job["differences"] == [
        {
            "what": "setting",
            "name": "method.hyperparameters.n_epochs",
            "key": "method.hyperparameters.n_epochs",
            "old": 1,
            "new": 2,
            "path": "conf/experiment/mine.yaml",
            "line": 13,
            "lines": [],
        }
    ]


def test_an_action_that_is_not_there_is_answered_with_the_nearest(mine: Project) -> None:
    ended = mine.run("why", "datset", MINE)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(
        "command line: no action 'datset'\n    Fix: the nearest is 'dataset'; there are unseen,"
    )


def lock(project: Project) -> dict[str, Any]:
    return json.loads((project.folder / "conf/experiment/mine.lock.json").read_bytes())  # type: ignore[no-any-return]


def test_the_lock_file_pins_what_goes_in_and_records_what_came_out(mine: Project) -> None:
    run, found = mine.run_json(), lock(mine)
    assert (found["experiment"], found["dataset"]) == ("mine", run["dataset"])
    assert list(found["actions"]) == [each["label"] for each in run["actions"]]
    by_label = {each["label"]: each["key"] for each in run["actions"]}
    pinned = {label: each["key"] for label, each in found["actions"].items() if each["key"]}
    assert list(pinned) == ["unseen", "ours", "dataset", "lines", "echo", "rules", "base", "job"]
    assert pinned == {label: by_label[label] for label in pinned}
    assert found["result"]["job_id"] == run["jobs"][0]
    assert found["result"]["fine_tuned_model"] == run["fine_tuned_model"]
    assert found["result"]["ending"] == "missed"
    assert found["result"]["cost_usd"] == 0


def test_overrides_write_no_lock_and_locked_refuses_what_changed(mine: Project) -> None:
    before = lock(mine)
    assert mine.run(MINE, "--locked").code == 3
    refused = mine.run(MINE, "seed=8", "--locked")
    assert (refused.code, refused.err) == (
        2,
        "command line: ftbuild +experiment=mine seed=8 has no lock file\n"
        "    One is kept for an experiment of the project's own conf/, built without overrides.\n"
        "    Fix: leave --locked out.\n",
    )
    edit(mine, "data/ours.jsonl", "file 7 pls", "file seven pls")
    changed = mine.run(MINE, "--locked")
    assert changed.code == 2
    assert changed.err.startswith(
        "conf/experiment/mine.lock.json: what would be built is not what is locked\n    ours has changed; dataset has"
    )
    assert lock(mine) == before


def test_a_second_clone_takes_the_job_that_the_lock_file_remembers(mine: Project, tmp_path: Path, cache: Path) -> None:
    """The clone has no store of its own, only the provider's state: as with a hosted provider."""
    store = mine.store()
    with project_in(tmp_path / "clone", cache) as clone:
        shutil.copytree(mine.folder, clone.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("outputs", ".git"))
        shutil.copytree(store.state, clone.store().state, ignore=shutil.ignore_patterns("server.*", "requests.log"))
        ended = clone.run(MINE, "--locked")
        assert ended.code == 3, ended.err
        [job] = store.job_ids()
        assert f"{job} was launched before: adopted, not paid again\n" in ended.err
        assert clone.store().creates() == []
        assert lock(clone)["actions"] == lock(mine)["actions"]


def test_a_job_that_the_provider_lost_is_launched_again_and_that_is_said(
    mine: Project, tmp_path: Path, cache: Path
) -> None:
    with project_in(tmp_path / "clone", cache) as clone:
        shutil.copytree(mine.folder, clone.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("outputs", ".git"))
        ended = clone.run(MINE)
        assert ended.code == 3, ended.err
        [job] = mine.store().job_ids()
        assert f"{job}, which the lock file remembers, is gone at the provider: trained again\n" in ended.err
        assert len(clone.store().creates()) == 1


def test_a_kept_plan_is_built_as_it_stands_or_refused(mine: Project, tmp_path: Path) -> None:
    kept = str(tmp_path / "plan.json")
    assert mine.run("plan", MINE, "--out", kept).code == 0
    assert mine.run("build", "--plan", kept).out.startswith("Nothing to do: 15 cached.")
    twice = mine.run("build", "--plan", kept, "seed=8")
    assert (twice.code, twice.err) == (
        2,
        f"command line: a kept plan says what to build\n    Fix: ftbuild build --plan {kept}\n",
    )
    edit(mine, "conf/experiment/mine.yaml", "n_epochs: 1", "n_epochs: 2")
    drifted = mine.run("build", "--plan", kept)
    assert drifted.code == 2
    assert "job has changed (method.hyperparameters.n_epochs   1 -> 2)" in drifted.err
    assert len(mine.store().creates()) == 1
