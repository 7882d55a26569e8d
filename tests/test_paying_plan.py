"""What plan says of a provider that is paid, before anybody pays: what a build would be refused for, and the cost."""

import json
import re
from collections.abc import Iterator

import pytest
from config_fixture import CONF, Own
from elsewhere_fixture import HERE, JOBS, MODEL, PAID, as_new, built_in, changed, dear, elsewhere
from hosted_fixture import AT_ELSEWHERE, KEY
from stub_server import Stub, refusal


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Own:
    return built_in(tmp_path_factory.mktemp("project"))


@pytest.fixture
def server() -> Iterator[Stub]:
    with elsewhere() as served:
        yield served


@pytest.fixture
def own(built: Own, server: Stub, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.setenv("ELSEWHERE_KEY", KEY)
    as_new(built, server)
    return built


def test_plan_with_a_key_asks_for_jobs_and_when_the_model_goes_and_no_more(own: Own, server: Stub) -> None:
    server.answers[f"GET {MODEL}"] = [(200, HERE | {"shutdown_date": "2001-01-01"}), refusal(503, "busy")]
    assert "elsewhere shuts tiny down on 2001-01-01, which is past\n" in own.run("plan", *AT_ELSEWHERE).out
    assert "warning: elsewhere: busy\n" in own.run("plan", *AT_ELSEWHERE).out
    assert [f"{each.method} {each.path}" for each in server.asked] == [f"GET {JOBS}", f"GET {MODEL}"] * 2


def test_a_source_that_is_taken_out_is_asked_nothing(own: Own, server: Stub) -> None:
    ended = own.run("plan", *AT_ELSEWHERE, "+dataset.sources.more=null")
    assert (ended.code, ended.err, {each.method for each in server.asked}) == (0, "", {"GET"})


def test_plan_waits_for_no_provider(own: Own, server: Stub) -> None:
    server.answers[f"GET {JOBS}"] = [refusal(503, "busy")]
    assert "warning: elsewhere: busy\n" in own.run("plan", *AT_ELSEWHERE).out
    assert [each.path for each in server.asked] == [JOBS]  # once, where a build would ask again


def test_plan_tells_all_of_it_and_sends_nothing(own: Own, server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELSEWHERE_KEY")
    changed(own, server, ends={"new_jobs": "2999-01-01", "source": "their page"}, horizon_days=999_999)
    ended = own.run("plan", *AT_ELSEWHERE, columns=200)
    assert (ended.code, ended.err, server.asked) == (0, "", [])
    assert re.search(rf"Plan: \d+ actions to run, \d+ cached\. O{PAID[1:]}\.\n", ended.out)
    assert "Without paying: add provider.rehearsed=true.\n" in ended.out
    assert "warning: provider.ends.new_jobs: elsewhere takes no new jobs after 2999-01-01, in " in ended.out
    assert "ELSEWHERE_KEY: warning: holds no key: a build would be refused\n" in ended.out


def test_openai_for_longer_than_it_lasts_is_refused_with_the_ways_out(own: Own) -> None:
    asked = ("plan", "+experiment=tone_formal", "provider=openai", "model=gpt_4_1_mini", "provider.needed_days=99999")
    ended = own.run(*asked)
    assert ended.code == 2
    for said in (
        "takes no new jobs after 2027-01-06, ",
        "ends its models and what was tuned on them on 2027-01-14, ",
        "Source: developers.openai.com/api/docs/deprecations, as of 2026-11.",
        "Fix: provider=azure (whether it tunes gpt-4.1-mini-2025-04-14 is not known here); or ",
    ):
        assert said in ended.out


def test_a_file_of_ours_is_named_as_one_of_the_project_would_be(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ended = own.run(
        "plan", "+experiment=tone_formal", "provider=openai", "model=gpt_4_1_mini", "provider.horizon_days=99999"
    )
    text = (CONF / "provider/openai.yaml").read_text(encoding="utf-8").splitlines()
    [line] = [number for number, each in enumerate(text, 1) if each.startswith("  new_jobs:")]
    assert f"\nconf/provider/openai.yaml:{line}: " in ended.out
    assert str(CONF) not in ended.out


def test_plan_that_would_be_refused_ends_as_the_build_would(own: Own, server: Stub) -> None:
    changed(own, server, methods=["dpo"])
    ended = own.run("plan", *AT_ELSEWHERE)
    assert (ended.code, "the provider cannot train with 'supervised'" in ended.out) == (2, True)
    told = own.run("plan", *AT_ELSEWHERE, "--format", "json")
    assert (told.code, json.loads(told.out)["schema_version"]) == (2, 1)
    assert "the provider cannot train with 'supervised'" in told.err


def test_the_plan_for_machines_carries_tokens_and_cost(own: Own, server: Stub) -> None:
    changed(own, server, models=dear(100_000.0))
    plan = json.loads(own.run("plan", *AT_ELSEWHERE, "--format", "json").out)
    by_label = {each["label"]: each for each in plan["actions"]}
    train, job = by_label["lines"]["key"], by_label["job"]
    assert (train is not None, job["estimated"]) == (True, False)
    assert job["cost_usd"] == pytest.approx(job["n_tokens"] * 0.1)
    assert (by_label["base"]["estimated"], by_label["tuned"]["cost_usd"]) == (True, by_label["base"]["cost_usd"])
    assert (by_label["dataset"]["cost_usd"], by_label["echo"]["cost_usd"]) == (0, 0)
    assert plan["totals"]["cost_usd"] == pytest.approx(job["cost_usd"] + 2 * by_label["base"]["cost_usd"])
    changed(own, server, prices=None)
    unknown = json.loads(own.run("plan", *AT_ELSEWHERE, "--format", "json").out)
    assert (unknown["totals"]["cost_usd"], unknown["totals"]["n_tokens"]) == (None, plan["totals"]["n_tokens"])


def test_a_price_or_a_date_changes_no_key(own: Own, server: Stub) -> None:
    def ids() -> list[str]:
        plan = json.loads(own.run("plan", *AT_ELSEWHERE, "--format", "json").out)
        return [each["id"] for each in plan["actions"]]

    before = ids()
    changed(own, server, prices=None, models=None, settle_seconds=9.0, poll_seconds=3.0)
    assert ids() == before
    changed(own, server, extra_body={"trainingType": "Standard"})
    assert ids() != before
