"""What a job and its answers will cost: exact where the profile knows, unknown where it does not, never 0 for that."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settings_fixture import FULL, GRADED, HOSTED, settings

from ftbuild.plan.cost import Sizes, epochs, of_answers, of_job, of_judgements, of_pairs
from ftbuild.plan.estimate import NOTHING, Estimate, total
from ftbuild.scorers.judge import MAX_TOKENS, PROMPT

SIZES = Sizes(
    n_train=100,
    train_tokens=10_000,
    n_validation=10,
    validation_tokens=1_000,
    n_test=20,
    test_tokens=2_000,
    encoding="o200k_base",
)


def hosted(method: dict[str, Any] | None = None, **changed: Any) -> Any:
    asked = {"type": "supervised", "hyperparameters": {"n_epochs": 3}} | (method or {})
    return settings(HOSTED | {"provider": HOSTED["provider"] | changed, "method": asked})


def test_a_job_costs_its_tokens_times_its_epochs_at_the_price_of_a_million() -> None:
    assert of_job(hosted(), SIZES) == Estimate(30_000, 0.15)


def test_auto_epochs_and_another_way_of_counting_are_estimates() -> None:
    auto = hosted({"hyperparameters": {"n_epochs": "auto"}})
    assert of_job(auto, SIZES) == Estimate(30_000, 0.15, estimated=True)
    other = hosted(prices=HOSTED["provider"]["prices"] | {"encoding": "qwen"})
    assert of_job(other, SIZES) == Estimate(30_000, 0.15, estimated=True)


def test_answers_cost_at_most_what_is_read_and_as_much_as_may_be_written() -> None:
    # 2,000 tokens read at $0.80 and 20 answers of 120 tokens at $3.20 a million
    assert of_answers(hosted(), SIZES) == Estimate(4_400, 0.00928, estimated=True)


def asked(**evaluation: Any) -> Any:
    judge = GRADED["judge"] | {"model": None, "provider": None}
    return settings(HOSTED | {"judge": judge, "evaluation": HOSTED["evaluation"] | evaluation}).of_judge


def test_judgements_of_several_samples_cost_as_many_times_as_much() -> None:
    one, three = (of_judgements(asked(samples=n), SIZES) for n in (1, 3))
    assert one.cost_usd
    assert one.n_tokens
    assert three == Estimate(3 * one.n_tokens, pytest.approx(3 * one.cost_usd), estimated=True)


def test_judgements_are_as_many_and_read_as_much_as_there_are_answers() -> None:
    around = len(PROMPT + GRADED["judge"]["rubric"]) // 4
    read, written = 2 * (2_000 + 20 * (120 + around)), 2 * 20 * MAX_TOKENS
    usd = (read * 0.8 + written * 3.2) / 1e6
    found = of_judgements(asked(), SIZES)
    assert (found.n_tokens, found.cost_usd, found.estimated) == (read + written, pytest.approx(usd, abs=2e-6), True)
    assert of_judgements(asked(turns=3), SIZES) == found
    assert of_judgements(asked(samples=2), SIZES).n_tokens == 2 * (read + written)
    for unknown in (of_judgements(asked(targets="every"), SIZES), of_judgements(asked(), None)):
        assert unknown == Estimate(None, None, estimated=True)


def test_labelled_pairs_are_known_whatever_the_answers_are() -> None:
    known = of_pairs(asked(targets="every"), 10, 1_000)
    assert known == of_pairs(asked(turns=3), 10, 1_000)
    assert known.cost_usd is not None
    assert known.cost_usd > 0


@pytest.mark.parametrize(
    "changed",
    [
        {"models": None},
        {"models": {}},
        {"models": {"model_1": {"id": "vendor/Model-1"}}},
        {"prices": None},
    ],
)
def test_a_price_that_nobody_knows_is_unknown(changed: dict[str, Any]) -> None:
    found = of_job(hosted(**changed), SIZES)
    assert (found.n_tokens, found.cost_usd) == (30_000, None)


def test_a_price_of_one_method_is_none_of_another() -> None:
    assert of_job(hosted({"type": "dpo"}), SIZES).cost_usd is None


def test_what_is_ours_rehearsed_or_free_costs_nothing() -> None:
    assert of_job(settings(FULL), SIZES) == of_answers(settings(FULL), SIZES) == NOTHING
    for free in (hosted(rehearsed=True), hosted(free=True)):
        assert (of_job(free, SIZES).cost_usd, of_answers(free, SIZES).cost_usd) == (0, 0)
        assert of_job(free, None).cost_usd == 0


def test_while_the_data_is_not_built_nothing_is_known() -> None:
    assert of_job(hosted(), None) == of_answers(hosted(), None) == Estimate(None, None, estimated=True)


def test_a_sum_with_an_unknown_is_unknown() -> None:
    known, unknown = Estimate(10, 1.5), Estimate(None, None, estimated=True)
    assert total([known, known, NOTHING]) == Estimate(20, 3.0)
    assert total([known, unknown]) == Estimate(None, None, estimated=True)
    assert total([NOTHING]) == total([]) == NOTHING


@given(st.integers(1, 200_000))
def test_auto_epochs_are_those_of_the_cookbook(n: int) -> None:
    target = 3
    if n * target < 100:
        target = min(25, 100 // n)
    elif n * target > 25000:
        target = max(1, 25000 // n)
    assert (epochs("auto", n), epochs(7, n)) == (target, 7)
