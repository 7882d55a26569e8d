"""What a profile says against an experiment before anything is sent: each gate alone."""

from datetime import date
from typing import Any

import pytest
from config_fixture import CONF
from settings_fixture import FULL, HOSTED, TINY, settings

from ftbuild.plan.gates import Finding, deploying, findings, shutdown, ways_out
from ftbuild.profiles import profiles
from ftbuild.settings import Settings
from ftbuild.settings.contradictions import contradictions

TODAY = date(2030, 12, 1)
SOON = {"new_jobs": "2030-12-11", "source": "their page"}
SHIPPED = profiles(CONF.parent, {})
OPENAI = SHIPPED["openai"].model_dump(mode="json")
MODELS = OPENAI["models"]


PAIRS = {name: value for name, value in HOSTED["dataset"]["sources"]["pairs"].items() if name != "schema"}
TEXTS = HOSTED | {"tools": {}, "dataset": HOSTED["dataset"] | {"sources": {"pairs": PAIRS}}}
CAN = {"able": True, "unable": False, "unknown": None}
PLAIN = HOSTED["provider"] | {"ends": None, "models": None, "deploys": None}


def experiment(method: str = "supervised", model: str = "vendor/Model-1", **changed: Any) -> Settings:
    asked = {"type": method, "hyperparameters": {"n_epochs": 3}}
    return settings(TEXTS | {"provider": PLAIN | changed, "method": asked, "model": HOSTED["model"] | {"id": model}})


def found(asked: Settings, today: date = TODAY) -> list[Finding]:
    return findings(asked, today, lambda: SHIPPED)


def test_nothing_speaks_against_what_the_profile_knows_nothing_of() -> None:
    assert found(experiment()) == []


def test_a_method_that_the_provider_has_not() -> None:
    [one] = found(experiment("dpo", methods=["supervised"]))
    assert (one.key, one.said) == ("method.type", "the provider cannot train with 'dpo'")
    assert one.why == "It trains with supervised. Nothing has run, and nothing was sent to it."
    assert one.fix == (
        "provider=azure (whether it tunes vendor/Model-1 is not known here); "
        "or provider=compatible provider.base_url=URL; or provider=embedded model=smollm2."
    )


def test_a_model_that_the_provider_cannot_tune_at_all() -> None:
    [one] = found(experiment(models={"other": {"id": "other"}}))
    assert (one.key, one.said) == ("model.id", "elsewhere cannot tune 'vendor/Model-1'")
    assert one.why == "It tunes model=other. Nothing has run, and nothing was sent to it."


def test_a_model_that_cannot_be_tuned_with_the_method() -> None:
    mini = MODELS["gpt_4o_mini"]["id"]
    [one] = found(experiment("dpo", mini, models=MODELS))
    assert (one.key, one.said) == ("method.type", f"elsewhere cannot tune '{mini}' with 'dpo'")
    assert one.why.startswith("It tunes that model with supervised.")
    assert found(experiment("supervised", mini, models=MODELS)) == []


def with_source(source: dict[str, Any], **changed: Any) -> Settings:
    dataset = HOSTED["dataset"] | {"sources": {"pairs": PAIRS, "more": source}}
    return settings(TEXTS | {"provider": PLAIN | changed, "dataset": dataset})


def test_a_fine_tuned_model_can_be_tuned_on_where_its_base_can_be_tuned() -> None:
    mini = MODELS["gpt_4o_mini"]["id"]
    assert found(experiment("supervised", f"ft:{mini}:org:x:abc", models=MODELS)) == []
    [one] = found(experiment("dpo", f"ft:{mini}:org:x:abc", models=MODELS))
    assert one.said == f"elsewhere cannot tune 'ft:{mini}:org:x:abc' with 'dpo'"
    [one] = found(experiment("supervised", "ft:vendor/Model-1:org:x:abc", models=MODELS))
    assert one.said == "elsewhere cannot tune 'ft:vendor/Model-1:org:x:abc'"


def test_tools_that_the_provider_does_not_take() -> None:
    asked = settings(TEXTS | {"provider": PLAIN | {"tools": False}, "tools": HOSTED["tools"]})
    [one] = found(asked)
    assert (one.key, one.said, one.severity) == ("tools", "elsewhere takes no tools", "error")
    assert one.why == "The model would learn calls that nobody could ask it for, and requests with tools are refused."
    assert found(settings(TEXTS | {"provider": PLAIN | {"tools": None}, "tools": HOSTED["tools"]})) == []
    assert found(experiment(tools=False)) == []


