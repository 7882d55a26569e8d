"""Completions: requests that wait together are answered together.

Owns the serving model (at most one in memory, adapters merged into it) and the batch. Knows
nothing of HTTP. Greedy at temperature 0; with a seed a sampled answer depends on nothing else.
Rows are padded on the right; a row's next key goes behind its own last one, so no row sees padding.
"""

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ftbuild.embedded.calls import Call
from ftbuild.embedded.chat import ChatRequest
from ftbuild.embedded.engine import Answer, read_prompt
from ftbuild.embedded.state import Record, new_id
from ftbuild.embedded.template import Template
from ftbuild.embedded.weights import Base

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ftbuild.embedded.llama import Llama

MAX_ROWS = 32
MAX_BATCH_TOKENS = 16_384  # rows x tokens of the longest prompt
GATHER_SECONDS = 0.02  # how long the first of a batch waits for company


@dataclass
class Asked:
    """One request in the queue."""

    base: Path
    adapters: Path | None
    request: ChatRequest
    future: "Future[Answer]"
    prompt: list[int] = field(default_factory=list)
    max_tokens: int = 0


class Sampler:
    """A thread that answers what waits."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._queue: queue.Queue[Asked | None] = queue.Queue()
        self._held: list[Asked] = []  # taken from the queue, meant for another model or a later batch
        self._loading = threading.Lock()
        self._loaded: tuple[tuple[Path, Path | None], Llama] | None = None
        self._templates: dict[Path, Template] = {}
        self._thread = threading.Thread(target=self._work, name="sampler", daemon=True)
        self._thread.start()

    def ask(self, base: Base, adapters: Path | None, request: ChatRequest) -> "Future[Answer]":
        """Queue a request; the future fails with ApiError where the request cannot be answered."""
        future: Future[Answer] = Future()
        self._queue.put(Asked(base.folder, adapters, request, future))
        return future

    def unload(self) -> None:
        """Let go of the model, after the batch that is being answered."""
        with self._loading:
            self._loaded = None

    def stop(self) -> None:
        """End the thread; what still waits is not answered."""
        self._queue.put(None)

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            asked = [one for one in batch if one.future.set_running_or_notify_cancel()]
            ready = [one for one in asked if self._read(one)]
            for rows in _fitting(ready):
                try:
                    with self._loading:
                        llama = self._llama(rows[0].base, rows[0].adapters)
                        answer(llama, self._templates[rows[0].base], rows)
                except Exception as error:  # an answer must come, whatever broke
                    for one in rows:
                        if not one.future.done():
                            one.future.set_exception(error)

    def _next_batch(self) -> list[Asked] | None:
        """Return the oldest request and all others for its model; None when the sampler stops."""
        if not self._held:
            first = self._queue.get()
            if first is None:
                return None
            self._held.append(first)
        until = time.monotonic() + GATHER_SECONDS
        while len(self._held) < 4 * MAX_ROWS:
            try:
                one = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if one is None:
                return None
            self._held.append(one)
        first = self._held[0]
        fits = [one for one in self._held if (one.base, one.adapters) == (first.base, first.adapters)]
        taken = {id(one) for one in fits}
        self._held = [one for one in self._held if id(one) not in taken]
        return fits

    def _read(self, asked: Asked) -> bool:
        """Turn the messages into a prompt; refuse what cannot be answered."""
        try:
            if asked.base not in self._templates:
                self._templates[asked.base] = Template(asked.base)
            asked.prompt, asked.max_tokens = read_prompt(self._templates[asked.base], asked.request)
        except Exception as error:  # goes to who asked
            asked.future.set_exception(error)
            return False
        return True

    def _llama(self, base: Path, adapters: Path | None) -> "Llama":
        """Return the model with its adapters merged, from disk unless it is the one loaded."""
        if self._loaded is not None and self._loaded[0] == (base, adapters):
            return self._loaded[1]
        import torch

        from ftbuild.embedded.llama import Llama, fast_dtype
        from ftbuild.embedded.lora import Lora

        torch.set_num_threads(self._threads)
        self._loaded = None
        llama = Llama(base, fast_dtype(base))
        if adapters is not None:
            llama.merge(Lora.read(adapters).fused(llama))
        self._loaded = ((base, adapters), llama)
        return llama


def _fitting(asked: Sequence[Asked]) -> list[list[Asked]]:
    """Return the requests in batches of like length that fit into memory."""
    batches: list[list[Asked]] = []
    for one in sorted(asked, key=lambda one: len(one.prompt)):
        rows = batches[-1] if batches else []
        if rows and len(rows) < MAX_ROWS and (len(rows) + 1) * len(one.prompt) <= MAX_BATCH_TOKENS:
            rows.append(one)
        else:
            batches.append([one])
    return batches


def answer(llama: "Llama", template: Template, rows: Sequence[Asked]) -> None:
    """Answer the rows in one batch; a row's future is set as soon as it has ended."""
    import torch

    with torch.inference_mode():
        writing = [Writing(one, template) for one in rows]
        cache = Cache(llama, [one.prompt for one in rows])
        hidden = cache.read_prompts()
        while writing:
            ended = []
            tokens = []
            scores = llama.logits(hidden)
            for row, one in enumerate(writing):
                token = one.choose(llama, hidden[row], scores[row])
                tokens.append(token)
                if one.take(token):
                    ended.append(row)
            kept = [row for row in range(len(writing)) if row not in ended]
            if ended and kept:
                cache.keep(kept)
            writing = [writing[row] for row in kept]
            if writing:
                hidden = cache.read([tokens[row] for row in kept])


