"""`ftbuild doctor`: what is set, what is reached, what ends; never a key."""

import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own
from hosted_fixture import KEY, profile
from stub_server import listed, refusal, stub


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "NEBIUS_API_KEY", "WANDB_API_KEY", "ELSEWHERE_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Own(tmp_path)


def checks(own: Own, *words: str, code: int) -> dict[tuple[str, str], Any]:
    ended = own.run("doctor", *words, "--format", "json")
    told = json.loads(ended.out)
    assert (ended.code, told["schema_version"], told["ok"], KEY in ended.out) == (code, 1, code == 0, False)
    return {(each["group"], each["name"]): each for each in told["checks"]}


def test_nothing_asked_for_is_nothing_missing(own: Own) -> None:
    found = checks(own, code=0)
    assert found["versions", "openai"]["state"] == "ok"
    assert found["openai", "OPENAI_API_KEY"] | {"fix": ""} == {
        "group": "openai", "name": "OPENAI_API_KEY", "state": "missing", "said": "not set", "fix": "",
    }  # fmt: skip
    assert ("openai", "reached") not in found
    assert found["azure", "new jobs"]["said"].startswith("until 2027-04 at the earliest, in ")
    assert found["wandb", "WANDB_API_KEY"]["state"] == "missing"


def test_a_provider_that_is_named_and_has_no_key_would_fail(own: Own) -> None:
    found = checks(own, "openai", code=1)
    assert found["openai", "OPENAI_API_KEY"]["state"] == "failed"
    assert [group for group, _ in found if group in ("azure", "nebius")] == []


def test_where_a_key_is_set_the_provider_is_asked_for_its_models(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE_KEY", KEY)
    with stub() as server:
        own.write("conf/provider/elsewhere.yaml", profile(base_url=server.url))
        server.answers["GET /models"] = [listed({"id": "m", "object": "model"}), refusal(401, f"no such key {KEY}")]
        found = checks(own, code=0)
        assert found["elsewhere", "reached"]["said"] == f"1 models at {server.url}"
        found = checks(own, code=1)
        assert found["elsewhere", "reached"]["said"] == "elsewhere: no such key [key]"
        assert [each.token for each in server.asked] == [KEY, KEY]


def test_a_past_end_is_a_fault_where_the_provider_is_named(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE_KEY", KEY)
    with stub() as server:
        server.answers["GET /models"] = [listed()]
        ends = {"new_jobs": "2001-01-01", "source": "their page"}
        own.write("conf/provider/elsewhere.yaml", profile(base_url=server.url, ends=ends))
        assert checks(own, code=0)["elsewhere", "new jobs"]["state"] == "warning"
        named = checks(own, "elsewhere", code=1)["elsewhere", "new jobs"]
        assert (named["state"], named["said"]) == ("failed", "until 2001-01-01, past; their page")


def test_the_text_says_it_for_people(own: Own) -> None:
    ended = own.run("doctor", "azure", columns=200)
    assert ended.code == 1
    assert "\nazure\n  FAILED  AZURE_OPENAI_API_KEY   holds no key. Fix: export AZURE_OPENAI_API_KEY=..." in ended.out
    assert "\n  ok      new jobs               until 2027-04 at the earliest, in " in ended.out
    assert "\nopenai\n" not in ended.out


def test_a_profile_that_is_not_there_is_answered_with_the_nearest(own: Own) -> None:
    assert own.refused("doctor", "opnai") == (
        "command line: no option 'opnai' in conf/provider\n    Fix: ftbuild doctor openai\n"
    )
