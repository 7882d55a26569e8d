"""Who writes a run of W&B and what is told of it, as plain values; the rest is in test_trackers_wandb.py."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai.types.fine_tuning import FineTuningJob
from pydantic import ValidationError

from ftbuild import tracking
from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.options import parse
from ftbuild.embedded.wire import ApiError, job_record, job_request
from ftbuild.errors import ProviderError
from ftbuild.ledger.port import JobEvent, JobRequest
from ftbuild.plan.action import REPORT
from ftbuild.points import Point, one_graph
from ftbuild.runners.integrations import explained, integrations, notes
from ftbuild.settings import Tracker
from ftbuild.store.store import Store
from ftbuild.trackers import wandb_run
from ftbuild.trackers.wandb_account import Account, account
from ftbuild.trackers.wandb_send import Sent, send

KEY = "0123456789abcdef" * 3


def tracker(**said: object) -> Tracker:
    return Tracker.model_validate({"kind": "wandb", **said})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"kind": "local", "project": "x"}, "the kind local has no project: tracker=wandb has one"),
        ({"kind": "local", "from": "both"}, "the kind local has no from: tracker=wandb has one"),
        ({"api_key_env": KEY}, "api_key_env is the name of an environment variable, in capitals; the key stays there"),
        (
            {"base_url": "https://me:secret@wandb.example.com"},
            "base_url is an address of http or https, without a password or a query",
        ),
        (
            {"from": "provider", "mode": "offline"},
            "mode offline is for runs of ours: with from=provider the provider decides",
        ),
    ],
)
def test_what_a_tracker_cannot_say_is_refused_and_no_secret_repeated(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as found:
        tracker(**said)
    assert [each["msg"] for each in found.value.errors()] == [f"Value error, {message}"]


def test_only_a_tracker_at_the_provider_asks_for_an_integration() -> None:
    command = ("+experiment=tone", "seed=2", "tracker=wandb", "tracker.from=both")
    assert integrations(Tracker(kind="local"), "tone", command) == []
    assert integrations(tracker(), "tone", command) == []
    assert integrations(tracker(**{"from": "both", "tags": ["a"]}), "tone", command) == [
        {"type": "wandb", "wandb": {"project": "ftbuild", "name": "tone seed=2", "tags": ["a"]}}
    ]


def test_a_request_without_integrations_is_what_it_was() -> None:
    request = JobRequest("tiny", "file-1", None, {"type": "supervised"}, 7, "x", {})
    assert "integrations" not in request.to_json()


def test_a_refused_integration_is_explained_and_no_other_refusal() -> None:
    refused = ProviderError("openai: no Weights and Biases key is set up", status=400, code="invalid_value")
    at_provider = tracker(**{"from": "provider"})
    found = explained(refused, at_provider)
    assert (found.status, found.code) == (400, "invalid_value")
    assert str(found) == (
        "openai: no Weights and Biases key is set up\n"
        "    It takes two steps: an administrator stores a key of Weights & Biases in the provider's dashboard "
        "(our own server reads WANDB_API_KEY where it runs), then the job names the project.\n"
        "    Fix: store the key there, or write the run from here: tracker.from=client"
    )
    for other, where in [
        (refused, tracker()),
        (ProviderError("openai: unknown model", status=400), at_provider),
        (ProviderError("openai: wandb is down", status=503), at_provider),
    ]:
        assert explained(other, where) is other


def test_what_the_provider_says_of_its_run_is_handed_on() -> None:
    events = [JobEvent("1", 0, "message", text, {}) for text in ("started", "Weights & Biases: run ftjob-1 goes to x")]
    assert list(notes(tracker(**{"from": "both"}), events)) == ["Weights & Biases: run ftjob-1 goes to x"]
    assert list(notes(tracker(), events)) == []


def asked(value: object) -> dict[str, object]:
    return {"model": "tiny", "training_file": "file-1", "integrations": value}


def test_a_job_tells_its_integrations_as_the_type_of_the_sdk_has_them() -> None:
    wanted = [
        {"type": "wandb", "wandb": {"project": "p"}},
        {"type": "wandb", "wandb": {"project": "q", "entity": "e", "name": "n", "tags": ["t"]}},
    ]
    record = job_record(job_request(asked(wanted)), seed=1)
    told = FineTuningJob.model_validate(record, strict=True).integrations
    assert told is not None
    assert [each.to_dict(exclude_unset=False) for each in told] == [
        {"type": "wandb", "wandb": {"project": "p", "entity": None, "name": None, "tags": None}},
        {"type": "wandb", "wandb": {"project": "q", "entity": "e", "name": "n", "tags": ["t"]}},
    ]
    for nothing in ([], None):
        assert job_record(job_request(asked(nothing)), seed=1)["integrations"] == []


def one(**given: object) -> list[object]:
    return [{"type": "wandb", "wandb": {"project": "p", **given}}]


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        ({"type": "wandb"}, "integrations", "invalid_type"),
        (one() * 6, "integrations", "array_above_max_length"),
        (["wandb"], "integrations[0]", "invalid_type"),
        ([{"type": "mlflow"}], "integrations[0].type", "invalid_value"),
        ([{"wandb": {"project": "p"}}], "integrations[0].type", "invalid_value"),
        ([{"type": "wandb"}], "integrations[0].wandb", "missing_required_parameter"),
        ([{"type": "wandb", "wandb": {}}], "integrations[0].wandb.project", "missing_required_parameter"),
        (one(project=""), "integrations[0].wandb.project", "invalid_type"),
        (one(project="a/b"), "integrations[0].wandb.project", "invalid_value"),
        (one(project="p" * 129), "integrations[0].wandb.project", "invalid_value"),
        (one(entity=3), "integrations[0].wandb.entity", "invalid_type"),
        (one(api_key="x"), "integrations[0].wandb.api_key", "unknown_parameter"),
        (one(tags="a"), "integrations[0].wandb.tags", "invalid_value"),
        (one(tags=["a" * 65]), "integrations[0].wandb.tags", "invalid_value"),
        (one(tags=["a"] * 51), "integrations[0].wandb.tags", "array_above_max_length"),
    ],
)
def test_an_integration_that_openai_would_refuse_is_refused(value: object, param: str, code: str) -> None:
    with pytest.raises(ApiError) as found:
        job_request(asked(value))
    error = found.value.body["error"]
    assert (found.value.status, error["type"], error["param"], error["code"]) == (
        400,
        "invalid_request_error",
        param,
        code,
    )


CLOUD = "https://api.wandb.ai"


@pytest.mark.parametrize(
    ("environment", "said", "expected"),
    [
        ({}, {}, Account("offline", CLOUD, why="WANDB_API_KEY holds no key")),
        ({"WANDB_API_KEY": KEY}, {}, Account("online", CLOUD, KEY)),
        ({"WANDB_MODE": "offline"}, {}, Account("offline", CLOUD, why="WANDB_MODE is offline")),
        ({"WANDB_MODE": "disabled"}, {}, Account("disabled", CLOUD, why="WANDB_MODE is disabled")),
        ({"WANDB_MODE": "offline", "WANDB_API_KEY": KEY}, {"mode": "online"}, Account("online", CLOUD, KEY)),
        ({"WANDB_API_KEY": KEY}, {"mode": "offline"}, Account("offline", CLOUD, why="tracker.mode is offline")),
        ({"OURS": KEY, "WANDB_BASE_URL": "http://w/"}, {"api_key_env": "OURS"}, Account("online", "http://w", KEY)),
        ({"WANDB_API_KEY": KEY, "WANDB_BASE_URL": "w"}, {"base_url": "http://v"}, Account("online", "http://v", KEY)),
    ],
)
def test_a_run_goes_online_where_a_key_is_found(
    tmp_path: Path, environment: Mapping[str, str], said: dict[str, Any], expected: Account
) -> None:
    assert account({"HOME": str(tmp_path), **environment}, **said) == expected


def test_the_key_that_wandb_login_left_counts(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert account({"HOME": str(tmp_path)}) == Account("online", CLOUD)
    assert account({"HOME": str(tmp_path)}, base_url="https://wandb.example.com").mode == "offline"


def test_nothing_of_another_run_enters_the_environment(tmp_path: Path) -> None:
    given = {"PATH": "/bin", "WANDB_RUN_ID": "other", "WANDB_API_KEY": "theirs", "HTTPS_PROXY": "http://proxy"}
    found = Account("online", "http://w", "ours").environment(tmp_path, given)
    assert found == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        **{f"WANDB_{name}_DIR": f"{tmp_path}/wandb/.state/{name.lower()}" for name in ("DATA", "CACHE", "CONFIG")},
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_BASE_URL": "http://w",
        "WANDB_API_KEY": "ours",
    }


def test_curves_are_the_losses_that_were_measured() -> None:
    rows = [
        {"step": 1, "train_loss": 2.0, "valid_loss": None, "full_valid_loss": None},
        {"step": 2, "train_loss": None, "valid_loss": None, "full_valid_loss": None},
        {"step": 3, "train_loss": 1.0, "valid_loss": 1.5, "full_valid_loss": 1.25},
    ]
    assert wandb_run.curves(rows) == [
        {"step": 1, "train_loss": 2.0},
        {"step": 3, "train_loss": 1.0, "valid_loss": 1.5, "full_valid_loss": 1.25},
    ]


def test_tags_are_each_there_once_and_no_longer_than_w_and_b_takes() -> None:
    assert wandb_run.tags("m", "ftjob-1", ["a", "a", "b" * 70]) == [
        *("openai/finetune", "openai/m", "openai/ftjob-1", "a", "b" * 64),
    ]
    assert wandb_run.tags("m", None, []) == ["openai/finetune", "openai/m"]


def test_a_group_is_the_sweep_or_the_experiment() -> None:
    assert wandb_run.group("tone", None) == "tone"
    assert wandb_run.group("tone", ["+experiment=tone", "seed=1,2", "tracker=wandb"]) == "+experiment=tone seed=1,2"


def test_a_run_is_known_by_what_was_asked_for_and_by_its_job(tmp_path: Path) -> None:
    def asked(*words: str) -> Point:
        options = replace(parse("build", ["+experiment=tone_formal", "model=tiny", *words]), folder=tmp_path)
        with chdir(tmp_path):
            graph, [point] = one_graph(composed_of(options), (), Store(world_of(options).store), smoke=False)
        assert graph.actions[point.ids[-1]].kind is REPORT
        return point

    ours, other = asked(), asked("seed=8")
    assert tracking.run_id(ours, "ftjob-1") == tracking.run_id(asked("tracker=wandb"), "ftjob-1")
    again, another = tracking.run_id(ours, "ftjob-2"), tracking.run_id(other, "ftjob-1")
    assert len({tracking.run_id(ours, "ftjob-1"), again, another}) == 3


def sent(folder: Path, package: str, n: int) -> list[Sent]:
    """Return what becomes of `n` runs where this is the package wandb."""
    (folder / "wandb.py").write_text(package)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    run = wandb_run.WandbRun("id", "p", None, "n", None, [], {})
    return send([run] * n, Account("online", "http://w", KEY), folder, {**os.environ, "PYTHONPATH": path}, 1.0)


def test_a_package_that_breaks_is_told_as_a_value_and_no_run_is_forgotten(tmp_path: Path) -> None:
    said = "AttributeError: module 'wandb' has no attribute 'Settings'"
    assert sent(tmp_path, "", 2) == [Sent(error=said)] * 2
    assert sent(tmp_path, "import os; os._exit(9)", 2) == [Sent(error="its process ended with code 9")] * 2
    assert sent(tmp_path, f"raise ValueError('{KEY} is no key')", 1) == [Sent(error="ValueError: [key] is no key")]
    files = [path.name for path in (tmp_path / "wandb").rglob("*") if path.is_file()]
    assert files == ["id.lock"]


def test_a_hang_that_no_time_out_reaches_is_ended() -> None:
    program = "import time\nfrom ftbuild.trackers.wandb_writer import watched\n"
    program += "with watched(0.1, 'wandb hangs'):\n    time.sleep(600)\n"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "wandb hangs\n")
