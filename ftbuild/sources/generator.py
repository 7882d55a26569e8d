"""Requests made up out of phrasings and values, to teach tool calls; the same file and settings give the same lines.

The file is YAML:

    values:    {city: [Oslo, ...], day: [{say: on Friday, value: Friday}, ...]}
    tools:     {get_weather: {arguments: [city, day], train: [weather in {city} {day}, ...], unseen: [...]}}
    joiners:   {train: ["{a}, and {b}", ...], unseen: [...]}
    none:      {train: [{request: ..., answer: ...}, ...], unseen: [...]}

A slot is {argument}, or {argument:pool} where the pool of values has another name. (turn|switch) in a text is one of
its parts, (please |) may be nothing. Nothing crosses a split: each split has values and phrasings of its own, drawn by
their digests; pools of few values (currencies, on and off) are what they are and shared. The test examples are of two
kinds: phrasings that were trained on, with values that were not; and phrasings under `unseen`, with such values too. A
file without `unseen` and `none` is to learn from alone, and keeps no values for a test.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ftbuild.chat import Message, ToolCall
from ftbuild.digest import of_bytes, of_plain
from ftbuild.example import USUAL, Example, Split
from ftbuild.problem import Problem
from ftbuild.settings import Source
from ftbuild.tools.schemas import shown

SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
PARTS = re.compile(r"\(([^()]*\|[^()]*)\)")
FEW = 12  # a pool of fewer values is a closed set
SHARES: Mapping[Split, float] = {"train": 0.65, "validation": 0.1, "test": 0.25}
PHRASING_SHARES: Mapping[Split, float] = {"train": 0.85, "validation": 0.15, "test": 0.0}
QUIET_SHARES: Mapping[Split, float] = {"train": 0.75, "validation": 0.1, "test": 0.15}
VALIDATION_SHARE = 0.1
TRIES = 40  # to find a request that is not there yet
ARITY = ("none", "one", "two", "three")
ASKS = re.compile(
    r"(what|what's|how|how's|is|are|will|can|could|would|should|do|does|where|who|when|which|any|am|may)\b", re.I
)


@dataclass(frozen=True)
class _Value:
    say: str
    value: Any


@dataclass(frozen=True)
class _Tool:
    name: str
    arguments: tuple[str, ...]
    phrasings: Mapping[str, tuple[str, ...]]  # by split, and those under unseen


@dataclass(frozen=True)
class _Material:
    """What a split is made of."""

    tools: Sequence[_Tool]
    values: Mapping[str, Mapping[Split, tuple[_Value, ...]]]
    joiners: Mapping[str, tuple[str, ...]]
    none: Mapping[str, tuple[Mapping[str, str], ...]]
    content: bytes

    def line(self, text: str) -> int:
        """Return the line of the file on which a text stands, 1 where it is written in another way."""
        at = self.content.find(text.encode())
        return self.content.count(b"\n", 0, at) + 1 if at >= 0 else 1


class _Draw:
    """Draws that depend on words alone: the same on every machine and version of Python."""

    def __init__(self, *words: object) -> None:
        self._words, self._n = words, 0

    def below(self, n: int) -> int:
        """Return a number from 0 to n - 1."""
        self._n += 1
        return _number(*self._words, self._n) % n

    def of(self, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def weighted(self, weights: Sequence[int]) -> int:
        """Return a place in the weights, as often as its weight says."""
        at = self.below(sum(weights))
        return next(place for place in range(len(weights)) if at < sum(weights[: place + 1]))


def _number(*words: object) -> int:
    return int(of_bytes(json.dumps(words, sort_keys=True).encode())[:16], 16)


def read(content: bytes, name: str, source: Source) -> Iterator[Example | Problem]:
    """Yield the examples: to learn from, to validate with, then those to test on, of each kind the number asked for."""
    try:
        material = _material(content, source)
    except _UnfitError as error:
        yield Problem(str(error), source.path, error.line, fix=error.fix, rule="bad-generator")
        return
    assert source.n is not None
    n_validation = round(source.n * VALIDATION_SHARE)
    unseen = source.unseen
    parts: list[tuple[Split, str, int]] = [
        ("train", "train", source.n - n_validation),
        ("validation", "validation", n_validation),
        ("test", "train", unseen.values if unseen else 0),
        ("test", "unseen", unseen.phrasings if unseen else 0),
    ]
    known: set[str] = set()
    for split, phrasings, n in parts:
        yield from _part(material, source, name, split, phrasings, n, known)


def for_learning(content: bytes, source: Source, tools: Sequence[str]) -> dict[str, Any]:
    """Return what is learnt from in a file, as the file of another source: `tools` alone, and nothing of a test.

    Values and phrasings keep their splits, for these follow from what is said.

    Raises:
        ValueError: the file cannot be used.
    """
    material = _material(content, source)
    kept = [each for each in material.tools if each.name in tools]
    learnt = {each.name: [*each.phrasings["train"], *each.phrasings["validation"]] for each in kept}
    pools = {slot[2] or slot[1] for said in learnt.values() for each in said for slot in SLOT.finditer(each)}
    values = {
        pool: [
            each.say if each.say == each.value else {"say": each.say, "value": each.value}
            for each in dict.fromkeys([*by_split["train"], *by_split["validation"]])
        ]
        for pool, by_split in material.values.items()
        if pool in pools
    }
    described = {each.name: {"arguments": [*each.arguments], "train": learnt[each.name]} for each in kept}
    return {"values": values, "tools": described, "joiners": {"train": [*material.joiners["train"]]}}


def _part(
    material: _Material, source: Source, name: str, split: Split, phrasings: str, n: int, known: set[str]
) -> Iterator[Example | Problem]:
    """Yield `n` examples of one part; fewer, with a warning, where there are no more."""
    quiet = list(material.none["unseen" if phrasings == "unseen" else split])
    n_quiet = min(round(n * (source.quiet or 0)), len(quiet))
    draw = _Draw("quiet", source.seed, split, phrasings)
    for _ in range(n_quiet):
        item = quiet.pop(draw.below(len(quiet)))
        made_of = _Made(item["request"], Message("assistant", item["answer"]), material.line(item["request"]))
        yield _example(made_of, name, source, split, phrasings)
    made = 0
    assert source.calls is not None
    weights = [source.calls.one, source.calls.two, source.calls.three]
    for number in range(n - n_quiet):
        arity = _Draw("arity", source.seed, split, phrasings, number).weighted(weights) + 1
        for attempt in range(TRIES):
            draw = _Draw("calls", source.seed, split, phrasings, number, attempt)
            made_of = _request(material, arity, split, phrasings, draw)
            if made_of.request not in known and not _repeats(made_of.answer.tool_calls):
                known.add(made_of.request)
                made += 1
                yield _example(made_of, name, source, split, phrasings)
                break
    if made < n - n_quiet:
        what = f"{made:,} different requests of {n - n_quiet:,} could be made for the {split} split"
        yield Problem(what, source.path, fix="add phrasings or values.", rule="few-requests", severity="warning")


def _repeats(calls: Sequence[ToolCall]) -> bool:
    """Return whether a call is made twice, which no model should learn."""
    return len({(call.name, call.arguments) for call in calls}) < len(calls)


@dataclass(frozen=True)
class _Made:
    """A request, its answer, and the line of the phrasing it begins with."""

    request: str
    answer: Message
    line: int


def _request(material: _Material, arity: int, split: Split, phrasings: str, draw: _Draw) -> _Made:
    said, made, line = [], [], 0
    for number in range(arity):
        tool = draw.of(material.tools)
        phrasing = draw.of(tool.phrasings[phrasings])
        line = line or material.line(phrasing)
        text, arguments = _filled(phrasing, tool, material, split, draw)
        said.append(text)
        made.append(ToolCall(f"call_{number + 1}", tool.name, json.dumps(arguments, ensure_ascii=False)))
    joined = ", ".join(said[:-1])
    last = said[-1]
    joiner = _one_of(draw.of(material.joiners[phrasings]), draw) if joined else "{b}"
    whole = joiner.replace("{a}", joined).replace("{b}", last)
    request = whole[0].upper() + whole[1:] + ("?" if ASKS.match(last) else ".")
    return _Made(request, Message("assistant", None, tuple(made)), line)


def _filled(phrasing: str, tool: _Tool, material: _Material, split: Split, draw: _Draw) -> tuple[str, dict[str, Any]]:
    """Return a phrasing with values in its slots, and the arguments in the order of the tool."""
    given: dict[str, Any] = {}
    used: dict[str, list[_Value]] = {}

    def fill(slot: re.Match[str]) -> str:
        argument, pool = slot[1], slot[2] or slot[1]
        free = [each for each in material.values[pool][split] if each not in used.get(pool, ())]
        value: _Value = draw.of(free or material.values[pool][split])
        used.setdefault(pool, []).append(value)
        given[argument] = value.value
        return value.say

    text = SLOT.sub(fill, _one_of(phrasing, draw))
    return text, {argument: given[argument] for argument in tool.arguments if argument in given}


def _one_of(text: str, draw: _Draw) -> str:
    """Return a text with one of the parts in place of each (a|b)."""
    return PARTS.sub(lambda parts: str(draw.of(parts[1].split("|"))), text)


def _each_of(text: str) -> Iterator[str]:
    """Yield every text that a text with (a|b) in it stands for."""
    if (parts := PARTS.search(text)) is None:
        yield text
        return
    for part in parts[1].split("|"):
        yield from _each_of(text[: parts.start()] + part + text[parts.end() :])


def _example(made: _Made, name: str, source: Source, split: Split, phrasings: str) -> Example:
    n_calls = len(made.answer.tool_calls)
    slices = {"source": name, "calls": ARITY[n_calls], "parallel": "yes" if n_calls > 1 else "no"}
    if split == "test":
        slices["unseen"] = "phrasings" if phrasings == "unseen" else "values"
    asked = Message("user", made.request)
    original = of_plain(["example.v2", {"messages": [asked.to_json(), made.answer.to_json()]}])
    return Example(
        messages=(asked, made.answer),
        original=original,
        source=name,
        path=source.path,
        line=made.line,
        group=original,
        raw=made.request,
        slices=slices,
        only=split,
    )


# --- the file ------------------------------------------------------------------------------------


class _UnfitError(ValueError):
    """The file cannot be used; says why, and on which line where that is known."""

    def __init__(self, what: str, fix: str = "", line: int | None = None) -> None:
        super().__init__(what)
        self.fix, self.line = fix, line


class _Yaml(yaml.CSafeLoader):
    """YAML in which a key twice is told, of which the first would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        known: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in known and key.value != "<<":
                raise _UnfitError(f"key {key.value!r} twice", "keep one of them.", key.start_mark.line + 1)
            known.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return super().construct_mapping(node, deep)


