"""Conversations as token ids, the same in training and in use.

Owns the chat template and the tokenizer of a base model's folder. Knows nothing of tensors.
What is learnt of an assistant's message is its content and the token that ends its turn; the
rest (names of roles, line ends) is given. A text that spells a special token is refused by
those who call, because it would be read as one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Lesson:
    """A training example as the model sees it: token ids, and which of them it is to learn."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]

    @property
    def n_tokens(self) -> int:
        """Return how many tokens it has."""
        return len(self.ids)

    def cut(self, n_tokens: int) -> "Lesson":
        """Return its first `n_tokens`."""
        return Lesson(self.ids[:n_tokens], self.learnt[:n_tokens])


class Template:
    """The tokenizer and the chat template in a base model's folder."""

    def __init__(self, folder: Path) -> None:
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        from tokenizers import Tokenizer

        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.end_text: str = config["eos_token"]
        self.end = int(self.tokenizer.token_to_id(self.end_text) or 0)
        self.context: int = config["model_max_length"]
        self.special = [token.content for token in self.tokenizer.get_added_tokens_decoder().values()]
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._template = environment.from_string(config["chat_template"])

    def render(self, messages: Sequence[Mapping[str, Any]], *, answer_next: bool) -> str:
        """Return the conversation as text; with `answer_next` it ends where the assistant's answer begins."""
        return self._template.render(messages=messages, add_generation_prompt=answer_next)

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the token ids after which the model answers; earlier answers are cut as in `lesson`."""
        return [token for text, _ in self._pieces(messages, answer_next=True) for token in self._ids(text)]

    def lesson(self, messages: Sequence[Mapping[str, Any]]) -> Lesson:
        """Return the conversation to learn from; assistant messages with weight 0 are not learnt."""
        ids: list[int] = []
        learnt: list[bool] = []
        for text, learn in self._pieces(messages, answer_next=False):
            new = self._ids(text)
            ids += new
            learnt += [learn] * len(new)
        return Lesson(tuple(ids), tuple(learnt))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def special_in(self, text: str) -> str | None:
        """Return the first special token that the text spells, None if there is none."""
        return first_in(text, self.special)

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _pieces(self, messages: Sequence[Mapping[str, Any]], *, answer_next: bool) -> list[tuple[str, bool]]:
        """Return the text in pieces, each learnt or given; an answer is a piece, with the token that ends it."""
        pieces = []
        done = ""
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            before = self.render(messages[:index], answer_next=True)
            after = self.render(messages[: index + 1], answer_next=False)
            if not (before.startswith(done) and after.startswith(before)):
                raise ValueError("the chat template changes earlier messages when one is added")
            cut = after.index(self.end_text, len(before)) + len(self.end_text)
            pieces.append((before[len(done) :], False))
            pieces.append((after[len(before) : cut], message.get("weight") != 0))
            done = after[:cut]
        whole = self.render(messages, answer_next=answer_next)
        pieces.append((whole[len(done) :], False))
        return [piece for piece in pieces if piece[0]]


def first_in(text: str, tokens: Sequence[str]) -> str | None:
    """Return the token that the text spells first, None if it spells none."""
    found = [(text.index(token), token) for token in tokens if token in text]
    return min(found)[1] if found else None
