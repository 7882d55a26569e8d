"""The shipped profiles: valid, in accord with the rules and models beside them, and worded as the SDK knows it."""

import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import CONF
from hosted_fixture import PROFILE
from openai.types.fine_tuning.job_create_params import JobCreateParams
from openapi_fixture import wrong_request
from pydantic import TypeAdapter
from settings_fixture import GRADED, HOSTED, settings

from ftbuild.compose import compose
from ftbuild.errors import ConfigError
from ftbuild.gates import pack_of
from ftbuild.ledger.port import JobRequest
from ftbuild.profiles import profiles
from ftbuild.providers import hosted
from ftbuild.rules.pack import PACKS
from ftbuild.runners.wording import hyperparameters, learning, suffix, unsayable
from ftbuild.settings import Provider

SHIPPED = profiles(CONF.parent, {})
NAMES = sorted(path.stem for path in (CONF / "provider").glob("*.yaml"))
HOSTED_NAMES = [name for name in NAMES if SHIPPED[name].kind == "hosted"]
ASKED = {"n_epochs": "auto", "batch_size": 8, "learning_rate_multiplier": "auto"}


def changed(**values: Any) -> Provider:
    return Provider.model_validate_json(json.dumps(PROFILE | values))


def test_every_file_is_a_valid_profile_that_says_its_name() -> None:
    assert list(SHIPPED) == NAMES
    assert [SHIPPED[name].name for name in HOSTED_NAMES] == HOSTED_NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_read_here_is_the_one_that_is_composed(name: str) -> None:
    more = ["model=hosted", "model.id=x"] if name in HOSTED_NAMES else []
    more += ["provider.base_url=http://localhost/v1"] if name == "compatible" else []
    composed = compose(CONF.parent, ["+experiment=tone_formal", f"provider={name}", *more]).settings.provider
    assert composed.model_copy(update={"base_url": SHIPPED[name].base_url}) == SHIPPED[name]


@pytest.mark.parametrize("name", HOSTED_NAMES)
def test_a_profile_names_rules_and_models_that_are_there(name: str) -> None:
    profile = SHIPPED[name]
    assert profile.rules in PACKS
    for model, each in (profile.models or {}).items():
        path = CONF / "model" / f"{model}.yaml"
        assert each.ends is not None or f"\nid: {each.id}\n" in path.read_text(encoding="utf-8")


def test_the_limits_of_openai_are_those_of_its_rules() -> None:
    pack, limits = PACKS["openai"], SHIPPED["openai"].limits
    assert (limits.min_examples, limits.example_tokens) == (pack.min_examples, pack.example_tokens)


def test_a_limit_of_the_profile_goes_before_that_of_its_rules() -> None:
    own = pack_of(changed(limits={"min_examples": 3, "example_tokens": 99}))
    assert (own.min_examples, own.example_tokens, own.max_tools) == (3, 99, PACKS["compatible"].max_tools)


def request(profile: Provider, method: str) -> dict[str, Any]:
    asked = GRADED["method"] if method == "reinforcement" else {"type": method, "hyperparameters": ASKED}
    return JobRequest(
        model="m",
        training_file="file-1",
        validation_file="file-2",
        method={"type": method, method: learning({"method": asked}, profile)},
        seed=7,
        suffix=suffix("tone_formal", profile),
        metadata={"ftbuild_key": "k"},
        extra_body=profile.extra_body,
    ).to_json()


@pytest.mark.parametrize("method", ["supervised", "dpo"])
@pytest.mark.parametrize("name", HOSTED_NAMES)
def test_a_request_is_one_to_the_sdk_but_for_what_the_provider_takes_besides(name: str, method: str) -> None:
    profile = SHIPPED[name]
    body = request(profile, method)
    known = {key: value for key, value in body.items() if key not in profile.extra_body}
    if profile.hyperparameters:
        known["method"] = {"type": method, method: {}}  # its own names are none of the SDK's
    assert TypeAdapter(JobCreateParams).validate_python(known) == known
    assert {key: body[key] for key in profile.extra_body} == profile.extra_body
    assert 1 <= len(body["suffix"]) <= profile.suffix.characters


@pytest.mark.parametrize("method", ["supervised", "dpo"])
def test_a_request_is_what_openai_has_published(method: str) -> None:
    body = request(SHIPPED["openai"], method)
    assert wrong_request("POST", "/fine_tuning/jobs", {}, body) == []
    assert wrong_request("POST", "/fine_tuning/jobs", {}, body | {"model": 7}) == [
        "POST /fine_tuning/jobs: $.model: 7 is not valid under any of the given schemas"
    ]
    theirs = request(SHIPPED["azure"], method)
    assert wrong_request("POST", "/fine_tuning/jobs", {}, theirs) == [
        "POST /fine_tuning/jobs: no parameter 'trainingType'"
    ]


@pytest.mark.parametrize("name", GRADED["method"]["grader"]["graders"])
def test_a_grader_is_what_openai_has_published(name: str) -> None:
    """Not the one that joins others: of its `graders` the description says one, the guide several by name."""
    body = request(SHIPPED["openai"], "reinforcement")
    joined = body["method"]["reinforcement"]["grader"]
    assert "graders" in joined
    alone = {"type": "reinforcement", "reinforcement": {"grader": joined["graders"][name]}}
    assert wrong_request("POST", "/fine_tuning/jobs", {}, body | {"method": alone}) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("openai", "tone-formal"), ("azure", "tone_formal"), ("nebius", "tone-formal")],
)
def test_the_suffix_is_made_of_the_letters_that_are_allowed(name: str, said: str) -> None:
    assert suffix("tone_formal", SHIPPED[name]) == said