def _material(content: bytes, source: Source) -> _Material:
    try:
        tree = yaml.load(content, _Yaml)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise _UnfitError("not YAML", line=mark.line + 1 if mark else None) from None
    parts = {key: _map(tree, key) for key in ("values", "tools", "joiners")}
    asked = ("train", "unseen") if source.unseen else ("train",)
    values = {pool: _learnt(_pool(pool, listed), source) for pool, listed in parts["values"].items()}
    tools = [_tool(tool, given, values, asked) for tool, given in parts["tools"].items()]
    if missing := [name for name in source.tools or () if name not in parts["tools"]]:
        raise _UnfitError(f"no tool {missing[0]!r}", fix=f"there are {', '.join(parts['tools'])}.")
    tools = [tool for tool in tools if source.tools is None or tool.name in source.tools]
    joiners = {part: tuple(_joiners(parts["joiners"], part)) for part in asked}
    none = _map(tree, "none") if source.quiet else {}
    quiet = {part: tuple(_quiet(none, part)) for part in ("train", "unseen")}
    trained = _learnt(_parted(quiet["train"], QUIET_SHARES, "none"), source)
    return _Material(
        tools,
        values,
        {**joiners, "validation": joiners["train"]},
        {**trained, "unseen": quiet["unseen"]},
        content,
    )


