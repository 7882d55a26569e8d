"""Conversations as token ids, the same in training and in use.

Owns the chat template and the tokenizer of a base model's folder. Knows nothing of tensors.
What is learnt of an assistant's message is its content, its calls and the token that ends its turn; the
rest (names of roles, line ends) is given. A text that spells a special token is refused by
those who call, because it would be read as one.

A chat template that knows of tools gets them as it wants them, if the form in which it writes calls can be found out
by a trial and read back. All others get tools as signatures in the system message, and a line for each call.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ftbuild.embedded.calls import LINES, CallForm, in_call_order
from ftbuild.embedded.signatures import offered

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]


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


CHANGES = "the chat template changes earlier messages when one is added"


class TooLongError(Exception):
    """What surely has more tokens than the context; it was not read, since reading holds up everybody else."""


class UnwritableError(Exception):
    """A conversation that the chat template of a model refuses, or writes so that no answer can be told apart."""


class Template:
    """The tokenizer and the chat template in a base model's folder."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.end_text: str = config["eos_token"]
        self.end = int(self.tokenizer.token_to_id(self.end_text) or 0)
        self.context: int = config["model_max_length"]
        added = self.tokenizer.get_added_tokens_decoder().values()
        self.special = [token.content for token in added]
        self._hidden = [token.content for token in added if token.special]
        self._template, knows_tools = _compiled(config["chat_template"])
        self._own_form = self._form_of_template() if knows_tools else None
        self.form = self._own_form or LINES

    def render(self, messages: Messages, *, answer_next: bool, tools: Tools = ()) -> str:
        """Return plain messages as text; with `answer_next` it ends where the assistant's answer begins."""
        more = {"tools": tools} if tools else {}
        return self._template.render(messages=messages, add_generation_prompt=answer_next, **more)  # type: ignore[no-any-return]

    def prompt(self, messages: Messages, tools: Tools = (), *, parallel: bool = True) -> list[int]:
        """Return the token ids after which the model answers; earlier answers are cut as in `lesson`.

        A template that changes them is taken at its word: nothing of a prompt is learnt.

        Raises:
            TooLongError: they surely are more than fit into the context.
            UnwritableError: the template refuses them.
        """
        pieces = self._pieces(messages, tools, parallel=parallel, answer_next=True)
        if self.exceeds("".join(text for text, _ in pieces)):
            raise TooLongError
        return [token for text, _ in pieces for token in self.ids(text)]

    def lesson(self, messages: Messages, tools: Tools = (), *, parallel: bool = True) -> Lesson:
        """Return the conversation to learn from; assistant messages with weight 0 are not learnt.

        Raises:
            UnwritableError: the template refuses it, or changes what was said.
        """
        ids: list[int] = []
        learnt: list[bool] = []
        for text, learn in self._pieces(messages, tools, parallel=parallel, answer_next=False):
            new = self.ids(text)
            ids += new
            learnt += [learn] * len(new)
        return Lesson(tuple(ids), tuple(learnt))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def special_in(self, text: str) -> str | None:
        """Return the first special token that the text spells, None if there is none."""
        return first_in(text, self.special)

    def exceeds(self, text: str) -> bool:
        """Return whether a text surely has more tokens than the context, told without reading it."""
        return len(text) > self.context * self._longest

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.tokenizer.get_vocab()))

    def ids(self, text: str) -> list[int]:
        """Return the token ids of a text; other threads go on meanwhile, as they do not beside `encode`."""
        [read] = self.tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return list(read.ids)

    def _pieces(self, messages: Messages, tools: Tools, *, parallel: bool, answer_next: bool) -> list[tuple[str, bool]]:
        """Return the text in pieces, each learnt or given; an answer is a piece, with the token that ends it."""
        if self._own_form and (tools or any(message.get("tool_calls") for message in messages)):
            messages = [_for_template(message) for message in in_call_order(messages)]
        else:
            messages, tools = _as_texts(messages, tools, parallel=parallel), ()
        try:
            whole = self.render(messages, answer_next=answer_next, tools=tools)
        except Exception as error:  # a template may raise whatever it likes
            raise UnwritableError(f"the chat template of the model refuses these messages: {error}") from error
        for apart in (True, False):  # a template may number its messages, too
            try:
                return [piece for piece in self._cut(whole, messages, tools, apart=apart) if piece[0]]
            except Exception as error:
                wrong = error
        if answer_next:
            return [(whole, False)]
        raise UnwritableError(f"no answer can be told apart: {wrong}") from wrong

    def _cut(self, whole: str, messages: Messages, tools: Tools, *, apart: bool) -> list[tuple[str, bool]]:
        """Return the text of the messages, cut before and behind each answer.

        With `apart` each turn is written behind the first answer alone to see where that is, else behind all that are
        before it, which takes the square of their number.
        """
        pieces = []
        done = ""
        known = last = 0
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            said = [*messages[:known], *messages[last : index + 1]]
            before = self.render(said[:-1], answer_next=True, tools=tools)
            after = self.render(said, answer_next=False, tools=tools)
            if not (before.startswith(done) and after.startswith(before)):
                raise ValueError(CHANGES)
            end = after.index(self.end_text, len(before)) + len(self.end_text)
            pieces.append((before[len(done) :], False))
            pieces.append((after[len(before) : end], message.get("weight") != 0))
            last = index + 1
            if not (apart and done):
                known, done = last, after[:end]
        cut = "".join(text for text, _ in pieces)
        if not whole.startswith(cut):
            raise ValueError(CHANGES)
        return [*pieces, (whole[len(cut) :], False)]

    def _form_of_template(self) -> CallForm | None:
        """Return how the chat template writes calls, found out by having it write some; None where it says no form."""
        names, arguments = ("first_of_two", "second_of_two"), {"key_of_trial": "value of trial"}
        tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in names]
        text = json.dumps(arguments)
        calls = [
            {"id": f"trial0000{number}", "type": "function", "function": {"name": name, "arguments": text}}
            for number, name in enumerate(names, 1)
        ]
        asked = {"role": "user", "content": "?"}
        try:
            before = self.render([asked], answer_next=True, tools=tools)
            answer = _for_template({"role": "assistant", "tool_calls": calls})
            after = self.render([asked, answer], answer_next=False, tools=tools)
            said = after[len(before) : after.index(self.end_text, len(before))]
            opening, behind = said.split(names[0])
            middle, between_and_name, closing = behind.split(text)
            between = between_and_name.removesuffix(f"{names[1]}{middle}")
        except Exception:  # a template may raise whatever it likes: that of Llama 3 takes one call at a time
            return None
        form = CallForm(opening, middle, between, closing)
        known_by_id = "trial0000" in said or first_in(said, self._hidden)
        return form if after.startswith(before) and form.written(calls) == said and not known_by_id else None


