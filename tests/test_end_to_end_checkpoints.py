"""Halving by checkpoints: one job a point, which waits at its rung, and is cancelled or goes on; whatever is killed."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import until
from project_fixture import HANGS_SECONDS, Project
from rehearsal_fixture import recorded, state, with_conf
from test_end_to_end_halving import CONF, creates, inputs

pytestmark = pytest.mark.slow

JOBS = "/v1/fine_tuning/jobs"
CUT = {
    **CONF,
    "sweep/cut.yaml": """\
# Ours.   ftbuild +experiment=tone_formal sweep=cut
grid:
  method.hyperparameters.learning_rate_multiplier: [0.5, 1, 2, 4]
halving:
  rungs: {checkpoints: [1]}
  keep: 0.3
""",
}
TWICE = CUT["sweep/cut.yaml"].replace("[1]}", "[1, 2]}").replace("keep: 0.3", "keep: 0.5")
SHORT = "request.max_completion_tokens=8"  # what a model without training says need not be long
OURS = ("+experiment=tone_formal", "evaluation=ours", "goal=ours", "sweep=cut")
HOSTED = (
    *OURS,
    *("provider=openai", "model=gpt_4_1_mini", "provider.rehearsed=true", "provider.needed_days=0"),
    *("dataset.limit=60", "dataset.split.validation=0.1", "method.hyperparameters.n_epochs=3"),
    "+provider.faults.slow_epochs=3",
)


def steered(project: Project, wish: str) -> list[str]:
    """Return of which jobs something was wished, in order."""
    paths = [each["path"] for each in recorded(project, smoke=False) if each["method"] == "POST"]
    return [path.split("/")[-2] for path in paths if path.startswith(JOBS) and path.endswith(f"/{wish}")]


def steps(folder: Path) -> dict[str, list[int]]:
    """Return the steps that each job has told of."""
    return {
        path.parent.name: [
            each["data"]["step"] for each in map(json.loads, path.read_text().splitlines()) if each["type"] == "metrics"
        ]
        for path in folder.glob("jobs/*/events.jsonl")
    }


def statuses(folder: Path) -> Counter[str]:
    return Counter(json.loads(path.read_bytes())["status"] for path in folder.glob("jobs/*/job.json"))


def asked(project: Project, split: str) -> Counter[str]:
    """Return how often each model was asked an example of a split."""
    wanted = inputs(project, split)
    sent = [each["body"] for each in recorded(project, smoke=False) if each["path"] == "/v1/chat/completions"]
    return Counter(each["model"] for each in sent if each["messages"][-1]["content"] in wanted)


def test_hosted_jobs_are_launched_once_and_judged_once_though_the_client_is_killed_at_three_places(
    project: Project,
) -> None:
    with with_conf(project, {**CUT, "sweep/cut.yaml": TWICE}):
        for said in ("was launched", "go on to epoch 2", "goes on to the end"):
            client = project.start(*HOSTED)
            until(
                lambda client=client, said=said: said in client.err or client.process.poll() is not None,  # type: ignore[misc]
                HANGS_SECONDS,
            )
            client.kill()
        ended = project.run(*HOSTED, COLUMNS="300")
        assert ended.code == 0, ended.err
        assert len(creates(project)) == 4
        assert {each["method"]["supervised"]["hyperparameters"]["n_epochs"] for each in creates(project)} == {3}
        folder = state(project, smoke=False)
        assert statuses(folder) == {"cancelled": 3, "succeeded": 1}
        assert set(steered(project, "pause")) == set(steps(folder))
        assert len(set(steered(project, "cancel"))) == 3
        lengths = {name: len(each) for name, each in steps(folder).items()}
        assert Counter(length < 18 for length in lengths.values()) == {True: 3, False: 1}

        [run] = [project.run_json(f"outputs/runs/{each}") for each in project.runs()]
        rungs = run["sweep"]["rungs"]
        assert [(each["key"], each["value"], len(each["points"])) for each in rungs] == [
            ("checkpoints", 1, 4),
            ("checkpoints", 2, 2),
        ]
        n_validation = len(inputs(project, "validation"))
        by_model = asked(project, "validation")
        assert len(by_model) == 6  # four checkpoints of the first epoch, two of the second
        assert set(by_model.values()) == {n_validation}
        assert all("ckpt-step" in model for model in by_model)
        assert len(asked(project, "test")) == 2

        n_sent = len(recorded(project, smoke=False))
        again = project.run(*HOSTED, COLUMNS="300")
        assert (again.code, again.out, again.err) == (0, ended.out, "")
        assert len(recorded(project, smoke=False)) == n_sent
        [page] = [each for each in (project.folder / "outputs" / "sweeps").iterdir() if not each.is_symlink()]
        told: dict[str, Any] = json.loads((page / "sweep.json").read_bytes())
        assert told["chosen"]["rungs"] == rungs
        assert "Given up on the way" in (page / "report.html").read_text()
        cut = [each["point"] for rung in rungs for each in rung["points"] if not each["goes_on"]]
        listed = json.loads(project.run("runs", "--format", "json").out)["cut"]
        assert [(each["sweep"], each["point"]) for each in listed] == [(page.name, name) for name in cut]
        assert [ended.out.count(f"cut at epoch {n}: ") for n in (1, 2)] == [2, 1]
        by_hand = project.run(*HOSTED[:3], *HOSTED[4:], f"method.hyperparameters.{cut[0]}")
        assert by_hand.code == 5
        assert "was cancelled" in by_hand.err or "cut at epoch 1 by a sweep" in by_hand.err
        assert len(creates(project)) == 4


def test_a_job_that_ends_with_the_epoch_it_is_to_wait_after_is_refused_with_its_place(project: Project) -> None:
    with with_conf(project, CUT):
        ended = project.run(*OURS, "provider=rehearsal", "method.hyperparameters.n_epochs=1")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == (
            "command line: method.hyperparameters.n_epochs: a job with 1 has ended by epoch 1\n"
            "    Nothing was trained.\n"
            "    Fix: method.hyperparameters.n_epochs=2 or more, or earlier epochs in "
            "sweep.halving.rungs.checkpoints.\n"
        )


def test_with_the_tiny_model_losers_stop_in_mid_training_and_the_winner_is_trained_in_one_job(
    project: Project,
) -> None:
    with with_conf(project, CUT):
        tiny = ("model=tiny", "dataset.limit=150", SHORT, "provider.poll_seconds=0.1", "sweep.halving.keep=0.5")
        two = "sweep.grid={method.hyperparameters.learning_rate_multiplier:[0.5,1]}"
        long = ("method.hyperparameters.n_epochs=4", "method.hyperparameters.batch_size=1")
        ended = project.run(*OURS, *tiny, *long, two, COLUMNS="300")
        assert ended.code == 0, ended.err
        folder = project.store().state
        assert statuses(folder) == {"cancelled": 1, "succeeded": 1}
        loser, winner = sorted(steps(folder).values(), key=len)
        assert winner == list(range(1, 4 * 118 + 1))
        assert 118 <= len(loser) < len(winner)