def _learnt(parts: Mapping[Any, tuple[Any, ...]], source: Source) -> Mapping[Any, tuple[Any, ...]]:
    """Return what is whose, with what would be tested on among what is learnt where nothing is tested."""
    if source.unseen or parts["train"] == parts["test"]:
        return parts
    return {**parts, "train": (*parts["train"], *parts["test"]), "test": ()}


def _map(tree: Any, key: str) -> Mapping[str, Any]:
    found = tree.get(key) if isinstance(tree, dict) else None
    if not isinstance(found, dict):
        raise _UnfitError(f"no map {key!r}", fix="a file has values, tools and joiners, and none for quiet ones.")
    return found


def _texts(tree: Mapping[str, Any], key: str, where: str) -> Sequence[str]:
    found = tree.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(each, str) and each for each in found):
        raise _UnfitError(f"{where}.{key}: {shown(found)} is no list of texts", fix="quote what YAML reads as no text.")
    return found


def _joiners(tree: Mapping[str, Any], part: str) -> Sequence[str]:
    """Return what joins two requests, of which none may get lost."""
    found = _texts(tree, part, "joiners")
    for number, each in enumerate(found):
        if any("{a}" not in text or "{b}" not in text for text in _each_of(each)):
            what = f"joiners.{part}[{number}]: {shown(each)} leaves a request out"
            raise _UnfitError(what, fix='write both, as in "{a}, and {b}".')
    return found


