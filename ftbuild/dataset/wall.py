"""The wall between what is tested and what is learnt: was an example made out of one that tests?

Pure, and knows nothing of models. A conversation is cut into exchanges: what the user says, and what is answered until
the user speaks again. Exchanges are compared by what is asked and by what is answered; system messages and passages
are left aside. An answer that calls tools or is JSON counts by its values alone: requests in the words of a test with
other values are made on purpose, and are no twins. An answer in words counts by its words and by what it names.

How near two texts are is the share of character n-grams that they have in common (Dice's coefficient), looked up in an
inverted index. No count over the guarded examples decides anything, so one more of them never takes a twin away.
Measured on nine experiments (python -m tests.bench.wall): 1 false alarm among 6,804 examples to learn from; all copies
seen, 96 % and more of those with one word for another, 34 of 40 written anew with the same values. What is said anew
without a value in it is not seen; that takes a model, and a person (meant.py).
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ftbuild.dataset.build import folded
from ftbuild.problem import Problem
from ftbuild.retrieval.grounding import without_context
from ftbuild.retrieval.lexical import grams

How = Literal["exact", "normalised", "near", "same values", "within a conversation", "in other words"]

NEAR, LEAST_NEAR = 0.7, 0.6  # what is asked and what is answered: on average, and each of them
SAME, LEAST_SAME = 0.5, 0.2  # the same where both name the same
BARE = 0.8  # what is asked, where the values are such as many answers have
ENOUGH = 24  # n-grams that an exchange out of a longer conversation needs, to say something without the rest
STANDING = 2  # values of a JSON answer that stand in what is asked: fewer may be labels

# What a text names: numbers and codes, what is quoted, words in katakana; an answer names with capitals, too.
_NAMED = re.compile(
    r'\d+(?:[.,:/]\d+)*|[A-Za-z]+-?\d[A-Za-z\d-]*|[ァ-ヺー]{2,}|"[^"\n]+"|“[^”\n]+”|「[^」\n]+」|『[^』\n]+』'
)
_NAME = re.compile(r"(?<=[^\W_] |[,;:] )[A-ZÀ-ÖØ-Þ][\w'-]+")
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_IN_WORDS = re.compile(rf"\b(?:{'|'.join(_NUMBERS)})\b")

RULE = "test-example-in-training"
_SAID: Mapping[How, str] = {
    "exact": "asks what a {split} example asks",
    "normalised": "asks what a {split} example asks, but for case, spaces and punctuation",
    "near": "is a {split} example with some words changed",
    "same values": "is a {split} example in other words, with the same values",
    "within a conversation": "has a turn in common with a {split} example",
    "in other words": "may say in other words what a {split} example says",
}

Grams = frozenset[str]


class Twin(NamedTuple):
    """An example that tests, by its place and split, and how another was found to be made out of it."""

    path: str
    line: int
    split: str
    how: How

    def problem(self, path: str, line: int) -> Problem:
        """Return what is wrong with the example at a place that was found to be made out of this one.

        Of other words a person has to say whether they are: it is a warning.
        """
        is_unsure = self.how == "in other words"
        return Problem(
            f"{_SAID[self.how].format(split=self.split)}: {self.path}:{self.line}",
            path,
            line,
            why="The score would flatter the model.",
            fix=f"{'look at both; ' * is_unsure}take it out, or write another with words and values of its own.",
            rule=RULE,
            severity="warning" if is_unsure else "error",
        )


@dataclass(frozen=True)
class Exchange:
    """What is asked and answered once.

    `values` are those of an answer that calls tools or is JSON, None for words; `tells` says whether they tell it from
    others. `whole` is an exchange that is all of its conversation.
    """

    asked: str
    answer: str
    values: tuple[Any, ...] | None
    tells: bool
    whole: bool

    @cached_property
    def asked_grams(self) -> Grams:
        """Return the n-grams of what is asked."""
        return frozenset(grams(self.asked))

    @cached_property
    def answer_grams(self) -> Grams:
        """Return the n-grams of the answer."""
        return frozenset(grams(self.answer))

    @cached_property
    def named(self) -> frozenset[str]:
        """Return what both texts name."""
        asked, answer = (unicodedata.normalize("NFKC", each) for each in (self.asked, self.answer))
        found = {each.casefold().strip('"“”「」『』') for text in (asked, answer) for each in _NAMED.findall(text)}
        found |= {each.casefold() for each in _NAME.findall(answer)}
        said = _IN_WORDS.findall(f"{asked}\n{answer}".casefold())
        return frozenset(found | {str(_NUMBERS.index(each) + 2) for each in said})

    @property
    def key(self) -> Any:
        """Return what is one for exchanges of the same values, None where there are none."""
        return self.values if self.tells else ("names", self.named) if self.values is None and self.named else None


def exchanges(example: Mapping[str, Any]) -> list[Exchange]:
    """Return the exchanges of an example, in its JSON form, in their order; one may have no answer yet."""
    turns: list[tuple[list[str], list[Mapping[str, Any]]]] = []
    for each in without_context(example["messages"], example.get("context", "")):
        if each["role"] == "user":
            if not turns or turns[-1][1]:
                turns.append(([], []))
            turns[-1][0].append(each.get("content") or "")
        elif each["role"] == "assistant" and turns:
            turns[-1][1].append(each)
    few = _of_few_values(example.get("tools", ()))
    return [_exchange("\n".join(asked), answers, few, whole=len(turns) == 1) for asked, answers in turns]


def _exchange(asked: str, answers: Sequence[Mapping[str, Any]], few: set[tuple[str, str]], *, whole: bool) -> Exchange:
    answer = "\n".join(each.get("content") or each.get("refusal") or "" for each in answers).strip()
    calls = [call["function"] for each in answers for call in each.get("tool_calls") or ()]
    if calls:
        said = [(each["name"], _tree(each["arguments"], {"": each["arguments"]})) for each in calls]
        values = tuple(sorted((name, tuple(sorted(_leaves(arguments)))) for name, arguments in said))
        free = [own for name, tree in said for argument, own in tree.items() if (name, argument) not in few]
        return Exchange(asked, answer, values, any(True for own in free for _ in _leaves(own)), whole)
    if (tree := _tree(answer, None)) is not None:
        leaves, request = sorted(_leaves(tree)), _plain(asked)
        standing = {each for each in leaves if len(each) > 1 and each in request}
        return Exchange(asked, answer, tuple(leaves), len(standing) >= STANDING, whole)
    return Exchange(asked, answer, None, False, whole)


def _of_few_values(tools: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return the arguments, each with its tool, that have one of a few values: they tell no call from others."""
    return {
        (tool["function"]["name"], name)
        for tool in tools
        for name, schema in (tool["function"].get("parameters") or {}).get("properties", {}).items()
        if isinstance(schema, dict) and ("enum" in schema or schema.get("type") == "boolean")
    }


