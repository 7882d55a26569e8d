"""W&B from our side: what the wandb package itself has recorded, what reached a server, and that no build fails for it.

The server is a recorder of what is sent; no W&B server has seen any of it.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import lines, running, until
from project_fixture import Ended, Project, project_in
from rehearsal_fixture import REHEARSED, stop_server
from wandb_recorder import Recorder, recording

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the package wandb is not there"),
]

CANARY = "c4na7y" * 7
OUTPUTS = "outputs/smoke"
LATEST = f"{OUTPUTS}/runs/latest"
TRACKED = (*REHEARSED, "tracker=wandb", "tracker.tags=[ours]")
JOBS = f"{OUTPUTS}/.ftbuild/rehearsal/jobs"


def run(project: Project, *arguments: str, **environment: str) -> Ended:
    """Run without the account of whoever runs the tests."""
    home = project.folder / "home"
    home.mkdir(exist_ok=True)
    return project.run(*arguments, **{"HOME": str(home), "WANDB_MODE": "", **environment})


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[tuple[Project, Ended]]:
    """One build, its run written offline by us and by the embedded server."""
    with project_in(tmp_path_factory.mktemp("tracked"), cache) as project:
        for name in [name for name in project.environment if name.startswith("WANDB_")]:
            del project.environment[name]
        yield project, run(project, *TRACKED, "tracker.from=both")
        stop_server(project)


def records(path: Path) -> list[dict[str, Any]]:
    """Return what wandb says that it has recorded, nothing where it has just begun."""
    told = subprocess.run(
        [sys.executable, "-m", "wandb", "leet", "inspect", "--json", path],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(path), "WANDB_CONFIG_DIR": str(path), "WANDB_CACHE_DIR": str(path)},
    ).stdout
    return [json.loads(line) for line in told.splitlines() if line.startswith("{")]


def of_type(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each[kind] for each in found if each["type"] == kind]


def history(found: list[dict[str, Any]]) -> list[dict[str, float]]:
    rows = [each["item"] for each in of_type(found, "history")]
    return [{name: row[name] for name in row if name.endswith(("loss", "accuracy", "_step"))} for row in rows]


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for each in of_type(found, "summary"):
        told |= each["update"]
    return told


@pytest.fixture(scope="module")
def ours(offline: tuple[Project, Ended]) -> list[dict[str, Any]]:
    [folder] = (offline[0].folder / OUTPUTS / "wandb").glob("offline-run-*")
    return records(folder)


def test_a_build_says_how_to_send_what_it_kept_offline(offline: tuple[Project, Ended]) -> None:
    project, ended = offline
    [folder] = (project.folder / OUTPUTS / "wandb").glob("offline-run-*")
    where = f"{OUTPUTS}/wandb"
    said = f"W&B: offline, since WANDB_API_KEY holds no key. Look: wandb leet {where}     Send: wandb sync {where}/"
    assert (ended.code, ended.err.splitlines()[-1]) == (0, said + folder.name)


def test_a_run_has_the_names_that_dashboards_of_openai_know(offline: tuple[Project, Ended], ours: Any) -> None:
    project, _ = offline
    told = project.run_json(LATEST)
    [described] = of_type(ours, "run")
    assert {name: described[name] for name in ("project", "display_name", "run_group", "job_type")} == {
        "project": "ftbuild",
        "display_name": "tone_formal provider=rehearsal --smoke",
        "run_group": "tone_formal",
        "job_type": "fine-tune",
    }
    job = told["jobs"][0]
    assert described["tags"] == ["openai/finetune", "openai/tiny-random", f"openai/{job}", "tone_formal", "ours"]
    assert described["resume"] is True
    steps = [json.loads(line) for line in (project.folder / LATEST / "metrics.jsonl").read_text().splitlines()]
    losses = [each["values"] for each in steps if each["name"] == "training"]
    assert [
        {name: row[name] for name in row if name in ("train_loss", "valid_loss")} for row in history(ours)
    ] == losses
    assert history(ours)[-1]["full_valid_loss"] == losses[-1]["valid_loss"]
    found = summary(ours)
    assert (found["fine_tuned_model"], found["status"]) == (told["fine_tuned_model"], "succeeded")
    [chrf] = [each for each in told["metrics"] if each["metric"] == "chrf" and each["slice"] is None]
    numbers = chrf["arms"]["tuned"]
    assert found["tuned/chrf"] == pytest.approx({name: numbers[name] for name in ("mean", "low", "high", "n")})
    assert of_type(ours, "exit")[0]["exit_code"] == 0


def test_the_config_is_what_was_composed_and_holds_nothing_of_the_machine(
    offline: tuple[Project, Ended], ours: Any
) -> None:
    project, _ = offline
    config = of_type(ours, "run")[0]["config"]["update"]
    assert (config["model"], config["seed"], config["settings"]["seed"]) == ("tiny-random", 7, 7)
    assert config["settings"]["tracker"]["api_key_env"] == "WANDB_API_KEY"
    assert config["dataset"] == project.run_json(LATEST)["dataset"]
    assert of_type(ours, "environment") == []
    assert config["commit"] is None  # ours, of a folder without git
    kept = [path.name for path in (project.folder / OUTPUTS / "wandb").rglob("*")]
    assert not {"requirements.txt", "output.log", "wandb-metadata.json"} & set(kept)


def test_artifacts_carry_our_digests(offline: tuple[Project, Ended], ours: Any) -> None:
    project, _ = offline
    told = project.run_json(LATEST)
    found = {each["name"]: each for each in of_type(ours, "artifact")}
    dataset, report = found["tone_formal-dataset"], found["tone_formal-report"]
    digest = told["dataset"]["digest"]
    assert (dataset["type"], json.loads(dataset["metadata"])["digest"]) == ("dataset", digest)
    assert digest[:12] in dataset["aliases"]
    assert {each["path"] for each in dataset["manifest"]["contents"]} >= {"train.jsonl", "validation.jsonl"}
    facts = json.loads(report["metadata"])
    assert (report["type"], facts["dataset"], facts["result_id"]) == ("report", digest, told["result_id"])
    assert report["manifest"]["contents"][0]["path"] == "report.html"


def test_the_table_holds_every_example_with_answers_and_scores(offline: tuple[Project, Ended]) -> None:
    project, _ = offline
    [path] = (project.folder / OUTPUTS / "wandb").rglob("evaluation_*.table.json")
    table = json.loads(path.read_bytes())
    examples = json.loads((project.folder / LATEST / "report.json").read_bytes())["examples"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [row["tuned"] for row in rows] == [each["answers"]["tuned"] for each in examples]
    assert [row["base chrf"] for row in rows] == [each["scores"]["base"]["chrf"] for each in examples]
    assert [row["target"] for row in rows] == [each["target"] for each in examples]


def test_the_server_writes_a_run_of_its_own_as_openai_does(offline: tuple[Project, Ended]) -> None:
    project, ended = offline
    [job_id] = project.run_json(LATEST)["jobs"]
    folder = project.folder / JOBS / job_id
    assert f"Weights & Biases: run {job_id} is kept offline, since WANDB_API_KEY holds no key" in ended.err

    def whole() -> bool:
        return any(of_type(records(each), "exit") for each in folder.glob("wandb/offline-run-*"))

    until(whole)
    [path] = folder.glob("wandb/offline-run-*")
    found = records(path)
    [described] = of_type(found, "run")
    assert (described["run_id"], described["project"]) == (job_id, "ftbuild")
    assert described["tags"] == ["openai/finetune", "openai/tiny-random", f"openai/{job_id}", "ours"]
    job = json.loads((folder / "job.json").read_bytes())
    names = ("model", "training_file", "validation_file", "hyperparameters", "seed")
    assert described["config"]["update"] == {"_wandb": {}, **{name: job[name] for name in names}}
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    metrics = [{"_step": each["data"].pop("step"), **each["data"]} for each in events if each["type"] == "metrics"]
    assert history(found) == [{name: row[name] for name in row if name != "total_steps"} for row in metrics]
    told = summary(found)
    assert (told["status"], told["fine_tuned_model"]) == ("succeeded", job["fine_tuned_model"])


def test_what_is_sent_is_not_sent_again_and_changes_no_key(offline: tuple[Project, Ended]) -> None:
    project, _ = offline
    again = run(project, *TRACKED, "tracker.from=both")
    assert (again.code, again.err) == (0, "")
    moved = run(project, *TRACKED, "tracker.from=both", "tracker.project=elsewhere", "tracker.mode=auto")
    assert moved.out.startswith("Nothing to do: 15 cached.")
    assert moved.err.startswith("W&B: offline")


def sent(project: Project, recorder: Recorder, *overrides: str, seconds: str = "20") -> Ended:
    """Run the finished build again with a key, for a server on this machine."""
    server = (f"tracker.base_url={recorder.url}", f"tracker.timeout_seconds={seconds}")
    return run(project, *TRACKED, *server, *overrides, OUR_KEY=CANARY)


WITH_KEY = "tracker.api_key_env=OUR_KEY"


def test_a_second_try_continues_the_same_run_with_the_same_rows(offline: tuple[Project, Ended], ours: Any) -> None:
    project, _ = offline
    with recording() as recorder:
        for _ in range(2):
            ended = sent(project, recorder, WITH_KEY)
            assert (ended.code, ended.out.partition(":")[0]) == (0, "Nothing to do")
            (project.folder / LATEST / "wandb.json").unlink()
        [name] = {each["name"] for each in recorder.asked("UpsertBucket")}
        assert name == of_type(ours, "run")[0]["run_id"]
        assert ended.err == f"W&B: {recorder.url}/people/ftbuild/runs/{name}\n"
        losses = [row["train_loss"] for row in recorder.history(name) if "train_loss" in row]
        assert losses == [row["train_loss"] for row in history(ours)]  # wandb knows which rows are there
        assert recorder.exit_codes() == [0, 0]
        assert {(each["host"], each["repo"], each["commit"]) for each in recorder.asked("UpsertBucket")} == {
            (None,) * 3
        }
        built = next((project.folder / OUTPUTS / "datasets/tone_formal").iterdir())
        assert recorder.uploads["train.jsonl"] == (built / "train.jsonl").read_bytes()
        assert recorder.uploads["report.html"] == (project.folder / LATEST / "report.html").read_bytes()


def test_what_was_kept_offline_is_sent_by_the_command_that_was_said(
    offline: tuple[Project, Ended], ours: Any, tmp_path: Path
) -> None:
    project, ended = offline
    words = ended.err.splitlines()[-1].partition("Send: ")[2].split()
    beside = {f"WANDB_{name}DIR": str(tmp_path) for name in ("", "DATA_", "CACHE_", "CONFIG_")}
    with recording() as recorder:
        subprocess.run(
            [sys.executable, "-m", *words],
            cwd=project.folder,
            env={**os.environ, **beside, "WANDB_BASE_URL": recorder.url, "WANDB_API_KEY": CANARY},
            check=True,
            capture_output=True,
        )
        told = recorder.history(of_type(ours, "run")[0]["run_id"])
    assert [row["train_loss"] for row in told if "train_loss" in row] == [row["train_loss"] for row in history(ours)]
    assert recorder.exit_codes() == [0]
    [marker] = (project.folder / OUTPUTS / "wandb").glob("offline-run-*/*.synced")
    marker.unlink()


WANDB = [{"type": "wandb", "wandb": {"project": "p"}}]


@pytest.mark.parametrize("fault", ["", "refuses"])
def test_the_server_goes_online_with_its_own_key_and_keeps_the_run_where_that_fails(
    fault: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(fault) as recorder:
        for name, value in {"WANDB_API_KEY": CANARY, "WANDB_BASE_URL": recorder.url, "WANDB_MODE": ""}.items():
            monkeypatch.setenv(name, value)
        with running(tmp_path / "state", cache, "scripted") as server:
            job = server.ended(server.job(lines(), integrations=WANDB).id)
            assert job.status == "succeeded"
            folder = tmp_path / "state/jobs" / job.id
            if fault:
                kept = folder / "wandb"
                until(lambda: any(of_type(records(each), "exit") for each in kept.glob("offline-run-*")))
            else:
                until(lambda: recorder.exit_codes() == [0])
                assert [row["_step"] for row in recorder.history(job.id)] == list(range(1, 7))
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert holding == []


def test_without_examples_only_numbers_leave(offline: tuple[Project, Ended]) -> None:
    project, _ = offline
    with recording() as recorder:
        assert sent(project, recorder, WITH_KEY, "tracker.examples=false").code == 0
        assert recorder.exit_codes() == [0]
        assert recorder.asked("CreateArtifact") == []
        assert {name for name in recorder.uploads if not name.startswith(("config", "wandb-"))} == set()


WARNINGS = {
    "refuses": "warning: W&B: the run is not sent: CommError: .*user is not logged in",
    "hangs": "warning: W&B: the run is not sent: CommError: ",
    "dies": "warning: W&B: the run is not sent: TimeoutError: Timed out finishing run",
    "rows": "warning: W&B: the run is not sent: UploadError: the server has not taken all of it; ",
    "uploads": "warning: W&B: the run is not sent: UploadError: the server has not taken all of it; ",
}


@pytest.mark.parametrize("fault", WARNINGS)
def test_a_server_that_fails_is_a_warning_and_the_run_is_kept(offline: tuple[Project, Ended], fault: str) -> None:
    project, _ = offline
    with recording(fault) as recorder:
        ended = sent(project, recorder, WITH_KEY, seconds="2")
    assert ended.code == 0
    assert re.match(WARNINGS[fault], ended.err), ended.err
    found = re.search(r"Fix: WANDB_BASE_URL=\S+ wandb sync (\S+), or the same command again\.\n$", ended.err)
    assert found, ended.err
    assert len(of_type(records(project.folder / found.group(1)), "run")) > 0
    assert CANARY not in ended.err + ended.out


def test_points_of_a_sweep_are_one_group_and_the_rest_is_not_tried_after_a_refusal(
    offline: tuple[Project, Ended],
) -> None:
    project, _ = offline
    sweep = ("-m", "+experiment=tone_formal", "seed=1,2", *TRACKED[1:], WITH_KEY)
    with recording("refuses") as recorder:
        ended = run(project, *sweep, f"tracker.base_url={recorder.url}", OUR_KEY=CANARY)
        assert ended.code == 0
        assert ended.err.count("wandb sync ") == 1
        assert len(re.findall(r"offline-run-\S+", ended.err)) == 2
    with recording() as recorder:
        ended = run(project, *sweep, f"tracker.base_url={recorder.url}", OUR_KEY=CANARY)
        made = {each["name"]: each for each in recorder.asked("UpsertBucket") if each.get("groupName")}
        assert {each["groupName"] for each in made.values()} == {"+experiment=tone_formal seed=1,2 provider=rehearsal"}
        assert ended.err.splitlines() == [f"W&B: {recorder.url}/people/ftbuild/runs/{name}" for name in made]
        assert len(made) == 2


def grown(recorder: Recorder) -> bool:
    return any("wandb-history.jsonl" in (body.get("files") or {}) for _, body in recorder.streams)


def test_the_run_grows_while_the_job_trains(tmp_path: Path, cache: Path) -> None:
    """The job is held half-way until its rows have arrived."""
    with project_in(tmp_path / "project", cache) as project, recording() as recorder:
        project.environment.update({"OUR_KEY": CANARY, "WANDB_MODE": "", "HOME": str(tmp_path)})
        faults = project.folder / OUTPUTS / ".ftbuild/rehearsal/faults.json"
        held = "provider.faults={unknown_status: {looks: 1000000}}"
        more = ("method.hyperparameters.n_epochs=5", "method.hyperparameters.batch_size=2")
        client = project.start(*TRACKED, *more, WITH_KEY, f"tracker.base_url={recorder.url}", held)
        try:
            until(lambda: grown(recorder) or client.process.poll() is not None, 300)
            [name] = {each["name"] for each in recorder.asked("UpsertBucket")}
            early = recorder.history(name)
            [job] = [json.loads(path.read_bytes()) for path in (project.folder / JOBS).glob("*/job.json")]
            assert job["status"] == "preparing"
            faults.unlink()
            ended = client.ended()
        finally:
            client.kill()
            stop_server(project)
        assert ended.code == 0, ended.err
        page = f"{recorder.url}/people/ftbuild/runs/{name}"
        assert f"W&B: {page} grows while {job['id']} trains\n" in ended.err
        assert ended.err.endswith(f"W&B: {page}\n")
        metrics = [json.loads(line) for line in (project.folder / LATEST / "metrics.jsonl").read_text().splitlines()]
        steps = [each["step"] for each in metrics if "step" in each]
        assert [each["_step"] for each in recorder.history(name) if "train_loss" in each] == steps
        assert 0 < len(early) < len(steps)
        assert CANARY not in ended.err + ended.out
        holding = [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
        assert holding == []


def test_the_key_is_in_no_file_and_nothing_is_written_elsewhere(offline: tuple[Project, Ended]) -> None:
    """After the tests above, which have sent it."""
    project, _ = offline
    assert list((project.folder / "home").rglob("*")) == []
    assert {path.name for path in project.folder.iterdir()} == {"home", "outputs"}
    holding = [path for path in project.folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert holding == []
    [left] = [list((project.folder / OUTPUTS / "wandb/.state").glob("tmp*"))]
    assert left == []


def hidden(tmp_path: Path) -> str:
    """Return a PYTHONPATH on which nobody finds the package."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.abc, importlib.machinery, sys\n"
        "found = importlib.machinery.PathFinder.find_spec\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return None if name.partition('.')[0] == 'wandb' else found(name, path, target)\n"
        "sys.meta_path[:] = [Hide() if each is importlib.machinery.PathFinder else each for each in sys.meta_path]\n"
    )
    return os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])


def test_without_the_package_nothing_runs_and_the_remedy_is_said(project: Project, tmp_path: Path) -> None:
    ended = run(project, *TRACKED, PYTHONPATH=hidden(tmp_path))
    assert (ended.code, ended.out, ended.err) == (
        2,
        "",
        "tracker=wandb needs the package wandb, which is not installed\n"
        "    Nothing has run.\n"
        "    Fix: pip install 'ftbuild[wandb]', or tracker=local\n",
    )
    assert run(project, "plan", *TRACKED, PYTHONPATH=hidden(tmp_path)).code == 0


def test_online_without_a_key_is_refused_before_anything_runs(project: Project) -> None:
    ended = run(project, *TRACKED, "tracker.mode=online", "tracker.api_key_env=NO_SUCH_KEY")
    assert (ended.code, ended.err) == (
        2,
        "tracker.mode is online, and NO_SUCH_KEY holds no key\n"
        "    Nothing has run.\n"
        "    Fix: export NO_SUCH_KEY=..., or tracker.mode=offline\n",
    )