class Writing:
    """One answer as it grows."""

    def __init__(self, asked: Asked, template: Template) -> None:
        self._asked, self._template = asked, template
        self._ids: list[int] = []
        self._random: torch.Generator | None = None

    def choose(self, llama: "Llama", hidden: "Tensor", scores: "Tensor") -> int:
        """Return the next token: the likeliest, or one drawn at the request's temperature.

        The best few are scored again in float32, so that rounding decides no near tie.
        """
        import torch

        temperature = self._asked.request.temperature
        if temperature == 0:
            best = scores.topk(min(8, scores.shape[-1])).indices.sort().values
            return int(best[(llama.head[best].float() @ hidden.float()).argmax()])
        if self._random is None:
            self._random = torch.Generator()
            if self._asked.request.seed is None:
                self._random.seed()
            else:
                self._random.manual_seed(self._asked.request.seed % 2**63)
        chances = torch.softmax(scores.float() / temperature, dim=-1)
        return int(torch.multinomial(chances, 1, generator=self._random))

    def take(self, token: int) -> bool:
        """Append the token; return whether the answer has ended, its future set."""
        if token == self._template.end:
            self._end(self._template.decode(self._ids), "stop", len(self._ids) + 1)
            return True
        self._ids.append(token)
        if self._asked.request.stop:
            text = self._template.decode(self._ids)
            places = [text.index(stop) for stop in self._asked.request.stop if stop in text]
            if places:
                self._end(text[: min(places)], "stop", len(self._ids))
                return True
        if len(self._ids) == self._asked.max_tokens:
            self._end(self._template.decode(self._ids), "length", len(self._ids))
            return True
        return False

    def _end(self, text: str, reason: str, n_tokens: int) -> None:
        prompt_tokens = len(self._asked.prompt)
        calls = self._template.form.read(text) if self._asked.request.callable else None
        if calls and calls.whole and {call.name for call in calls.calls} <= set(self._asked.request.callable):
            records = tuple(_record(call) for call in calls.calls)
            self._asked.future.set_result(Answer(calls.before, "tool_calls", prompt_tokens, n_tokens, records))
        else:
            self._asked.future.set_result(Answer(text, reason, prompt_tokens, n_tokens))


def _record(call: Call) -> Record:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": new_id("call_"), "type": "function", "function": function}


class Cache:
    """Keys and values of a batch: row by row prompt, then answer, with room behind them."""

    ROOM = 32  # tokens added at a time

    def __init__(self, llama: "Llama", prompts: Sequence[Sequence[int]]) -> None:
        import torch

        self._llama, self._prompts = llama, prompts
        self._lengths = torch.tensor([len(prompt) for prompt in prompts])
        shape = llama.shape
        size = (2, shape.layers, len(prompts), shape.kv_heads, max(map(len, prompts)) + self.ROOM, shape.head_width)
        self._kept = torch.zeros(size, dtype=llama.dtype)

    def read_prompts(self) -> "Tensor":
        """Return the hidden state of each row's last token (rows x width); a common beginning is read once."""
        import torch

        from ftbuild.embedded.llama import encode

        shared = _common(self._prompts)
        past = None
        if shared:
            _, past = encode(self._llama, torch.tensor([self._prompts[0][:shared]]))
            for layer, new in enumerate(past):
                for kind in (0, 1):
                    self._kept[kind, layer, :, :, :shared] = new[kind]
        ids = torch.zeros(len(self._prompts), max(map(len, self._prompts)) - shared, dtype=torch.long)
        for row, prompt in enumerate(self._prompts):
            ids[row, : len(prompt) - shared] = torch.tensor(prompt[shared:])
        hidden, news = encode(self._llama, ids, past)
        for layer, new in enumerate(news):
            for kind in (0, 1):
                self._kept[kind, layer, :, :, shared : shared + ids.shape[1]] = new[kind]
        return hidden[torch.arange(len(ids)), self._lengths - shared - 1]

    def keep(self, rows: Sequence[int]) -> None:
        """Let all other rows go."""
        import torch

        index = torch.tensor(rows)
        self._kept, self._lengths = self._kept.index_select(2, index), self._lengths[index]

    def read(self, tokens: Sequence[int]) -> "Tensor":
        """Read one more token in every row; return the hidden states (rows x width)."""
        import torch
        from torch.nn import functional

        rows = torch.arange(len(tokens))
        at = self._lengths
        longest = int(at.max()) + 1
        if longest > self._kept.shape[4]:
            self._kept = functional.pad(self._kept, (0, 0, 0, self.ROOM))
        seen = torch.arange(longest) <= at[:, None]
        mask = torch.zeros(seen.shape, dtype=self._llama.dtype).masked_fill_(~seen, float("-inf"))[:, None, None]
        mask = mask.expand(-1, -1, self._llama.shape.heads // self._llama.shape.kv_heads, -1)

        def remember(layer: int, k: "Tensor", v: "Tensor") -> tuple["Tensor", "Tensor"]:
            for kind, new in ((0, k), (1, v)):
                self._kept[kind, layer, rows, :, at] = new[:, :, 0]
            return self._kept[0, layer, :, :, :longest], self._kept[1, layer, :, :, :longest]

        ids = torch.tensor(tokens)[:, None]
        hidden = self._llama.forward(ids, at[:, None], mask, remember)
        self._lengths = at + 1
        return hidden[:, 0]


def _common(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many first tokens all prompts share, at least one left over in each."""
    shared = min(map(len, prompts)) - 1
    for prompt in prompts[1:]:
        same = 0
        while same < shared and prompt[same] == prompts[0][same]:
            same += 1
        shared = same
    return shared