def _tree(text: str, otherwise: Any) -> Any:
    """Return the JSON object or array that a text is."""
    if not text.lstrip().startswith(("{", "[")):
        return otherwise
    try:
        tree = json.loads(text)
    except ValueError:
        return otherwise
    return tree if isinstance(tree, type(otherwise)) or otherwise is None else otherwise


def _leaves(tree: Any) -> Iterator[str]:
    """Yield the values of a JSON value, without what is only written otherwise."""
    if isinstance(tree, dict | list):
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(each)
    elif tree is not None:
        is_whole = isinstance(tree, float) and tree.is_integer()
        yield _plain(str(int(tree) if is_whole else tree))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(".!?。！？ ")


def similarity(one: Grams, other: Grams) -> float:
    """Return the share of n-grams that two texts have in common, from 0 to 1; 1 for two texts without any."""
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0


def alike(one: Exchange, other: Exchange) -> How | None:
    """Return how one of two exchanges was made of the other, None where it was not; which is which does not matter."""
    asked = similarity(one.asked_grams, other.asked_grams)
    if one.values is None and other.values is None:
        return _alike_in_words(one, other, asked)
    if one.values != other.values:
        return None
    if one.tells and other.tells:
        return "near" if asked >= LEAST_NEAR else "same values"
    return "near" if asked >= BARE else None