def test_a_suffix_is_cut_and_ends_with_no_dash() -> None:
    profile = changed(suffix={"characters": 5, "letters": "a-z0-9-"})
    assert suffix("Über_tone_formal", profile) == "ber-t"
    assert suffix("tone_formal", profile) == "tone"
    assert suffix("tone_formal", changed(suffix={"characters": 8, "letters": "a-z"})) == "toneform"


def test_a_suffix_is_never_nothing() -> None:
    assert suffix("敬語", SHIPPED["openai"]) == "ftbuild"
    assert suffix("敬語", changed(suffix={"characters": 3, "letters": "0-9"})) == "0"


def test_what_a_job_is_found_by_cannot_be_replaced() -> None:
    with pytest.raises(ValueError, match="extra_body cannot say model, metadata: that follows from the other settings"):
        changed(extra_body={"model": "x", "trainingType": "Standard", "metadata": {"team": "x"}})


@pytest.mark.parametrize("name", ["extra_body", "extra_hyperparameters"])
def test_a_secret_has_no_place_in_a_request_that_is_written_down(name: str) -> None:
    with pytest.raises(ValueError, match="api_key is a secret: it would be kept in the store") as caught:
        changed(**{name: {"integrations_of_theirs": [{"wandb": {"api_key": "wk-0123456789"}}]}})
    assert "Value error, api_key" in str(caught.value)
    assert changed(extra_body={"max_tokens": 7}).extra_body == {"max_tokens": 7}


def test_only_openai_is_told_of_an_account_at_openai() -> None:
    assert [name for name in NAMES if SHIPPED[name].is_openai] == ["openai"]


def test_a_multiplier_becomes_the_rate_that_the_provider_takes() -> None:
    asked = {"n_epochs": 2, "batch_size": "auto", "learning_rate_multiplier": 2.0}
    rate = {"learning_rate_multiplier": {"name": "learning_rate", "absolute": True}}
    times = {"learning_rate_multiplier": {"name": "learning_rate", "times": 0.00001}}
    own = changed(hyperparameters=times, omits_auto=True, extra_hyperparameters={"lora_r": 16})
    assert hyperparameters(asked, own) == {"n_epochs": 2, "learning_rate": 0.00002, "lora_r": 16}
    assert hyperparameters(asked, changed()) == asked
    assert unsayable(asked, changed(hyperparameters=rate)) == ["learning_rate_multiplier"]
    assert unsayable(asked, own) == unsayable(ASKED, changed(hyperparameters=rate)) == []


def test_a_fact_about_money_time_or_names_changes_no_key() -> None:
    before = settings(HOSTED).provider.keyed()
    facts = {"prices": None, "ends": None, "settle_seconds": 1.0, "poll_seconds": 1.0, "api_key_env": "OTHER"}
    assert settings(HOSTED | {"provider": HOSTED["provider"] | facts}).provider.keyed() == before
    for key in ("prices", "ends", "settle_seconds", "api_key_env", "models", "suffix", "name", "engine"):
        assert key not in before
    elsewhere = HOSTED["provider"] | {"base_url": HOSTED["provider"]["base_url"] + "/"}
    assert settings(HOSTED | {"provider": elsewhere}).provider.keyed() == before


def test_a_rehearsal_is_keyed_and_waits_for_nothing() -> None:
    real, played = changed(settle_seconds=30.0), changed(settle_seconds=30.0, rehearsed=True)
    assert played.keyed() == real.keyed() | {"rehearsed": True}
    assert (played.settle_seconds, played.is_ours, real.is_ours) == (0.0, True, False)
    assert (played.title, real.title) == ("elsewhere rehearsed", "elsewhere")


def test_the_key_and_the_variables_of_an_address_are_read_when_they_are_needed() -> None:
    azure = SHIPPED["azure"]
    problems = hosted.lacking(azure, {"AZURE_OPENAI_API_KEY": " "})
    assert [str(each).splitlines()[0] for each in problems] == [
        "AZURE_OPENAI_API_KEY: holds no key",
        "AZURE_OPENAI_RESOURCE: is not set, and the address of azure needs it",
    ]
    with pytest.raises(ConfigError, match="holds no key"):
        hosted.address(azure, {})
    full = {"AZURE_OPENAI_API_KEY": "key-0123", "AZURE_OPENAI_RESOURCE": "contoso"}
    read = profiles(CONF.parent, full)["azure"]
    assert hosted.address(read, full) == hosted.Address("https://contoso.openai.azure.com/openai/v1/", "key-0123")
    assert hosted.lacking(changed(rehearsed=True), {}) == []
    assert hosted.address(changed(api_key_env=None), {}).api_key == hosted.NO_KEY


def test_a_profile_may_stand_on_another_of_its_group(tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "provider"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("defaults: [openai]\nname: mine\nlimits: {min_examples: 50}\n", encoding="utf-8")
    (folder / "bad.yaml").write_text("kind: nowhere\n", encoding="utf-8")
    found = profiles(tmp_path, {})
    mine, openai = found["mine"], found["openai"]
    assert "bad" not in found
    assert (mine.name, mine.base_url, mine.limits.min_examples) == ("mine", openai.base_url, 50)
    assert mine.limits.file_bytes == openai.limits.file_bytes
