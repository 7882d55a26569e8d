"""A dataset built in memory, out of the functions that the build goes over partitions with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftbuild.chat import Tool
from ftbuild.dataset import facts
from ftbuild.dataset.build import Recipe, decide, fact, known_in, prepared, problems
from ftbuild.dataset.mix import Mix
from ftbuild.dataset.times import latest_times, split_in
from ftbuild.example import Example, Split
from ftbuild.problem import Problem
from ftbuild.settings import Shares, Style


@dataclass(frozen=True)
class Dataset:
    """The examples of each split, and how many were dropped for what reason."""

    splits: dict[Split, tuple[Example, ...]]
    dropped: dict[str, int]


def build(
    examples: Sequence[Example],
    style: Style,
    shares: Shares,
    limit: int | None,
    tools: tuple[Tool, ...] = (),
    parallel_tool_calls: bool | None = None,
    *,
    near: bool = False,
    mix: Mapping[str, float] | None = None,
    confirm: bool = False,
) -> tuple[Dataset, list[Problem]]:
    """Return the dataset and its findings."""
    latest = latest_times(examples) if shares.by == "time" else {}
    recipe = Recipe(style, shares, tools, parallel_tool_calls, near, latest)
    ready = [each for each in (prepared(example, recipe) for example in examples) if each is not None]
    sources, paths = (sorted({getattr(each, name) for each in ready}) for name in ("source", "path"))
    places = [(sources.index(each.source), paths.index(each.path)) for each in ready]
    packed = [
        fact(each.origin, known_in(each.conversation(), recipe), recipe, split_in(each, shares, latest), *at).packed()
        for each, at in zip(ready, places, strict=True)
    ]
    table = facts.table([b"".join(packed)], [list(range(len(paths)))], [[0]])
    held = Mix(mix, shares.seed, sources, paths) if mix else None
    decided = decide(table, limit, len(examples) - len(ready), held, confirm=confirm)
    splits = {split: tuple(ready[row] for row in rows) for split, rows in decided.splits.items()}
    return Dataset(splits, dict(decided.dropped)), problems(decided, table, paths, near=near)