def _alike_in_words(one: Exchange, other: Exchange, asked: float) -> How | None:
    if not one.answer or not other.answer:
        return None
    answered = similarity(one.answer_grams, other.answer_grams)
    both, least = (asked + answered) / 2, min(asked, answered)
    names_alike = one.named == other.named
    if both >= NEAR and least >= LEAST_NEAR and (names_alike or (one.whole and other.whole)):
        return "near"
    return "same values" if names_alike and one.named and both >= SAME and least >= LEAST_SAME else None


class Wall:
    """Examples that test, in their JSON form, before which others are held.

    Each has its `path` and `line` and the `split` it is in, "test" where it does not say. Of a line of a built dataset
    they stand in its provenance.
    """

    def __init__(self, guarded: Iterable[Mapping[str, Any]]) -> None:
        self._places: list[tuple[str, int, str]] = []
        self._exact: dict[tuple[str, ...], int] = {}
        self._folded: dict[tuple[str, ...], int] = {}
        self._exchanges: list[tuple[Exchange, int]] = []
        for number, example in enumerate(guarded):
            split = example.get("split") or example.get("only") or "test"
            self._places.append((example["path"], example["line"], split))
            said = exchanges(example)
            if any(each.asked for each in said):
                self._exact.setdefault(_asked(said), number)
                self._folded.setdefault(_folded(said), number)
            self._exchanges += [(each, number) for each in said if each.asked]
        self._by_key: dict[Any, list[int]] = {}
        for at, (exchange, _) in enumerate(self._exchanges):
            if exchange.key is not None:
                self._by_key.setdefault(exchange.key, []).append(at)
        self._index = _Index([each.asked_grams for each, _ in self._exchanges])

    def twin(self, example: Mapping[str, Any]) -> Twin | None:
        """Return the guarded example that an example in its JSON form was made out of: of several the first found.

        It is looked for as a copy first, then exchange by exchange: the nearest way of any of them is told.
        """
        said = exchanges(example)
        if not any(each.asked for each in said):
            return None
        if (number := self._exact.get(_asked(said))) is not None:
            return Twin(*self._places[number], "exact")
        if (number := self._folded.get(_folded(said))) is not None:
            return Twin(*self._places[number], "normalised")
        found: list[tuple[bool, int, How]] = []
        for each in filter(lambda each: each.asked, said):
            for at in sorted({*self._index.from_(LEAST_NEAR, each.asked_grams), *self._by_key.get(each.key, ())}):
                other, number = self._exchanges[at]
                if (how := _out_of(each, other)) is not None:
                    found.append((how != "near", number, how))
        if not found:
            return None
        _, number, how = min(found)
        return Twin(*self._places[number], how)


def _out_of(one: Exchange, other: Exchange) -> How | None:
    """Return how an exchange was made of another; one out of a longer conversation has to say something by itself."""
    if one.whole and other.whole:
        return alike(one, other)
    is_enough = all(each.tells or len(each.asked_grams) + len(each.answer_grams) >= ENOUGH for each in (one, other))
    return "within a conversation" if is_enough and alike(one, other) else None


def _asked(said: Sequence[Exchange]) -> tuple[str, ...]:
    return tuple(each.asked for each in said)


def _folded(said: Sequence[Exchange]) -> tuple[str, ...]:
    return tuple(folded(each.asked) for each in said)


class _Index:
    """Which texts have which n-grams; texts are numbered in their order."""

    def __init__(self, texts: Sequence[Grams]) -> None:
        self._sizes = np.array([len(each) for each in texts], np.int64)
        found: dict[str, list[int]] = {}
        for number, each in enumerate(texts):
            for gram in each:
                found.setdefault(gram, []).append(number)
        self._texts: dict[str, npt.NDArray[np.int32]] = {gram: np.array(all_, np.int32) for gram, all_ in found.items()}

    def from_(self, least: float, asked: Grams) -> list[int]:
        """Return the texts that are as near as `least` to that of some n-grams."""
        of_each = [self._texts[gram] for gram in asked if gram in self._texts]
        if not of_each:
            return []
        shared = np.bincount(np.concatenate(of_each), minlength=len(self._sizes))
        return [int(at) for at in np.flatnonzero(2 * shared >= least * (self._sizes + len(asked)))]
