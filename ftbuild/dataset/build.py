"""Examples of all sources -> one dataset.

Transforms, in order: style (system text first, short forms written out), exact duplicates out,
split, shares of the mix, limit. The order of examples is by the digest of their content.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftbuild.chat import Message, Tool
from ftbuild.dataset import times
from ftbuild.dataset.mix import mixed
from ftbuild.digest import of_value
from ftbuild.example import SPLITS, Example, Split
from ftbuild.problem import Problem
from ftbuild.settings import Shares, Style
from ftbuild.style.expand import expand

SYSTEM = ("system", "developer")
NO_MIX: Mapping[str, float] = {}


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
    mix: Mapping[str, float] = NO_MIX,
) -> tuple[Dataset, list[Problem]]:
    """Return the dataset and its findings; the order of `examples` does not matter.

    Examples without a system message get that of the style, those without tools the `tools`; the flag for
    parallel calls goes into all that have tools, whatever they answer. An answer that is both rejected and
    preferred teaches nothing, and is dropped. Duplicates have the same input after style and the same target,
    where they are `near` but for case, width, spaces and punctuation; of them a pinned one is kept, else the one
    whose source and line come first. `mix` holds the shares of sources in the training split. One input with two
    targets in two splits is an error: it would let the model see what it is tested on.
    """
    telling = [each for each in examples if each.rejected is None or each.rejected != each.target]
    styled = [_equipped(_styled(example, style), tools, parallel_tool_calls) for example in telling]
    unique = _unique(styled, near=near)
    drawn = times.drawn(unique, shares)
    problems = _leaks(drawn)
    ordered = sorted(drawn, key=lambda pair: of_value(["order.v1", shares.seed, pair[0].id]))
    splits: dict[Split, tuple[Example, ...]] = {
        split: tuple(example for example, where in ordered if where == split) for split in SPLITS
    }
    dropped = {"equal answers": len(examples) - len(telling), "duplicate": len(styled) - len(unique)}
    if mix:
        held = mixed(splits["train"], mix, shares.seed)
        splits["train"] = held.kept
        dropped |= {f"over the share of {name}": n for name, n in held.left_out.items()}
        problems += held.problems
    if limit is not None:
        kept = _limited(splits, limit)
        dropped["limit"] = sum(map(len, splits.values())) - sum(map(len, kept.values()))
        splits = kept
    problems += [
        Problem(
            f"no example in the {split} split",
            fix="add groups, or raise its share under dataset.split.",
            rule="empty-split",
        )
        for split in SPLITS
        if not splits[split]
    ]
    return Dataset(splits, {reason: n for reason, n in dropped.items() if n}), problems


def _styled(example: Example, style: Style) -> Example:
    prompt = [
        replace(each, content=expand(each.content, style)) if each.role == "user" and each.content else each
        for each in example.prompt
    ]
    has_own = not style.system or any(each.role in SYSTEM for each in prompt)
    system = [] if has_own else [Message("system", style.system)]
    done = (*(["system"] if system else []), *(["expand"] if tuple(prompt) != example.prompt else []))
    return replace(example, messages=(*system, *prompt, example.target), transforms=(*example.transforms, *done))


def _equipped(example: Example, tools: tuple[Tool, ...], parallel_tool_calls: bool | None) -> Example:
    own = example.tools or tools
    flag = example.parallel_tool_calls if parallel_tool_calls is None else parallel_tool_calls
    set_ = flag if own else None
    done = (
        *(["tools"] if own != example.tools else []),
        *(["parallel_tool_calls"] if set_ is not None and set_ != example.parallel_tool_calls else []),
    )
    return replace(example, tools=own, parallel_tool_calls=set_, transforms=(*example.transforms, *done))


def _unique(examples: Iterable[Example], *, near: bool) -> list[Example]:
    first: dict[str, Example] = {}
    for example in sorted(examples, key=lambda each: (each.only is None, each.source, each.line, each.id)):
        value = example.conversation()
        first.setdefault(of_value(folded(value) if near else value), example)
    return list(first.values())


def folded(value: Any) -> Any:
    """Return a JSON value in which texts that differ in case, width, spaces or punctuation alone are one."""
    if isinstance(value, str):
        plain = unicodedata.normalize("NFKC", value).casefold()
        return "".join(letter for letter in plain if letter.isalnum()) or plain
    if isinstance(value, dict):
        return {name: folded(each) for name, each in value.items()}
    return [folded(each) for each in value] if isinstance(value, list) else value


def _leaks(drawn: Iterable[tuple[Example, Split]]) -> list[Problem]:
    tested: dict[str, Example] = {}
    trained = []
    for example, split in drawn:
        if split == "test":
            tested[_asked(example)] = example
        else:
            trained.append(example)
    return [
        Problem(
            f"same input as {twin.path}:{twin.line}, which is in the test split",
            example.path,
            example.line,
            why="The score would flatter the model.",
            fix="give both lines one group, or drop one.",
            rule="leak-across-splits",
        )
        for example in sorted(trained, key=lambda each: (each.path, each.line))
        if (twin := tested.get(_asked(example))) is not None
    ]


def _asked(example: Example) -> str:
    """Return what is asked, the case of letters and the space between words aside; the system does not count."""
    asked = [each for each in example.prompt if each.role not in SYSTEM]
    if len(asked) == 1:
        return " ".join((asked[0].content or "").lower().split())
    return of_value([each.to_json() for each in asked])


def _limited(splits: dict[Split, tuple[Example, ...]], limit: int) -> dict[Split, tuple[Example, ...]]:
    """Keep `limit` examples in all, or all if there are fewer: each split its share, one at least where it has any.

    What rounding leaves goes to train as long as it has more, and is taken from the largest share.
    """
    total = sum(map(len, splits.values()))
    share = {split: min(max(1, limit * len(all_) // total), len(all_)) if all_ else 0 for split, all_ in splits.items()}
    while sum(share.values()) < min(limit, total):
        share[next(split for split in SPLITS if share[split] < len(splits[split]))] += 1
    while sum(share.values()) > limit:
        share[max(SPLITS, key=lambda split: share[split])] -= 1
    return {split: kept[: share[split]] for split, kept in splits.items()}
