"""A split by time: stable under growth, groups whole, the last tests."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from config_fixture import Own
from dataset_fixture import build
from examples_fixture import STYLE, example
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.criteria import Criterion
from ftbuild.dataset.times import latest_times, split_at, split_in
from ftbuild.example import SPLITS, Example, Split
from ftbuild.settings import Shares, Source
from ftbuild.sources import read, read_files
from ftbuild.times import seconds

SHARES = Shares(
    validation=0.1, test=0.2, seed=1, by="time", validation_from="2026-10-01", test_from="2026-11-01T00:00:00+01:00"
)
DAY = 86400.0
START, END = 1788220800.0, 1796083200.0  # 1 September and 1 December 2026


def drawn(examples: Sequence[Example], shares: Shares) -> list[tuple[Example, Split]]:
    latest = latest_times(examples) if shares.by == "time" else {}
    return [(each, split_in(each, shares, latest)) for each in examples]


def at(time: float | None, group: str, line: int = 1) -> Example:
    return replace(example(f"{group} {line}", line=line, group=group), time=time)


days = st.lists(st.tuples(st.floats(START, END), st.integers(0, 20)), max_size=30)


def examples_of(listed: list[tuple[float, int]], first: int = 1) -> list[Example]:
    return [at(time, f"g{group}", line) for line, (time, group) in enumerate(listed, first)]


@given(days)
def test_a_group_stays_whole_where_its_latest_time_falls(listed: list[tuple[float, int]]) -> None:
    for each, split in drawn(examples_of(listed), SHARES):
        latest = max(time for time, group in listed if f"g{group}" == each.group)
        assert split == split_at(latest, SHARES)


def test_what_came_last_of_all_is_kept_to_confirm_where_a_date_says_so() -> None:
    dated = Shares.model_validate({**SHARES.model_dump(), "confirm_from": "2026-11-15"})
    times = [at(seconds(day), day) for day in ("2026-09-30", "2026-10-31", "2026-11-14", "2026-11-15", "2026-11-30")]
    assert [split for _, split in drawn(times, dated)] == ["train", "validation", "test", "confirm", "confirm"]
    assert [split for _, split in drawn(times, SHARES)] == ["train", "validation", "test", "test", "test"]


@given(days, days)
def test_a_new_example_moves_its_own_group_at_most_and_only_to_a_later_split(
    old: list[tuple[float, int]], new: list[tuple[float, int]]
) -> None:
    before = {each.raw: split for each, split in drawn(examples_of(old), SHARES)}
    after = {each.raw: split for each, split in drawn([*examples_of(old), *examples_of(new, 100)], SHARES)}
    touched = {f"g{group}" for _, group in new}
    for raw, split in before.items():
        assert SPLITS.index(after[raw]) >= SPLITS.index(split)
        assert after[raw] == split or raw.split()[0] in touched


def test_borders_belong_to_the_later_split_and_no_border_means_no_validation() -> None:
    bare = Shares(validation=0.1, test=0.2, seed=1, by="time", test_from="2026-11-01")
    found = [
        split_at(seconds(said) or 0, SHARES) for said in ("2026-09-30T23:59:59", "2026-10-01", "2026-10-31T23:00:00")
    ]
    assert found == ["train", "validation", "test"]
    assert split_at(bare.test_seconds - 1, bare) == "train"


def test_what_has_no_time_is_drawn_by_group_and_pinned_examples_stay() -> None:
    by_group = Shares(validation=0.1, test=0.2, seed=1)
    timeless = [at(None, f"g{n}", n) for n in range(40)]
    assert drawn(timeless, SHARES) == drawn(timeless, by_group)
    [(_, split), (_, other)] = drawn([example("x", group="g", only="train"), at(END, "g")], SHARES)
    assert (split, other) == ("train", "test")


def test_a_leak_over_time_is_told_as_ever() -> None:
    _, problems = build([at(START, "a"), at(END, "b")], STYLE, SHARES, None)
    assert [each.rule for each in problems] == ["empty-split"]
    twins = [example("Hey there", "No.", line=1, group="a"), example("hey there", line=2, group="b")]
    dated = [replace(twins[0], time=START), replace(twins[1], time=END)]
    _, problems = build(dated, STYLE, SHARES, None)
    assert "leak-across-splits" in [each.rule for each in problems]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("2026-11-25T10:00:00Z", 1795600800.0),
        ("2026-11-25T11:00:00+01:00", 1795600800.0),
        ("2026-11-25 10:00:00", 1795600800.0),
        (1795600800, 1795600800.0),
        ("1795600800", 1795600800.0),
        (1795600800123, 1795600800.123),
        ("20261125", 1795564800.0),
        ("yesterday", None),
        ("", None),
        (True, None),
        (float("nan"), None),
        (None, None),
        (["2026-11-25"], None),
    ],
)
def test_times_are_read_as_iso_8601_or_seconds(said: object, wanted: float | None) -> None:
    assert seconds(said) == wanted


def test_a_line_whose_time_is_none_is_named() -> None:
    source = Source(
        kind="pairs", path="data/a.jsonl", input="i", target="t", group="g", time="at", licence="CC0-1.0", origin="x"
    )
    lines = [{"i": "a", "t": "b", "g": "1", "at": "2026-11-25"}, {"i": "c", "t": "d", "g": "1", "at": "soon"}]
    examples, problems = read("".join(json.dumps(each) + "\n" for each in lines).encode(), "a", source)
    assert [each.time for each in examples] == [1795564800.0]
    assert examples[0] == Example.from_json(examples[0].to_json())
    assert [str(each) for each in problems] == [
        "data/a.jsonl:2: at: 'soon' is no time\n"
        "    The line could not be put before or after others.\n"
        "    Fix: write ISO 8601, as 2026-11-25T10:00:00Z, or seconds since 1970.    not-a-time"
    ]


@pytest.mark.parametrize("kind", ["pairs", "chat_jsonl"])
def test_times_and_criteria_are_named_with_a_dot_as_every_field_is(kind: Literal["pairs", "chat_jsonl"]) -> None:
    named = {"input": "i", "target": "t", "group": "meta.g"} if kind == "pairs" else {}
    source = Source(
        kind=kind,
        path="d/x",
        time="meta.at",
        criteria="meta.has",
        licence="CC0-1.0",
        origin="x",
        **named,  # type: ignore[arg-type]
    )
    said = {"i": "a", "t": "b", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    has = [{"type": "contains", "value": "b"}]
    lines = [{**said, "meta": {"g": "1", "at": at, "has": has}} for at in ("2026-11-25", "soon")]
    found = read_files([("d/x", "".join(json.dumps(each) + "\n" for each in lines).encode())], "s", source)
    assert [(each.time, each.criteria) for each in found.examples] == [(1795564800.0, (Criterion("contains", "b"),))]
    assert [(each.line, each.what) for each in found.problems] == [(2, "meta.at: 'soon' is no time")]


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"test_from": "2026-11-01"}, "test_from is for by: time"),
        ({"by": "time"}, "by: time needs test_from"),
        ({"by": "time", "test_from": "November"}, "test_from: 'November' is no date of ISO 8601"),
        (
            {"by": "time", "test_from": "2026-11-01", "validation_from": "2026-12-01"},
            "validation_from comes after test_from",
        ),
        ({"by": "time", "test_from": "2026-11-01", "confirm_from": "2026-10-01"}, "test_from comes after confirm_from"),
        ({"confirm_from": "2026-10-01"}, "confirm_from is for by: time"),
    ],
)
def test_dates_that_do_not_fit_are_refused(split: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Shares.model_validate({"validation": 0.1, "test": 0.1, "seed": 1, **split})


def test_a_split_by_time_without_any_time_is_refused(tmp_path: Path) -> None:
    own = Own(tmp_path)
    words = ["+dataset.split.by=time", "+dataset.split.test_from=2026-11-01"]
    assert own.refused("plan", "+experiment=tone_formal", *words) == (
        "command line: dataset.split.by: time, and no source says where its time stands\n"
        "    Fix: name its field: dataset.sources.pairs.time=FIELD\n"
    )
