"""`ftbuild +experiment=tone_formal --smoke`: the whole path with the tiny model, once and again."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_fixture import Ended, Project, project_in

SMOKE = ("+experiment=tone_formal", "--smoke")
LATEST = "outputs/smoke/runs/latest"
HEAVY = ("torch", "openai", "httpx", "sacrebleu", "scipy", "jinja2", "numpy", "transformers", "starlette")
ACTIONS = ["pairs", "unseen", "dataset", "lines", "echo", "rules", "base"]
ACTIONS += ["echo scores", "rules scores", "base scores", "job", "tuned", "tuned scores", "verdict", "report"]


@pytest.fixture(scope="module")
def smoked(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[tuple[Project, Ended]]:
    with project_in(tmp_path_factory.mktemp("smoke"), cache) as project:
        yield project, project.run(*SMOKE)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_smoke_ends_well_without_a_verdict(smoked: tuple[Project, Ended]) -> None:
    _, ended = smoked
    assert ended.code == 0, ended.err
    assert "NO VERDICT, goal not judged." in ended.out
    assert re.findall(r"^again    (.*)$", ended.out, re.MULTILINE) == ["ftbuild +experiment=tone_formal --smoke"]


def test_smoke_has_outputs_of_its_own(smoked: tuple[Project, Ended]) -> None:
    project, _ = smoked
    assert [path.name for path in (project.folder / "outputs").iterdir()] == ["smoke"]
    assert sorted(path.name for path in project.folder.iterdir()) == ["outputs"]


def test_run_json_tells_the_whole_run(smoked: tuple[Project, Ended]) -> None:
    project, _ = smoked
    run = project.run_json(LATEST)
    [job] = project.store(smoke=True).job_ids()
    assert list(run) == [
        "schema_version",
        *("run_id", "path", "experiment", "description", "command", "overrides", "commit", "dirty", "started_at"),
        *("provider", "cost_usd", "seconds", "result_id", "actions", "dataset", "jobs", "fine_tuned_model"),
        *("metrics", "goal", "ending", "verdict", "arm", "rehearsed", "levers", "retrieval", "arms", "paths"),
    ]
    assert (run["experiment"], run["command"]) == ("tone_formal", "ftbuild +experiment=tone_formal --smoke")
    assert run["overrides"] == ["model=tiny", "dataset.limit=20", "method.hyperparameters.n_epochs=1", SMOKE[0]]
    assert [(each["label"], each["status"]) for each in run["actions"]] == [(label, "RUN") for label in ACTIONS]
    assert 0 < sum(each["seconds"] for each in run["actions"]) < 60
    assert sum(run["dataset"]["counts"].values()) == 20
    assert all(run["dataset"]["counts"][split] > 0 for split in ("train", "validation", "test"))
    assert run["jobs"] == [job]
    assert run["fine_tuned_model"] == f"ft:tiny-random:ftbuild:tone-formal:{job[-8:]}"
    assert (run["verdict"], run["ending"], run["goal"]) == (None, None, [])
    assert {"style.all_kept", "chrf", "facts.kept", "facts.invented", "exact"} <= {
        each["metric"] for each in run["metrics"]
    }
    for each in run["metrics"]:
        assert list(each["arms"]) == ["echo", "rules", "base", "tuned"]
        assert all({"n", "mean", "low", "high"} <= set(numbers) for numbers in each["arms"].values())


def test_blame_finds_the_job_that_learnt_from_a_line(smoked: tuple[Project, Ended]) -> None:
    project, _ = smoked
    run = project.run_json(LATEST)
    [written] = project.folder.glob("outputs/smoke/datasets/*/*/train.jsonl")
    told = json.loads(project.run("blame", f"{written}:1", "--smoke", "--format", "json").out)
    [dataset] = told["examples"][0]["datasets"]
    assert [(job["job_id"], job["model"]) for job in dataset["jobs"]] == [(run["jobs"][0], run["fine_tuned_model"])]
    assert dataset["runs"] == [run["run_id"]]


def test_latest_is_a_relative_link_to_a_whole_folder(smoked: tuple[Project, Ended]) -> None:
    project, _ = smoked
    [name] = project.runs("outputs/smoke/runs")
    latest = project.folder / LATEST
    run = project.run_json(LATEST)
    assert os.readlink(latest) == name == run["run_id"]
    assert run["path"] == f"outputs/smoke/runs/{name}"
    names = {path.name for path in latest.iterdir()}
    assert names == {"metrics.jsonl", "misses.jsonl", "report.html", "report.json", "run.json"}
    assert set(run["paths"].values()) <= names
    assert {each["name"] for each in lines(latest / "metrics.jsonl")} >= {"training", "chrf"}
    assert (latest / "report.html").read_text().startswith("<!doctype html>")


def test_built_dataset_is_lines_of_messages_with_provenance_in_the_same_order(smoked: tuple[Project, Ended]) -> None:
    project, _ = smoked
    [folder] = (project.folder / "outputs/smoke/datasets/tone_formal").iterdir()
    splits = {split: lines(folder / f"{split}.jsonl") for split in ("train", "validation", "test")}
    assert {path.name for path in folder.iterdir()} == {
        *(f"{split}.jsonl" for split in splits),
        *("provenance.jsonl", "card.md", "card.svg", "manifest.json"),
    }
    for line in (line for split in splits.values() for line in split):
        assert list(line) == ["messages"]
        assert [each["role"] for each in line["messages"]] == ["system", "user", "assistant"]  # type: ignore[attr-defined]
    counts = {split: len(found) for split, found in splits.items()}
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["counts"] == counts
    assert folder.name == manifest["digest"][:12]
    assert project.run_json(LATEST)["dataset"] == {"digest": manifest["digest"], "counts": counts}

    places = lines(folder / "provenance.jsonl")
    assert [each["split"] for each in places] == [split for split, n in counts.items() for _ in range(n)]
    sources = {each["path"]: source_lines(str(each["path"])) for each in places}
    for place, line in zip(places, (line for split in splits.values() for line in split), strict=True):
        target = line["messages"][-1]["content"]  # type: ignore[index]
        assert sources[place["path"]][int(str(place["line"])) - 1]["formal"] == target


def source_lines(path: str) -> list[dict[str, object]]:
    return lines(Path(__file__).parent.parent / path)


def test_progress_without_a_terminal_is_plain_lines_with_the_times_in_one_column(smoked: tuple[Project, Ended]) -> None:
    _, ended = smoked
    assert "\r" not in ended.err
    assert "\x1b" not in ended.err
    timed = [line for line in ended.err.splitlines() if re.search(r"\d (s|min)$", line)]
    assert list(dict.fromkeys(line[9:23].strip() for line in timed)) == ACTIONS  # the job may be heard of on its way
    assert {len(line) for line in timed} == {104}


def test_the_same_again_is_all_cached_and_loads_nothing_heavy(smoked: tuple[Project, Ended], tmp_path: Path) -> None:
    project, _ = smoked
    store = project.store(smoke=True)
    store.kill_server()
    before, asked = project.runs("outputs/smoke/runs"), store.requests()
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name.partition('.')[0] in {HEAVY!r}:\n"
        "            raise RuntimeError(f'{name} is imported')\n"
        "sys.meta_path.insert(0, Refuse())\n"
    )
    ended = project.run(*SMOKE, PYTHONPATH=str(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    report = f"outputs/smoke/runs/{before[-1]}/report.html"
    at = project.run_json(LATEST)["started_at"][11:16]
    said = rf"Nothing to do: 15 cached\. NO VERDICT, goal not judged, today {at} UTC\.\n{report}     \d+\.\d s\n"
    assert re.fullmatch(said, ended.out), ended.out
    assert project.runs("outputs/smoke/runs") == before
    assert os.readlink(project.folder / LATEST) == before[-1]
    assert (store.requests(), store.server()) == (asked, None)


def test_deleted_runs_and_datasets_come_back_from_the_store(smoked: tuple[Project, Ended]) -> None:
    project, _ = smoked
    store = project.store(smoke=True)
    outputs = project.folder / "outputs/smoke"
    kept = {
        path.relative_to(outputs): path.read_bytes()
        for folder in ("runs", "datasets")
        for path in (outputs / folder).rglob("*")
        if path.is_file()
    }
    asked = store.requests()
    shutil.rmtree(outputs / "runs")
    shutil.rmtree(outputs / "datasets")
    ended = project.run(*SMOKE)
    assert ended.code == 0
    assert ended.out.startswith("Nothing to do: 15 cached.")
    assert store.requests() == asked
    assert {path: (outputs / path).read_bytes() for path in kept} == kept
    assert project.run_json(LATEST)["jobs"] == store.job_ids()