def test_tools_that_a_source_brings_along() -> None:
    [one] = found(with_source(TINY["dataset"]["sources"]["made"], tools=False))
    assert (one.key, one.said) == ("dataset.sources.more.kind", "elsewhere takes no tools")


def test_a_form_of_answers_that_the_provider_does_not_take() -> None:
    [one] = found(with_source(PAIRS | {"schema": "note"}, response_format=False))
    assert (one.key, one.said) == ("dataset.sources.more.schema", "elsewhere takes no response_format")
    assert one.why == "Requests of examples whose answers have a schema are refused."
    assert found(with_source(PAIRS | {"schema": "note"}, response_format=None)) == []
    assert found(experiment(response_format=False)) == []


def test_a_form_that_only_training_lines_have_is_never_asked_for() -> None:
    assert found(with_source(PAIRS | {"schema": "note", "only": "train"}, response_format=False)) == []


def test_ways_out_lead_to_nobody_who_cannot_do_it_either() -> None:
    others = {name: SHIPPED["compatible"].model_copy(update={"name": name, "tools": can}) for name, can in CAN.items()}
    asked = settings(TEXTS | {"provider": PLAIN | {"tools": False}, "tools": HOSTED["tools"]})
    [one] = findings(asked, TODAY, lambda: others)
    assert one.fix == "provider=able provider.base_url=URL; or provider=unknown provider.base_url=URL."


def test_our_own_server_is_held_to_its_table_too() -> None:
    provider = FULL["provider"] | {"tools": False, "response_format": False}
    tools, form = found(settings(FULL | {"provider": provider}))
    assert [tools.said, form.said] == ["embedded takes no tools", "embedded takes no response_format"]
    assert tools.fix == (
        "ftbuild dataset writes the lines all the same, for a provider that can; provider=rehearsal builds all of it."
    )
    assert found(settings(FULL)) == []


def test_a_pack_of_rules_that_is_not_there() -> None:
    [one] = found(experiment(rules="opnai"))
    assert (one.key, one.fix) == ("provider.rules", "there are openai, azure, compatible, embedded.")


def test_a_language_that_the_model_is_not_said_to_know() -> None:
    japanese = TEXTS | {"style": TINY["style"], "model": HOSTED["model"] | {"languages": ["en"]}}
    [one] = found(settings(japanese | {"provider": PLAIN}))
    assert (one.key, one.severity) == ("model.languages", "warning")
    assert one.said == "hosted model is not said to know the style's language 'ja'"


@pytest.mark.parametrize(
    ("day", "today", "said", "severity"),
    [
        ("2030-12-11", TODAY, "elsewhere takes no new jobs after 2030-12-11, in 10 days", "warning"),
        ("2030-12-02", TODAY, "elsewhere takes no new jobs after 2030-12-02, tomorrow", "warning"),
        ("2030-12-01", TODAY, "elsewhere takes no new jobs after 2030-12-01, today", "warning"),
        ("2030-11-30", TODAY, "elsewhere takes no new jobs after 2030-11-30, which is past", "error"),
    ],
)
def test_an_end_date_is_told_when_it_is_near_and_refuses_when_it_is_past(
    day: str, today: date, said: str, severity: str
) -> None:
    [one] = found(experiment(ends=SOON | {"new_jobs": day}), today)
    assert (one.key, one.said, one.why, one.severity) == (
        "provider.ends.new_jobs",
        said,
        "Source: their page.",
        severity,
    )
    assert ("provider=embedded model=smollm2" in one.fix) == (severity == "error")


def test_an_end_date_beyond_the_horizon_is_not_told() -> None:
    assert found(experiment(ends=SOON, horizon_days=9)) == []
    assert len(found(experiment(ends=SOON, horizon_days=10))) == 1


def test_an_end_before_a_provider_is_needed_no_more_refuses() -> None:
    [one] = found(experiment(ends=SOON, needed_days=11, horizon_days=0))
    assert (one.severity, one.said) == (
        "error",
        "elsewhere takes no new jobs after 2030-12-11, in 10 days; it is needed for 11 (provider.needed_days)",
    )
    assert "provider=embedded model=smollm2" in one.fix
    [told] = found(experiment(ends=SOON, needed_days=10))
    assert (told.severity, told.said) == ("warning", "elsewhere takes no new jobs after 2030-12-11, in 10 days")
    [maybe] = found(experiment(ends=SOON | {"firm": False}, needed_days=11))
    assert maybe.severity == "warning"


