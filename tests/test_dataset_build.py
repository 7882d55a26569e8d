"""The dataset: its bytes follow from what the examples say, and nothing tested on is learned from."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from dataset_fixture import Dataset, build
from examples_fixture import STYLE, example, many
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbuild.chat import Message, Tool
from ftbuild.dataset import facts
from ftbuild.dataset.build import Recipe, fact, is_prepared, prepared
from ftbuild.dataset.contradicting import contradicting
from ftbuild.example import USUAL, Example, Origin, known
from ftbuild.problem import Problem
from ftbuild.settings import Shares

SHARES = Shares(validation=0.2, test=0.3, seed=1)


def built(examples: Sequence[Example], limit: int | None = None) -> Dataset:
    return build(examples, STYLE, SHARES, limit)[0]


def places(dataset: Dataset) -> dict[str, str]:
    return {each.raw: split for split in USUAL for each in dataset.splits[split]}


@given(st.permutations(many(24)))
def test_the_order_of_the_input_changes_nothing(examples: list[Example]) -> None:
    assert built(examples) == built(many(24))


@given(st.permutations([*many(6), *(example(f"pairs {n}", line=n + 50, source="other") for n in range(1, 7))]))
def test_the_order_of_the_input_changes_nothing_where_sources_overlap(examples: list[Example]) -> None:
    dataset = built(examples)
    assert dataset.dropped == {"duplicate": 6}
    assert {each.source for kept in dataset.splits.values() for each in kept} == {"other"}
    assert dataset == built(sorted(examples, key=lambda each: each.line))


@given(st.lists(st.integers(1, 60), unique=True), st.integers(1, 12))
def test_every_example_is_in_exactly_one_split(lines: list[int], n_groups: int) -> None:
    examples = [example(f"m {line}", line=line, group=f"g{line % n_groups}") for line in lines]
    dataset = built(examples)
    kept = [each.raw for split in USUAL for each in dataset.splits[split]]
    assert sorted(kept) == sorted(each.raw for each in examples)
    groups = [{each.group for each in dataset.splits[split]} for split in USUAL]
    assert sum(map(len, groups)) == len(set().union(*groups))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20))
@settings(max_examples=50)
def test_new_examples_move_no_old_one(n_old: int, n_new: int, n_groups: int) -> None:
    old = many(n_old, 7)
    grown = [*old, *many(n_new, n_groups, first=1000), *many(n_new, n_groups, source="new")]
    before, after = built(old), built(grown)
    assert places(after).items() >= places(before).items()
    for split in USUAL:
        kept = {each.id for each in before.splits[split]}
        assert [each for each in after.splits[split] if each.id in kept] == list(before.splits[split])


def test_the_style_is_put_in_front_and_short_forms_are_written_out() -> None:
    dataset = built([example("send it pls", "Please send it, pls.", only="train")])
    only = dataset.splits["train"][0]
    assert only.messages == (
        Message("system", "Be formal."),
        Message("user", "send it please"),
        Message("assistant", "Please send it, pls."),
    )
    assert only.raw == "send it pls"


def test_equal_examples_are_kept_once_the_pinned_one_first() -> None:
    pinned = example("hi", line=9, source="z", only="test")
    dataset = built([example("hi", line=1), pinned, example("hi", line=2, group="other"), example("hi", "No.", line=3)])
    kept = [(each.source, each.line) for each in dataset.splits["test"] if each.target.content == "Yes."]
    assert kept == [("z", 9)]
    assert dataset.dropped == {"duplicate": 2}


def test_what_differs_only_by_a_short_form_is_a_duplicate() -> None:
    assert built([example("go pls", line=1), example("go please", line=2)]).dropped == {"duplicate": 1}


def test_a_leak_is_told_with_both_places_and_a_remedy() -> None:
    tested = example("Hey  there", line=4, source="unseen", only="test")
    trained = [
        example("hey there", "No.", line=7, only="train"),
        example("HEY THERE", "Never.", line=2, only="validation"),
        example("something else", line=1, only="train"),
    ]
    _, problems = build([*trained, tested], STYLE, SHARES, None)
    assert [str(problem) for problem in problems] == [
        f"data/pairs.jsonl:{line}: same input as data/unseen.jsonl:4, which is in the test split\n"
        "    The score would flatter the model.\n"
        "    Fix: give both lines one group, as `group: first question` does in conversations, or drop one."
        "    leak-across-splits"
        for line in (2, 7)
    ]


def test_where_duplicates_are_near_so_are_inputs_that_leak() -> None:
    tested = example("See you at 5", line=4, source="unseen", only="test")
    trained = example("ＳＥＥ you, at ５!", "No.", line=7, only="train")
    told = {near: build([trained, tested], STYLE, SHARES, None, near=near)[1] for near in (False, True)}
    leaks = {near: [each.what for each in found if each.rule == "leak-across-splits"] for near, found in told.items()}
    said = "nearly the same input as data/unseen.jsonl:4, which is in the test split"
    assert leaks == {False: [], True: [said]}


def test_what_is_kept_to_confirm_a_winner_leaks_into_the_test_split_too() -> None:
    kept = example("Hey  there", line=4, source="kept", only="confirm")
    others = [
        example("hey there", "No.", line=7, only="train"),
        example("HEY THERE", "Never.", line=2, only="test"),
        example("something else", line=1, only="validation"),
    ]
    _, problems = build([*others, kept], STYLE, SHARES, None, confirm=True)
    assert [str(problem).partition("\n")[0] for problem in problems] == [
        "data/pairs.jsonl:2: same input as data/kept.jsonl:4, which is in the confirm split",
        "data/pairs.jsonl:7: same input as data/pairs.jsonl:2, which is in the test split",
        "data/pairs.jsonl:7: same input as data/kept.jsonl:4, which is in the confirm split",
    ]


@given(st.lists(st.integers(1, 60), unique=True), st.integers(1, 12), st.floats(0.01, 0.5))
def test_a_share_to_confirm_on_takes_whole_groups_from_what_is_learnt_from(
    lines: list[int], n_groups: int, share: float
) -> None:
    examples = [example(f"m {line}", line=line, group=f"g{line % n_groups}") for line in lines]
    before = built(examples)
    after, problems = build(examples, STYLE, SHARES.model_copy(update={"confirm": share}), None, confirm=True)
    assert {split: before.splits[split] for split in USUAL[1:]} == {split: after.splits[split] for split in USUAL[1:]}
    kept = after.splits["confirm"]
    assert sorted((*after.splits["train"], *kept), key=lambda each: each.line) == sorted(
        before.splits["train"], key=lambda each: each.line
    )
    assert not {each.group for each in kept} & {each.group for split in USUAL for each in after.splits[split]}
    assert any("confirm" in each.what for each in problems) == (not kept)


def test_two_targets_of_one_input_in_one_split_are_no_leak() -> None:
    _, problems = build(
        [example("hi", "A.", only="test"), example("hi", "B.", line=2, only="test")], STYLE, SHARES, None
    )
    assert [problem.rule for problem in problems] == ["empty-split", "empty-split"]


def of_facts(said: Iterable[Example]) -> facts.Table:
    """Return the facts of examples, all to learn from."""
    rows = [fact(each.origin, known(each.conversation()), Recipe(STYLE, SHARES), "train", 0, 0) for each in said]
    return facts.table([b"".join(each.packed() for each in rows)], [[0]], [[0]])


def test_answers_of_one_input_that_contradict_each_other_are_told_with_both_places() -> None:
    system = Message("system", "Be brief.")
    said = [
        example("Open?", "Yes.", line=1),
        example("Hi", "Hello.", line=2),
        example("Open?", "No.", line=3),
        replace(example("Open?", "Nope.", line=4), messages=(system, *example("Open?", "Nope.").messages)),
        example("Open?", "Never.", line=5),
        replace(example("Open?", "A better one.", line=6), rejected=Message("assistant", "A worse one.")),
        replace(example("Open?", "Yep.", line=7), messages=(system, *example("Open?", "Yep.").messages)),
        example("open?", "Who knows.", line=8),
    ]
    table = of_facts(reversed(said))

    def told(learnt: Sequence[int]) -> list[str]:
        read = [each.conversation() for each in reversed(said)]
        found = contradicting(table, np.array(learnt, np.int64), ["data/pairs.jsonl"], read.__getitem__)
        return [str(each) for each in found]

    assert told(range(8)) == [
        f"data/pairs.jsonl:{row}: warning: same input as data/pairs.jsonl:{first}, and another answer\n"
        "    The model can learn only one of them.\n"
        "    Fix: keep the answer that you want, or say in the input what tells the two apart.    contradicting-answers"
        for first, row in ((1, 3), (4, 7))
    ]
    assert told([0, 2, 4, 6, 7]) == []  # lines 8, 6, 4, 2 and 1


def test_contradictions_beyond_those_that_are_shown_are_counted() -> None:
    said = [example(f"m{n // 2}", f"a{n}", line=n + 1) for n in range(60)]
    table = of_facts(said)
    found = contradicting(table, np.arange(60), ["p"], lambda row: said[row].conversation())
    assert [each.line for each in found] == [*range(2, 40, 2), None]
    assert found[-1].what == "so have 11 more inputs two answers"


def test_every_empty_split_is_told() -> None:
    dataset, problems = build([], STYLE, SHARES, None)
    assert dataset == Dataset({"train": (), "validation": (), "test": ()}, {})
    assert problems == [
        Problem(
            f"no example in the {split} split",
            fix="add groups, or give it more under dataset.split: a larger share, other dates.",
            rule="empty-split",
        )
        for split in USUAL
    ]


@given(st.integers(4, 60), st.integers(1, 20), st.integers(0, 20), st.integers(0, 20))
def test_a_limit_keeps_that_many_and_empties_no_split(limit: int, train: int, validation: int, test: int) -> None:
    sizes = dict(zip(USUAL, (train, validation, test), strict=True))
    examples = [
        example(f"{split} {n}", line=n, source=split, only=split) for split in USUAL for n in range(sizes[split])
    ]
    whole, cut = built(examples), built(examples, limit)
    counts = {split: len(cut.splits[split]) for split in USUAL}
    assert sum(counts.values()) == min(limit, len(examples))
    assert [split for split in USUAL if counts[split]] == [split for split in USUAL if sizes[split]]
    assert all(cut.splits[split] == whole.splits[split][: counts[split]] for split in USUAL)
    assert cut.dropped.get("limit", 0) == len(examples) - sum(counts.values())


@pytest.mark.parametrize(("limit", "counts"), [(20, [14, 2, 4]), (4, [2, 1, 1]), (200, [70, 10, 20])])
def test_a_limit_keeps_the_shares(limit: int, counts: list[int]) -> None:
    sizes = {"train": 70, "validation": 10, "test": 20}
    examples = [example(f"{s} {n}", line=n, source=s, only=s) for s in USUAL for n in range(sizes[s])]
    assert [len(kept) for kept in built(examples, limit).splits.values()] == counts


def test_near_duplicates_differ_in_case_width_spaces_and_punctuation_alone() -> None:
    said = ["See you at 5", "see  you at 5!", "ＳＥＥ you at ５.", "See you at 6", "見ます。", "見ます", "!!", "??"]
    given = [example(text, line=line, group=f"g{line}") for line, text in enumerate(said, 1)]
    kept = {}
    for near in (False, True):
        dataset, _ = build(given, STYLE, SHARES, None, near=near)
        kept[near] = sorted(each.line for split in dataset.splits.values() for each in split)
    assert kept == {False: [1, 2, 3, 4, 5, 6, 7, 8], True: [1, 4, 5, 7, 8]}


TOOLS = (Tool("look", "Look it up."),)


def conversation(roles: Sequence[str], tools: tuple[Tool, ...], flag: bool | None) -> Example:
    messages = tuple(Message(role, "pls") for role in roles)  # type: ignore[arg-type]
    return replace(example("pls"), messages=messages, tools=tools, parallel_tool_calls=flag if tools else None)


RECIPES = st.builds(
    Recipe,
    st.sampled_from(
        [
            STYLE,
            STYLE.model_copy(update={"expand": {}}),
            STYLE.model_copy(update={"system": ""}),
            STYLE.model_copy(update={"system": "", "expand": {}}),
        ]
    ),
    st.just(SHARES),
    st.sampled_from([(), TOOLS]),
    st.sampled_from([None, True, False]),
)


@given(
    st.builds(
        conversation,
        st.sampled_from([["user", "assistant"], ["system", "user", "assistant"], ["user", "system", "assistant"]]),
        st.sampled_from([(), TOOLS]),
        st.sampled_from([None, True, False]),
    ),
    st.sampled_from([None, Message("assistant", "pls"), Message("assistant", "No.")]),
    RECIPES,
)
def test_what_is_told_to_be_prepared_stays_as_it_is(given: Example, rejected: Message | None, recipe: Recipe) -> None:
    given = replace(given, rejected=rejected)
    value = given.to_json()
    assert Origin.from_json(value) == given.origin
    if is_prepared(value, value["messages"][0]["role"], recipe):
        assert prepared(given, recipe) is given


def test_an_example_that_has_all_that_is_asked_for_is_prepared() -> None:
    recipe = Recipe(STYLE.model_copy(update={"expand": {}}), SHARES, TOOLS, parallel_tool_calls=True)
    assert is_prepared(conversation(["system", "user", "assistant"], TOOLS, flag=True).to_json(), "system", recipe)
