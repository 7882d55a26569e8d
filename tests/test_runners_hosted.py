"""What the remote runners make of a hosted provider: names of deployments, and a refusal that explains itself."""

from pathlib import Path
from typing import Any

import pytest
from settings_fixture import HOSTED, settings

from ftbuild.errors import ConfigError, ProviderError
from ftbuild.problem import Problem
from ftbuild.runners.answers import deployed
from ftbuild.runners.job import _told_why
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
    told = _told_why(ProviderError(Problem("elsewhere: not allowed"), status=403, code="denied"), provider)
    assert told is not None
    assert (told.status, told.code) == (403, "denied")
    assert str(told) == (
        "elsewhere: not allowed\n"
        "    It takes no new jobs from new ones (their page).\n"
        "    Fix: another provider: provider=azure, provider=embedded model=smollm2, or provider=compatible."
    )
    other = ProviderError("elsewhere: busy", status=503)
    assert _told_why(other, provider) is None
    assert _told_why(ProviderError("no", status=403), shop(tmp_path, ends=None).settings.provider) is None
