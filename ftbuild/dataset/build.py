"""What is done to an example on its way into a dataset, and how all of them become one.

Transforms, in order: style (system text first, short forms written out), tools and flag, duplicates out, split,
shares of the mix, limit. The order of examples is by the digest of their content.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ftbuild.chat import Message, Tool
from ftbuild.dataset import facts
from ftbuild.dataset.facts import Fact, Indexes, Table
from ftbuild.dataset.mix import Mix, mixed
from ftbuild.digest import canonical_plain, raw
from ftbuild.example import LEARNT_FROM, SPLITS, SYSTEM, USUAL, Example, Known, Origin, Split, known
from ftbuild.problem import Problem
from ftbuild.settings import Shares, Style
from ftbuild.style.expand import expand

NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Recipe:
    """What is done to every example.

    Examples without a system message get that of the style, those without tools the `tools`; the flag for
    parallel calls goes into all that have tools, whatever they answer. Duplicates have the same input after
    style and the same target, where they are `near` but for case, width, spaces and punctuation; so do inputs that
    leak. `latest` is the latest time of each group, for a split by time.
    """

    style: Style
    shares: Shares
    tools: tuple[Tool, ...] = ()
    parallel_tool_calls: bool | None = None
    near: bool = False
    latest: Mapping[str, float] = field(default_factory=dict)


def prepared(example: Example, recipe: Recipe) -> Example | None:
    """Return the example as it will be learnt; None where its answer is both rejected and preferred."""
    if are_equal(example.rejected, example.target):
        return None
    own = example.tools or recipe.tools
    flag = example.parallel_tool_calls if recipe.parallel_tool_calls is None else recipe.parallel_tool_calls
    flag = flag if own else None
    prompt = _written_out(example.prompt, recipe.style)
    system = _system(example.prompt, recipe.style)
    done = {
        "system": bool(system),
        "expand": prompt != example.prompt,
        "tools": own != example.tools,
        "parallel_tool_calls": flag is not None and flag != example.parallel_tool_calls,
    }
    transforms = tuple(name for name, is_done in done.items() if is_done)
    if not transforms and flag == example.parallel_tool_calls:
        return example
    messages = (*system, *prompt, example.target)
    return replace(example, messages=messages, tools=own, parallel_tool_calls=flag, transforms=transforms)


def is_prepared(offer: Mapping[str, Any], begins: str, recipe: Recipe) -> bool:
    """Return whether `prepared` beyond doubt leaves an example as it is; False says nothing.

    `offer` are the members of its JSON form from its tools on, `begins` is the role of its first message.
    """
    style, flag = recipe.style, recipe.parallel_tool_calls
    if "rejected" in offer or style.expand or (style.system and begins not in SYSTEM):
        return False
    return (flag is None or offer.get("parallel_tool_calls") is flag) if "tools" in offer else not recipe.tools


def known_in(value: Mapping[str, Any], recipe: Recipe) -> Known:
    """Return what is known of a conversation; what is the same, and asks the same, is as near as the recipe has it."""
    if not recipe.near:
        return known(value)
    near = known(folded(value))
    return known(value)._replace(same=near.same, asked=near.asked)


def are_equal(rejected: Message | None, target: Message) -> bool:
    """Return whether a rejected answer, if there is one, says what the target says; ids of calls say nothing."""
    return rejected is not None and _said(rejected) == _said(target)


def _said(message: Message) -> tuple[object, ...]:
    calls = [(each.name, each.arguments) for each in message.tool_calls]
    return message.content, message.refusal, calls


def fact(
    origin: Origin,
    known: Known,
    recipe: Recipe,
    split: Split,
    source: int,
    path: int,
    n_bytes: int = 0,
    n_beside: int = 0,
    company: int = 0,
) -> Fact:
    """Return what decides where a prepared example goes; the others are as in Fact."""
    name = origin.id
    same, asked = bytes.fromhex(known.same), bytes.fromhex(known.asked)
    order = raw(canonical_plain(["order.v1", recipe.shares.seed, name]))
    pinned = origin.only is not None
    return Fact(same, asked, order, name, origin.line, path, source, split, pinned, n_bytes, n_beside, company)


@dataclass(frozen=True)
class Decided:
    """The rows of each split in their order, how many were dropped for what reason, and the pairs that leak.

    `problems` are those of the mix.
    """

    splits: Mapping[Split, Indexes]
    dropped: Mapping[str, int]
    leaks: Sequence[tuple[int, int]]
    problems: Sequence[Problem] = ()


def decide(
    table: Table,
    limit: int | None,
    n_equal_answers: int = 0,
    mix: Mix | None = None,
    *,
    confirm: bool = False,
    without: Mapping[str, str] = NOTHING,
) -> Decided:
    """Return what becomes of all prepared examples; the order of the rows does not matter.

    There is a split to `confirm` on only where that is said.

    Of duplicates a pinned one is kept, else the one whose source and place come first. One input with two targets
    in two splits leaks: it would let the model see what it is tested on. `mix` holds the shares of sources in the
    training split. `without` are ids of examples to learn from that are left out, each with its place; one that tests,
    or that is not there, is told.
    """
    kept = facts.unique(table)
    dropped = {"equal answers": n_equal_answers, "duplicate": len(table) - len(kept)}
    kept, found = _left(table, kept, without)
    dropped["dataset.without"] = len(table) - dropped["duplicate"] - len(kept)
    splits = facts.ordered(table, kept, SPLITS if confirm else USUAL)
    if mix is not None:
        held = mixed(facts.places(table, splits["train"], mix.sources, mix.paths), mix.shares, mix.seed)
        splits = {**splits, "train": np.array([each.row for each in held.kept], np.int64)}
        dropped |= {f"over the share of {name}": n for name, n in held.left_out.items()}
        found = [*found, *held.problems]
    if limit is not None:
        fewer = facts.limited(splits, limit)
        dropped["limit"] = sum(map(len, splits.values())) - sum(map(len, fewer.values()))
        splits = fewer
    return Decided(splits, {reason: n for reason, n in dropped.items() if n}, facts.leaks(table, kept), found)


def _left(table: Table, kept: Indexes, without: Mapping[str, str]) -> tuple[Indexes, list[Problem]]:
    """Return the rows of `kept` that are not left out, and a warning for each id that leaves nothing out."""
    if not without:
        return kept, []
    named = np.array([int(each, 16) for each in without], np.uint64)
    learnt = np.isin(table["split"][kept], [SPLITS.index(each) for each in LEARNT_FROM])
    out = learnt & np.isin(table["id"][kept], named)
    gone, there = set(table["id"][kept[out]].tolist()), set(table["id"][kept].tolist())
    wrong = []
    for number, (name, place) in zip(named.tolist(), without.items(), strict=True):
        if number not in gone:
            how = "tests, and stays" if number in there else "is not there any more"
            fix = "take it out of dataset.without."
            what = f"dataset.without.{name}: the example of {place} {how}"
            wrong.append(Problem(what, fix=fix, rule="without-nothing", severity="warning"))
    return kept[~out], wrong


def problems(
    decided: Decided, table: Table, paths: Sequence[str], needed: Sequence[Split] = SPLITS, *, near: bool = False
) -> list[Problem]:
    """Return what is wrong with a dataset as a whole.

    `paths` are the names that the numbers of paths stand for; the splits `needed` may not be empty. `near` is that of
    its recipe.
    """
    same = "nearly the same input as" if near else "same input as"
    found = [
        Problem(
            f"{same} {paths[table['path'][twin]]}:{table['line'][twin]}, "
            f"which is in the {SPLITS[table['split'][twin]]} split",
            paths[table["path"][row]],
            int(table["line"][row]),
            why="The score would flatter the model.",
            fix="give both lines one group, as `group: first question` does in conversations, or drop one.",
            rule="leak-across-splits",
        )
        for row, twin in decided.leaks
    ]
    found.sort(key=lambda problem: (problem.path, problem.line or 0))
    found += decided.problems
    return found + [
        Problem(
            f"no example in the {split} split",
            fix="add groups, or give it more under dataset.split: a larger share, other dates.",
            rule="empty-split",
        )
        for split, rows in decided.splits.items()
        if split in needed and not len(rows)
    ]


def _written_out(prompt: tuple[Message, ...], style: Style) -> tuple[Message, ...]:
    return tuple(
        each._replace(content=expand(each.content, style)) if each.role == "user" and each.content else each
        for each in prompt
    )


def _system(prompt: tuple[Message, ...], style: Style) -> tuple[Message, ...]:
    has_own = not style.system or any(each.role in SYSTEM for each in prompt)
    return () if has_own else (Message("system", style.system),)


def folded(value: Any) -> Any:
    """Return a JSON value in which texts that differ in case, width, spaces or punctuation alone are one."""
    if isinstance(value, str):
        plain = unicodedata.normalize("NFKC", value).casefold()
        return "".join(letter for letter in plain if letter.isalnum()) or plain
    if isinstance(value, dict):
        return {name: folded(each) for name, each in value.items()}
    return [folded(each) for each in value] if isinstance(value, list) else value
