"""One answer as it grows: which token comes next, what of it is told, where it ends.

Greedy at temperature 0; with a seed a sampled answer depends on nothing else. An answer that is held to a form
(constraints.py) takes no token that leads out of it. What is told while it grows is a beginning of what it will be.
"""

import math
from bisect import bisect_left
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftbuild.embedded.calls import Calls
from ftbuild.embedded.chat import Answer, ChatRequest, Choice, Tell
from ftbuild.embedded.constraints import Guide
from ftbuild.embedded.state import Record, new_id
from ftbuild.embedded.template import Template

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

    from ftbuild.embedded.llama import Llama

BEST = 8  # scored again in float32, so that rounding decides no near tie
COLDEST = 1e-6  # temperature: scores divided by less are infinite in float32


@dataclass
class Asked:
    """A request that is being answered, read already; `grammar` is what its answers are held to."""

    model: "tuple[Path, Path | None]"
    request: ChatRequest
    template: Template
    prompt: list[int]
    max_tokens: int
    grammar: str | None
    guide: Guide | None  # where there is a grammar, or logprobs are wanted
    tell: Tell | None
    future: "Future[Answer]" = field(default_factory=Future)
    choices: dict[int, Choice] = field(default_factory=dict)
    n_written: int = 0
    n_known: int | None = None  # tokens of the prompt that were read before it came, once its turn has come

    def end(self, index: int, choice: Choice, n_tokens: int) -> None:
        """Keep a choice; the last one settles the answer."""
        self.choices[index] = choice
        self.n_written += n_tokens
        if len(self.choices) == self.request.n and not self.future.done():
            choices = tuple(self.choices[number] for number in range(self.request.n))
            self.future.set_result(Answer(choices, len(self.prompt), self.n_written, self.n_known or 0))

    def fail(self, error: Exception) -> None:
        """Settle that no answer comes."""
        if not self.future.done():
            self.future.set_exception(error)


