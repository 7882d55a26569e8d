"""Shares of the training split: held by leaving examples out, the same ones every time; what cannot be held is said."""

import pytest
from config_fixture import Own
from dataset_fixture import build
from examples_fixture import STYLE, example
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.dataset.mix import counts, mixed
from ftbuild.example import Example
from ftbuild.settings import Shares


def of(name: str, n: int) -> list[Example]:
    return [example(f"{name} {line}", line=line, source=name, group=f"{name} {line}") for line in range(1, n + 1)]


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([0.05, 0.15, 0.5, 0.9]))
def test_a_share_is_held_or_the_source_is_whole(rest: int, n: int, share: float) -> None:
    wanted, missed = counts({"chat": n, "rest": rest}, {"chat": share})
    held = wanted["chat"] / (wanted["chat"] + rest)
    assert wanted["chat"] == n if missed else abs(held - share) <= 1 / (rest + wanted["chat"])


@given(st.permutations([*of("chat", 30), *of("rest", 40)]), st.integers(0, 9))
def test_the_order_of_the_input_changes_nothing_about_what_is_kept(train: list[Example], seed: int) -> None:
    kept = {each.raw for each in mixed(train, {"chat": 0.2}, seed).kept}
    assert kept == {each.raw for each in mixed([*of("chat", 30), *of("rest", 40)], {"chat": 0.2}, seed).kept}
    assert sum(each.startswith("chat") for each in kept) == 10


@given(st.integers(0, 60), st.integers(0, 60))
def test_with_more_of_the_others_what_was_kept_stays(rest: int, more: int) -> None:
    before = {each.raw for each in mixed([*of("chat", 30), *of("rest", rest)], {"chat": 0.3}, 1).kept}
    after = {each.raw for each in mixed([*of("chat", 30), *of("rest", rest + more)], {"chat": 0.3}, 1).kept}
    assert (before <= after) or rest == 0


def test_shares_of_all_sources_keep_the_scarcest_whole() -> None:
    assert counts({"a": 30, "b": 100}, {"a": 0.6, "b": 0.4}) == ({"a": 30, "b": 20}, {})


def test_where_one_source_is_short_the_others_hold_their_share_of_what_there_is() -> None:
    wanted, missed = counts({"chat": 5, "more": 50, "rest": 60}, {"chat": 0.2, "more": 0.2})
    assert (wanted, missed) == ({"chat": 5, "more": 16}, {"chat": 19})


def test_a_source_without_any_is_told_and_takes_nothing_from_the_others() -> None:
    assert counts({"rest": 90}, {"chat": 0.1}) == ({}, {"chat": 10})
    assert counts({"a": 60, "b": 100}, {"a": 0.3, "b": 0.5, "c": 0.2}) == ({"a": 60, "b": 100}, {"c": 40})


def test_too_few_are_told_with_the_numbers() -> None:
    [told] = mixed([*of("chat", 10), *of("rest", 90)], {"chat": 0.25}, 1).problems
    assert str(told) == (
        "warning: dataset.sources.chat.share is 0.25, and chat has 10 examples to learn from: 0.1 of 100; "
        "30 would reach it\n"
        "    Nothing is repeated to fill a share.\n"
        "    Fix: add 20 examples to chat, or lower its share.    share-not-reached"
    )


def test_only_the_training_split_is_mixed_and_what_is_left_out_is_counted() -> None:
    given_ = [*of("chat", 200), *of("rest", 200)]
    shares = Shares(validation=0.2, test=0.2, seed=3)
    whole, _ = build(given_, STYLE, shares, None)
    held, problems = build(given_, STYLE, shares, None, mix={"chat": 0.1})
    assert held.splits["validation"] == whole.splits["validation"]
    assert held.splits["test"] == whole.splits["test"]
    train = held.splits["train"]
    assert [each for each in whole.splits["train"] if each in train] == list(train)
    n_rest = sum(each.source == "rest" for each in train)
    assert sum(each.source == "chat" for each in train) == round(n_rest / 9)
    assert held.dropped == {"over the share of chat": len(whole.splits["train"]) - len(train)}
    assert problems == []


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    project = Own(tmp_path_factory.mktemp("mix"))
    project.experiment(
        "mine",
        """
        # Mixed.   ftbuild +experiment=mine
        defaults: [tone_formal]
        dataset:
          sources:
            pairs: {share: 0.4}
        """,
    )
    return project


def test_shares_that_nothing_fills_up_are_refused(own: Own) -> None:
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:6: dataset.sources.pairs.share: 0.4, and the shares of pairs are 0.4 in all; "
        "no other source is learnt from\n"
        "    Fix: leave one source without a share: it fills the rest.\n"
    )


def test_shares_that_leave_nothing_are_refused(own: Own) -> None:
    words = ["+source@dataset.sources.more=tone_pairs", "+source@dataset.sources.last=tone_pairs"]
    shares = ["dataset.sources.pairs.share=0.6", "+dataset.sources.more.share=0.4"]
    assert own.refused("plan", "+experiment=mine", *words, *shares) == (
        "command line: dataset.sources.more.share: 0.4, and the shares of pairs, more are 1 in all, "
        "which leaves nothing to last\n"
        "    Fix: lower the shares to less than 1.\n"
    )


def test_a_share_of_what_is_never_learnt_from_is_refused(own: Own) -> None:
    said = own.refused("plan", "+experiment=mine", "+dataset.sources.unseen.share=0.5", "~dataset.sources.pairs.share")
    assert "share is for what is learnt from, and only: test keeps it out" in said