def test_a_date_that_is_not_firm_or_only_rehearsed_refuses_nothing() -> None:
    past = SOON | {"new_jobs": "2030-06"}
    [one] = found(experiment(ends=past | {"firm": False}))
    assert (one.severity, one.said) == (
        "warning",
        "elsewhere takes no new jobs after 2030-06 at the earliest, which is past",
    )
    assert [each.severity for each in found(experiment(ends=past, rehearsed=True))] == ["warning"]


def test_the_end_of_one_model_goes_before_that_of_all() -> None:
    models = {"model_1": {"id": "vendor/Model-1", "ends": "2030-11-01"}}
    [one] = found(experiment(models=models, ends={"models": "2030-12-31", "source": "their page"}))
    assert (one.key, one.said, one.severity) == (
        "provider.models.model_1.ends",
        "elsewhere ends vendor/Model-1 on 2030-11-01, which is past",
        "error",
    )


def test_what_the_provider_s_list_says_of_a_model_counts_too() -> None:
    asked = experiment()
    assert shutdown(asked, None, TODAY, lambda: SHIPPED) == []
    [near] = shutdown(asked, "2030-12-31", TODAY, lambda: SHIPPED)
    [past] = shutdown(asked, "2030-11-30", TODAY, lambda: SHIPPED)
    assert (near.severity, past.severity) == ("warning", "error")
    assert past.said == "elsewhere shuts vendor/Model-1 down on 2030-11-30, which is past"


def test_where_a_model_must_be_deployed_the_base_model_is_first() -> None:
    deploys = {"command": "deploy '{model}' as {name}", "source": "their page"}
    asked = experiment(deploys=deploys, base_deployment=None, deployment=None)
    base, tuned = found(asked)
    assert (base.key, base.severity, tuned.key, tuned.severity) == (
        "provider.base_deployment",
        "error",
        "provider.deployment",
        "warning",
    )
    assert base.why.endswith("deploy 'vendor/Model-1' as NAME")
    assert deploying(asked.provider, "ft:x", "mine") == "deploy 'ft:x' as mine"
    assert found(experiment(deploys=deploys, base_deployment="b", deployment="t")) == []


def test_checkpoints_that_would_each_have_to_be_deployed_are_not_compared_by_their_answers() -> None:
    deploys = {"command": "deploy '{model}' as {name}", "source": "their page"}
    asked = experiment(deploys=deploys, base_deployment="b", deployment="t")
    best = asked.model_copy(update={"method": asked.method.model_copy(update={"checkpoint": "best_evaluation"})})
    [told] = [each for each in contradictions(best) if each not in [*contradictions(asked)]]
    assert (told.key, told.fix) == ("method.checkpoint", "method.checkpoint=lowest_validation_loss")


def test_the_shipped_profile_of_openai_tells_its_dates_today_and_refuses_afterwards() -> None:
    asked = experiment(model=MODELS["gpt_4_1_mini"]["id"], **{name: OPENAI[name] for name in ("models", "ends")})
    told = found(asked, date(2026, 11, 25))
    assert [(each.said, each.severity) for each in told] == [
        ("elsewhere takes no new jobs after 2027-01-06, in 42 days", "warning"),
        ("elsewhere ends its models and what was tuned on them on 2027-01-14, in 50 days", "warning"),
    ]
    assert {each.severity for each in found(asked, date(2027, 1, 15))} == {"error"}


def test_ways_out_leave_out_where_one_is_and_who_cannot() -> None:
    asked = settings(TEXTS | {"provider": OPENAI, "model": HOSTED["model"] | {"id": MODELS["gpt_4_1"]["id"]}})
    assert ways_out(asked, lambda: SHIPPED) == (
        "provider=azure (whether it tunes gpt-4.1-2025-04-14 is not known here); "
        "or provider=compatible provider.base_url=URL; "
        "or provider=nebius (whether it tunes gpt-4.1-2025-04-14 is not known here); "
        "or provider=embedded model=smollm2."
    )