def _quiet(tree: Mapping[str, Any], key: str) -> Iterator[Mapping[str, str]]:
    listed = tree.get(key)
    for number, each in enumerate(listed if isinstance(listed, list) else []):
        if not isinstance(each, dict) or not all(isinstance(each.get(name), str) for name in ("request", "answer")):
            fix = "write {request: ..., answer: ...}, both quoted."
            raise _UnfitError(f"none.{key}[{number}]: {shown(each)} is no request with its answer", fix=fix)
        yield each


def _pool(name: str, listed: Any) -> Mapping[Split, tuple[_Value, ...]]:
    found = []
    for number, each in enumerate(listed if isinstance(listed, list) else []):
        say, value = (each.get("say"), each.get("value")) if isinstance(each, dict) else (each, each)
        is_value = isinstance(value, str | int | float) and not isinstance(value, bool) and _is_of_json(value)
        if not is_value or isinstance(say, bool) or say is None:
            fix = "quote what YAML reads as a truth value, a clock, no number or nothing."
            raise _UnfitError(f"values.{name}[{number}]: {shown(each)} is no value", fix=fix)
        is_said = value is say and isinstance(value, str)
        found += [_Value(each, each if is_said else value) for each in _each_of(str(say))]
    if not found:
        raise _UnfitError(f"values.{name}: no values")
    if len(found) < FEW:
        return dict.fromkeys(USUAL, tuple(found))
    return _parted(found, SHARES, name)


def _is_of_json(value: str | int | float) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _parted(listed: Sequence[Any], shares: Mapping[Split, float], name: str) -> Mapping[Any, tuple[Any, ...]]:
    """Return what is whose, drawn by digests, so that an entry more moves no other; a split without any gets one.

    Raises:
        _UnfitError: there are fewer entries than splits.
    """
    if 0 < len(listed) < sum(share > 0 for share in shares.values()):
        raise _UnfitError(f"{name}: {len(listed)} to learn from, too few to have some for each split", fix="add some.")
    parts: dict[Split, list[Any]] = {split: [] for split in USUAL}
    for each in listed:
        said = each if isinstance(each, str | Mapping) else [each.say, each.value]
        fraction = _number("part", name, said) / 2**64
        limit = 0.0
        for split in USUAL:
            limit += shares[split]
            if fraction < limit:
                parts[split].append(each)
                break
    for split in USUAL:
        if listed and shares[split] and not parts[split]:
            parts[split].append(max(parts.values(), key=len).pop())
    return {split: tuple(kept) for split, kept in parts.items()}


def _tool(name: str, given: Any, values: Mapping[str, Any], asked: Sequence[str]) -> _Tool:
    where = f"tools.{name}"
    if not isinstance(name, str):
        raise _UnfitError(f"{where}: {shown(name)} is no name of a tool", fix="quote it.")
    if not isinstance(given, dict):
        raise _UnfitError(f"{where}: {shown(given)} is no map")
    arguments = tuple(_texts(given, "arguments", where))
    phrasings = {part: tuple(_texts(given, part, where)) for part in asked}
    for part, listed in phrasings.items():
        for number, phrasing in enumerate(listed):
            if not all(text.strip() for text in _each_of(phrasing)):
                raise _UnfitError(f"{where}.{part}[{number}]: {shown(phrasing)} may say nothing", fix="add a word.")
            for slot in SLOT.finditer(phrasing):
                pool = slot[2] or slot[1]
                if slot[1] not in arguments or pool not in values:
                    missing = f"argument {slot[1]!r}" if slot[1] not in arguments else f"pool {pool!r}"
                    raise _UnfitError(f"{where}.{part}[{number}]: no {missing}")
    trained = _parted(phrasings["train"], PHRASING_SHARES, name)
    return _Tool(
        name,
        arguments,
        {**phrasings, "train": trained["train"], "validation": trained["validation"]},
    )
