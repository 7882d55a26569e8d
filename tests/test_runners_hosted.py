"""What the remote runners make of a hosted provider: names of deployments, and a refusal that explains itself."""

from pathlib import Path
from typing import Any

import pytest
from settings_fixture import HOSTED, settings

from ftbuild.errors import ConfigError, ProviderError
from ftbuild.ledger.failures import refused
from ftbuild.problem import Problem
from ftbuild.runners.answers import deployed
from ftbuild.runners.integrations import explained
from ftbuild.runners.job import told_why
from ftbuild.runners.workshop import Workshop
from ftbuild.store.store import Store
from ftbuild.world import World


def shop(root: Path, **changed: Any) -> Workshop:
    return Workshop(
        settings=settings(HOSTED | {"provider": HOSTED["provider"] | changed}),
        world=World.at(root),
        store=Store(root),
        connect=lambda: pytest.fail("nothing is to be asked"),
        experiment="tone",
        command=(),
        remembered=lambda _key: None,
    )


def test_a_deployed_model_answers_by_the_name_of_its_deployment(tmp_path: Path) -> None:
    asked = shop(tmp_path)
    assert [deployed(asked, kind, "ft:x") for kind in ("base", "tuned")] == ["theirs", "mine"]
    for other in (shop(tmp_path, deploys=None), shop(tmp_path, rehearsed=True)):
        assert deployed(other, "tuned", "ft:x") == "ft:x"


def test_a_tuned_model_that_is_not_deployed_yet_stops_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        deployed(shop(tmp_path, deployment=None), "tuned", "ft:x")
    assert str(caught.value) == (
        "provider.deployment: ft:x answers only where it is deployed (their page)\n"
        "    Deploy it, and wait until it is there: deploy ft:x as tone\n"
        "    Fix: the same command and provider.deployment=tone; delete the deployment afterwards, for it costs."
    )


def test_a_403_of_a_provider_that_is_closing_says_to_whom_it_is_closed(tmp_path: Path) -> None:
    provider = shop(tmp_path).settings.provider
    no = refused(ProviderError(Problem("elsewhere: not allowed"), status=403, code="denied", retry_after=7.0))
    told = told_why(no, provider)
    assert (told.status, told.code, told.retry_after) == (403, "denied", 7.0)
    assert str(told) == (
        "elsewhere: not allowed\n"
        "    This account may not fine-tune. It asks for 7 seconds of quiet. No job was launched. "
        "It takes no new jobs from new ones (their page).\n"
        "    Fix: another provider (the data stays as it is), or provider=embedded on this machine."
    )
    assert told_why(no, shop(tmp_path, ends=None).settings.provider) is no


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (503, "busy", None),
        (403, "You have insufficient permissions for this operation. Missing scopes: x", "missing_scope"),
        (403, "You exceeded your current quota", "insufficient_quota"),
    ],
)
def test_what_is_no_closed_door_is_not_called_one(status: int, message: str, code: str | None, tmp_path: Path) -> None:
    no = refused(ProviderError(message, status=status, code=code))
    assert told_why(no, shop(tmp_path).settings.provider) is no


def test_a_refused_integration_keeps_what_was_refused(tmp_path: Path) -> None:
    tracker = shop(tmp_path).settings.tracker.model_copy(update={"side": "provider", "kind": "wandb"})
    assert tracker.at_provider
    said = explained(ProviderError("no wandb key", status=400, code="no_key", retry_after=3.0), tracker)
    assert (said.status, said.code, said.retry_after) == (400, "no_key", 3.0)
