"""Which passages an example is given, and how they stand in its prompt.

In the splits that are learnt from, the gold passage, the one an answer is taken from, stands among others near the
question, in an order drawn from the example's id: the model learns to find it, wherever it stands. In the test split
an example gets what retrieval finds, the nearest first and the gold one or not, since that is what a user will have.

Leaving the gold one out of a share: Zhang et al., "RAFT: Adapting Language Model to Domain Specific RAG" (2024).
The form, tags with a name in them, and the question after all passages: OpenAI, GPT-4.1 prompting guide (2025).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftbuild.digest import of_plain
from ftbuild.example import Example, Split
from ftbuild.problem import Problem
from ftbuild.retrieval.index import Index
from ftbuild.retrieval.names import Names
from ftbuild.retrieval.passages import Passage
from ftbuild.retrieval.ranking import best, nearest, place
from ftbuild.settings import Retrieval

TAG = re.compile(r"<(?=/?passage\b)", re.IGNORECASE)
PASSAGE = re.compile(r'<passage name="([^"]*)">\n(.*?)\n</passage>', re.DOTALL)


@dataclass(frozen=True)
class Given:
    """The passages of one example in their order; `gold` says of each whether the answer is taken from it.

    `place` is where a search finds the gold one, 1 the first, 0 nowhere; None where the example names none.
    """

    passages: tuple[Passage, ...] = ()
    gold: tuple[bool, ...] = ()
    place: int | None = None

    @property
    def is_known(self) -> bool:
        """Return whether the example says which is the gold one, whether it is among them or not."""
        return self.place is not None

    def to_json(self, source: str, licence: str) -> list[dict[str, Any]]:
        """Return what provenance tells of them; `source` is the name of the documents, with their licence.

        Nothing of what they say: that may be redacted.
        """
        return [
            {
                "source": source,
                "path": each.path,
                "line": each.line,
                "licence": licence,
                **({"gold": gold} if self.is_known else {}),
            }
            for each, gold in zip(self.passages, self.gold, strict=True)
        ]


class Library:
    """Passages that can be found by what they say and by what they are called."""

    def __init__(self, passages: Sequence[Passage], index: Index | None = None) -> None:
        self._passages = tuple(passages)
        self._index = index or Index.of(passages)
        self._names = Names(passages)

    def given(self, example: Example, split: Split, settings: Retrieval) -> Given | Problem:
        """Return the passages for an example of a split, or that there is none of the name it tells."""
        gold = self._names.find(example.passage) if example.passage is not None else ()
        if isinstance(gold, Problem):
            return gold
        question, n = asked_by(example), settings.n_passages
        scores = self._index.scores(question)
        if split not in settings.gold_in:
            chosen = nearest(scores, n)
        elif not gold:
            chosen = self._shuffled(nearest(scores, n), example, settings)
        else:
            others = nearest(scores, n, without=gold)
            if not _is_left_out(example, settings):
                others = [self._best(question, example, gold), *others][:n]
            chosen = self._shuffled(others, example, settings)
        passages = tuple(self._passages[each] for each in chosen)
        at = place(scores, gold) if gold else None
        return Given(passages, tuple(each in gold for each in chosen), at)

    def _best(self, question: str, example: Example, gold: Sequence[int]) -> int:
        """Return the gold passage that is nearest to the question and its answer together."""
        if len(gold) == 1:
            return gold[0]
        return best(self._index.lexical_scores(f"{question}\n{example.target.content or ''}"), gold)

    def _shuffled(self, chosen: Sequence[int], example: Example, settings: Retrieval) -> list[int]:
        """Return passages in an order that their texts and the example decide, whatever else is in the library."""
        drawn = ["place.v1", settings.seed, example.id]
        return sorted(chosen, key=lambda each: (of_plain([*drawn, self._passages[each].text]), each))


def asked_by(example: Example) -> str:
    """Return what the user says last, "" where no user says anything."""
    return next((each.content or "" for each in reversed(example.prompt) if each.role == "user"), "")


def block(passages: Sequence[Passage]) -> str:
    """Return passages as they stand in a prompt.

    What would end one early, or begin another, is written otherwise.
    """
    return "\n\n".join(f'<passage name="{_quoted(each.name)}">\n{_plain(each.text)}\n</passage>' for each in passages)


def passages_in(prompt: str) -> list[tuple[str, str]]:
    """Return the names and texts of the passages that `block` wrote into a prompt."""
    return [(match[1].replace("&quot;", '"'), match[2]) for match in PASSAGE.finditer(prompt)]


def with_context(context: str, question: str) -> str:
    """Return the message of a user with the passages of `context` before the question."""
    return f"{context}\n\n{question}" if context else question


def grounded(example: Example) -> Example:
    """Return the example with its context in front of what the user says last; as it is where it has none."""
    at = max((number for number, each in enumerate(example.prompt) if each.role == "user"), default=None)
    if at is None or not example.context:
        return example
    message = example.messages[at]
    asked = message._replace(content=with_context(example.context, message.content or ""))
    messages = (*example.messages[:at], asked, *example.messages[at + 1 :])
    return replace(example, messages=messages, transforms=(*example.transforms, "grounded"))


def without_context(messages: Sequence[Mapping[str, Any]], context: str) -> list[Mapping[str, Any]]:
    """Return messages in their JSON form without the context that `grounded` put before what the user says last."""
    at = max((number for number, each in enumerate(messages) if each["role"] == "user"), default=None)
    if at is None or not context:
        return list(messages)
    asked = {**messages[at], "content": messages[at]["content"].removeprefix(with_context(context, " ")[:-1])}
    return [*messages[:at], asked, *messages[at + 1 :]]


def _is_left_out(example: Example, settings: Retrieval) -> bool:
    drawn = of_plain(["left_out.v1", settings.seed, example.id])
    return int(drawn[:16], 16) / 2**64 < settings.without_gold


def _quoted(name: str) -> str:
    return _plain(name).replace('"', "&quot;")


def _plain(text: str) -> str:
    return TAG.sub("&lt;", text)