class Writing:
    """One of the choices of an answer."""

    def __init__(self, asked: Asked, index: int) -> None:
        self.asked, self._index = asked, index
        self.ids: list[int] = []
        self._random: torch.Generator | None = None
        self._matcher = asked.guide.matcher(asked.grammar) if asked.guide and asked.grammar else None
        self._logprobs: list[Record] = []
        self._call_ids: list[str] = []
        self._text, self._settled, self._started = "", 0, 0  # text of ids[:settled], the last of it from `started` on
        self._begins: list[int] = []  # where in the text each of ids[:settled] does

    def go_on(self, llama: "Llama", hidden: "Tensor", scores: "Tensor") -> int | None:
        """Choose and append a token; return it, None where the choice has ended or failed."""
        try:
            token = self.choose(llama, hidden, scores)
            return None if self.take(token) else token
        except Exception as error:  # of this answer alone
            self.asked.fail(error)
            return None

    def choose(self, llama: "Llama", hidden: "Tensor", scores: "Tensor") -> int:
        """Return the next token: the likeliest, or one drawn as the request says."""
        import torch

        request = self.asked.request
        free = scores
        if self._matcher is not None:
            scores = scores.masked_fill(~self._allowed(len(scores)), -math.inf)
        if request.temperature == 0:
            best = scores.topk(min(BEST, len(scores))).indices.sort().values
            exact = llama.head[best].float() @ hidden.float()
            token = int(best[exact.masked_fill(scores[best].isinf(), -math.inf).argmax()])
        else:
            chances = torch.softmax(scores.float() / max(request.temperature, COLDEST), dim=-1)
            token = int(torch.multinomial(_nucleus(chances, request.top_p), 1, generator=self._drawing()))
        if request.top_logprobs is not None:
            self._logprobs.append(self._logprob(free, token, request.top_logprobs))
        return token

    def take(self, token: int) -> bool:
        """Append the token; return whether the choice has ended."""
        template, asked = self.asked.template, self.asked
        if token == template.end:
            self._logprobs = self._logprobs[: len(self.ids)]
            return self._end(template.decode(self.ids), "stop", len(self.ids) + 1)
        self.ids.append(token)
        done = self._matcher is not None and self._follow(token)
        if asked.request.stop or asked.tell is not None or self._matcher is not None:
            self._read_on()
        if self._matcher is not None and self._is_free():
            self._matcher = None
        places = [self._text.index(stop) for stop in asked.request.stop if stop in self._text]
        if places:
            self._logprobs = self._logprobs[: self._n_within(min(places))]
            return self._end(self._text[: min(places)], "stop", len(self.ids))
        if done or len(self.ids) == asked.max_tokens:
            return self._end(template.decode(self.ids), "stop" if done else "length", len(self.ids))
        if asked.tell is not None and (surely := self._surely_text()) is not None:
            asked.tell(self._index, self._choice(surely, ""))
        return False

    def _follow(self, token: int) -> bool:
        """Follow the grammar by a token; return whether nothing can come any more."""
        assert self._matcher is not None
        if not self._matcher.consume_token(token):
            raise RuntimeError(f"the grammar took no allowed token: {self._matcher.get_error()}")
        return bool(self._matcher.is_stopped())

    def _is_free(self) -> bool:
        """Return whether an answer that may call, and has begun otherwise, is held to nothing any more."""
        request, said, opening = self.asked.request, self._text.lstrip(), self.asked.template.form.opening
        bound = request.must_call or request.form is not None
        return not (bound or opening.startswith(said) or said.startswith(opening))

    def _allowed(self, n: int) -> "Tensor":
        import numpy as np
        import torch

        assert self._matcher is not None
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        return torch.from_numpy(np.unpackbits(bits, count=n, bitorder="little").view(np.bool_))

    def _drawing(self) -> "torch.Generator":
        import torch

        if self._random is None:
            self._random = torch.Generator()
            if self.asked.request.seed is None:
                self._random.seed()
            else:
                self._random.manual_seed((self.asked.request.seed + self._index) % 2**63)
        return self._random

    def _logprob(self, scores: "Tensor", token: int, n_best: int) -> Record:
        logprobs = scores.float().log_softmax(dim=-1)
        best = logprobs.topk(n_best).indices.tolist() if n_best else []
        return {**self._scored(token, logprobs), "top_logprobs": [self._scored(each, logprobs) for each in best]}

    def _scored(self, token: int, logprobs: "Tensor") -> Record:
        assert self.asked.guide is not None
        said = self.asked.guide.bytes_of(token)
        return {
            "token": said.decode("utf-8", "replace"),
            "logprob": max(float(logprobs[token]), -9999.0),
            "bytes": list(said),
        }

    def _read_on(self) -> None:
        """Read the new ids as text, all but the bytes of a letter that is not whole yet."""
        before = self.asked.template.decode(self.ids[self._started : self._settled])
        after = self.asked.template.decode(self.ids[self._started :])
        if len(after) > len(before) and not after.endswith("\N{REPLACEMENT CHARACTER}"):
            self._begins += [len(self._text)] * (len(self.ids) - self._settled)
            self._text += after[len(before) :]
            self._started, self._settled = self._settled, len(self.ids)

    def _n_within(self, n_characters: int) -> int:
        """Return how many tokens begin within so much of the text."""
        return bisect_left(self._begins, n_characters)

    def _surely_text(self) -> str | None:
        """Return what can be told in words already; no beginning of a stop, and none of calls."""
        text = self._text
        if self.asked.request.callable:
            text = self.asked.template.form.surely_text(text)
        for stop in self.asked.request.stop:
            held = next((n for n in range(min(len(stop), len(text)), 0, -1) if stop.startswith(text[-n:])), 0)
            text = text[: len(text) - held]
        return text

    def _choice(self, text: str, reason: str, calls: Calls | None = None) -> Choice:
        """Return the choice so far; calls are told as they are written if nothing else can become of them."""
        if calls is None and self.asked.request.callable and self._matcher is not None:
            calls = self.asked.template.form.read(self._text)
        logprobs = None
        if self.asked.request.top_logprobs is not None:
            n_told = len(self._logprobs) if reason else self._n_within(len(text))
            logprobs = () if calls else tuple(self._logprobs[:n_told])
        if calls is None:
            return Choice(text, reason, (), logprobs)
        records = []
        for number, call in enumerate(calls.calls):
            if number == len(self._call_ids):
                self._call_ids.append(new_id("call_"))
            function = {"name": call.name, "arguments": call.arguments}
            records.append({"id": self._call_ids[number], "type": "function", "function": function})
        return Choice(calls.before, reason, tuple(records), logprobs)

    def _end(self, text: str, reason: str, n_tokens: int) -> bool:
        calls = self.asked.template.form.read(text) if self.asked.request.callable else None
        if calls is not None and not self._are_calls(calls, reason):
            calls = None
        if calls is not None and calls.whole:
            reason = "tool_calls"
        self.asked.end(self._index, self._choice(text, reason, calls), n_tokens)
        return True

    def _are_calls(self, calls: Calls, reason: str) -> bool:
        """Return whether these are calls of tools that are offered; those of a free answer must be whole."""
        if not calls.whole and (reason != "length" or self._matcher is None):
            return False
        return bool(calls.calls) and {call.name for call in calls.calls} <= set(self.asked.request.callable)


def _nucleus(chances: "Tensor", top_p: float) -> "Tensor":
    """Return the chances of the likeliest tokens that make up `top_p` together, the others' none."""
    if top_p >= 1:
        return chances
    ordered, tokens = chances.sort(descending=True)
    kept = ordered.cumsum(dim=-1) - ordered < top_p
    kept[0] = True
    return chances.masked_fill(~kept.new_zeros(kept.shape).scatter(0, tokens, kept), 0.0)
