"""What a dataset card counts of each example, counted where its training line is written: facts.jsonl."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftbuild import tokens
from ftbuild.dataset.card import Fact, fact
from ftbuild.example import LEARNT_FROM
from ftbuild.render.methods import VALUES
from ftbuild.rules.pack import DEFAULT, PACKS
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.stream import Content

ENCODING = PACKS[DEFAULT].encoding


def facts(examples: Sequence[Mapping[str, Any]], split: str, method: str) -> Iterator[Fact]:
    """Yield the facts of some examples of a split, which the method makes lines of."""
    counts = tokens.of_examples(examples, ENCODING)
    n_tokens = [n for n, _ in counts]
    if method != "supervised":
        n_tokens = tokens.of_lines(map(VALUES[method], examples), ENCODING)
    learns = split in LEARNT_FROM
    for example, n, (_, n_learnt) in zip(examples, n_tokens, counts, strict=True):
        yield fact(split, example, n, n_learnt if learns else 0)


def written(counted: Counter[Fact]) -> bytes:
    """Return JSON lines of facts, each with how many examples have it."""
    return json_lines({"n": n, **each._asdict()} for each, n in sorted(counted.items()))


def read(content: Content) -> Counter[Fact]:
    """Return the facts that `written` wrote."""
    return Counter({_fact(each): each["n"] for each in parse_lines(content)})


def _fact(value: Mapping[str, Any]) -> Fact:
    said = {name: value[name] for name in Fact._fields}
    slices = tuple((name, each) for name, each in value["slices"])
    return Fact(**{**said, "slices": slices, "calls": tuple(value["calls"]), "called": tuple(value["called"])})