def _compiled(chat_template: str) -> tuple[Any, bool]:
    """Return the template, and whether it knows of tools; filters and functions are those of transformers.

    The date of today is not among them: a prompt is the same on every day.
    """
    from jinja2 import meta
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> str:
        raise ValueError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    environment.globals["raise_exception"] = refuse
    knows_tools = "tools" in meta.find_undeclared_variables(environment.parse(chat_template))
    return environment.from_string(chat_template), knows_tools


def _for_template(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as chat templates that know of tools take it: arguments are objects, contents are texts."""
    kept = {key: message[key] for key in ("tool_call_id", "name", "weight") if key in message}
    if message.get("tool_calls"):
        kept["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
            for call in message["tool_calls"]
        ]
    return {"role": _role(message), "content": content(message), **kept}


def _as_texts(messages: Messages, tools: Tools, *, parallel: bool) -> list[dict[str, Any]]:
    """Return the messages as texts alone: the tools in the system message, calls as lines."""
    found = []
    for message in in_call_order(messages):
        text = content(message)
        if calls := message.get("tool_calls"):
            text = "\n".join([*([text] if text else []), LINES.written(calls)])
        found.append({"role": _role(message), "content": text, "weight": message.get("weight")})
    if tools:
        if not found or found[0]["role"] != "system":
            found.insert(0, {"role": "system", "content": ""})
        text = offered(tools, parallel=parallel)
        found[0]["content"] = f"{found[0]['content']}\n\n{text}" if found[0]["content"] else text
    return found


def _role(message: Mapping[str, Any]) -> str:
    return "system" if message["role"] == "developer" else str(message["role"])


def content(message: Mapping[str, Any]) -> str:
    """Return what a message says besides its calls: the text, its parts joined, or the refusal."""
    said = message.get("content") or message.get("refusal") or ""
    return said if isinstance(said, str) else "".join(part["text"] for part in said)


def texts(messages: Messages, tools: Tools) -> Iterator[str]:
    """Yield what a conversation says, in which no special token may be spelled: contents, calls, tools."""
    for message in messages:
        yield content(message)
        for call in message.get("tool_calls") or ():
            yield f"{call['function']['name']}{call['function']['arguments']}"
    if tools:
        yield json.dumps(tools, ensure_ascii=False)


def first_in(text: str, tokens: Sequence[str]) -> str | None:
    """Return the token that the text spells first, None if it spells none."""
    found = [(text.index(token), token) for token in tokens if token in text]
    return min(found)[1] if found else None
