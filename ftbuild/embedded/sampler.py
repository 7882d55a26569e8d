"""Completions and embeddings with torch: requests that come while others are answered join them.

Owns the models in memory and the batches, one of each model that is asked. Knows nothing of HTTP. A base model is read
once; a fine-tuned one is the base with its adapters merged into a copy, and shares all that they do not change.
"""

import copy
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from ftbuild.embedded.chat import Answer, ChatRequest, Tell
from ftbuild.embedded.constraints import Guide, grammar_of
from ftbuild.embedded.embeddings import Embedded, EmbeddingRequest
from ftbuild.embedded.engine import read_prompt
from ftbuild.embedded.prefixes import Prefixes
from ftbuild.embedded.rows import ROWS_AT_MOST, Rows
from ftbuild.embedded.template import Template
from ftbuild.embedded.weights import Base
from ftbuild.embedded.wire import ApiError
from ftbuild.embedded.writing import Asked, Writing

if TYPE_CHECKING:
    from torch import Tensor

    from ftbuild.embedded.llama import Llama

MODELS_AT_MOST = 3
SECONDS_TO_STOP = 5.0  # a pass over a long prompt may take longer
TOKENS_AT_ONCE = 2048  # of embedded texts, in one pass
WORTH_SHARING = 8  # tokens that new rows have in common, below which each reads its own
DONE = object()
Model = tuple[Path, Path | None]  # base, adapters


class Sampler:
    """A thread that answers what waits. Implements Answerer."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._waiting: list[Writing] = []
        self._batches: dict[Model, Batch] = {}
        self._embedding: list[Iterator[None]] = []
        self._embed_at = 0.0
        self._models: OrderedDict[Model, Llama] = OrderedDict()
        self._prefixes = Prefixes()
        self._reading = threading.Lock()
        self._templates: dict[Path, Template] = {}
        self._guides: dict[Path, Guide] = {}
        self._forgetting = self._stopped = False
        self._thread = threading.Thread(target=self._work, name="sampler", daemon=True)
        self._thread.start()

    def ask(
        self, base: Base, adapters: Path | None, request: ChatRequest, tell: Tell | None = None
    ) -> "Future[Answer]":
        """Read a request, and queue it; the future fails with ApiError where it cannot be answered."""
        try:
            asked = self._read(base.folder, adapters, request, tell)
            rows = [Writing(asked, index) for index in range(request.n)]
        except Exception as error:  # goes to who asked
            failed: Future[Answer] = Future()
            failed.set_exception(error)
            return failed
        self._queue.put(lambda: self._waiting.extend(rows))
        return asked.future

    def embed(self, base: Base, adapters: Path | None, request: EmbeddingRequest) -> "Future[Embedded]":
        """Queue texts; the future fails with ApiError where one cannot be read."""
        future: Future[Embedded] = Future()
        self._queue.put(lambda: self._embedding.append(self._embedded(base, adapters, request, future)))
        return future

    def unload(self) -> None:
        """Let go of the models, as soon as nothing is being answered."""
        self._forgetting = True
        self._queue.put(None)

    def stop(self) -> None:
        """End the thread; what still waits is not answered."""
        self._stopped = True
        self._queue.put(None)
        self._thread.join(SECONDS_TO_STOP)

    def _read(self, base: Path, adapters: Path | None, request: ChatRequest, tell: Tell | None) -> Asked:
        template = self._template(base)
        prompt, max_tokens = read_prompt(template, request)
        grammar = grammar_of(request, template.form)
        needs_guide = grammar is not None or request.top_logprobs is not None
        guide = self._guide(base, template) if needs_guide else None
        return Asked((base, adapters), request, template, prompt, max_tokens, grammar, guide, tell)

    def _template(self, base: Path) -> Template:
        with self._reading:
            if base not in self._templates:
                self._templates[base] = Template(base)
            return self._templates[base]

    def _guide(self, base: Path, template: Template) -> Guide:
        with self._reading:
            if base not in self._guides:
                self._guides[base] = Guide(template)
            return self._guides[base]

    def _work(self) -> None:
        work = self._queue.get()  # torch is not loaded before somebody asks
        if work is None and self._stopped:
            return
        import torch

        torch.set_num_threads(self._threads)
        self._queue.put(work)
        with torch.inference_mode():
            while not self._stopped:
                self._take_up()
                self._admit()
                for model, batch in list(self._batches.items()):
                    if not batch.go_on():
                        del self._batches[model]
                self._embed_on()
                if self._forgetting and not self._busy:
                    self._models.clear()
                    self._prefixes.clear()
                    self._forgetting = False

    @property
    def _busy(self) -> bool:
        return bool(self._batches or self._waiting or self._embedding)

    def _take_up(self) -> None:
        """Do what was queued; wait for it where nothing else is to be done."""
        idle = not self._busy
        while True:
            try:
                work = self._queue.get(block=idle)
            except queue.Empty:
                return
            idle = False
            if work is not None:
                work()

    def _admit(self) -> None:
        """Let the rows that wait join the batches of their models, as far as there is room."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            model = one.asked.model
            if one.asked.future.done():
                continue
            try:
                if model not in self._batches:
                    self._batches[model] = Batch(model, self.llama(model), self._prefixes)
            except Exception as error:  # an answer must come, whatever broke
                one.asked.fail(error)
                continue
            if not self._batches[model].join(one):
                self._waiting.append(one)

    def _embed_on(self) -> None:
        """Read some of the texts that are to be embedded; answers then get as much time as that took."""
        begun = time.monotonic()
        if not self._embedding or (self._batches and begun < self._embed_at):
            return
        reading = self._embedding.pop(0)
        if next(reading, DONE) is not DONE:
            self._embedding.append(reading)
        self._embed_at = 2 * time.monotonic() - begun

    def _embedded(
        self, base: Base, adapters: Path | None, request: EmbeddingRequest, future: "Future[Embedded]"
    ) -> Iterator[None]:
        """Read the texts of a request, some at a time, and settle its future; stop where nobody waits for it."""
        try:
            tokens = [_tokens_of(self._template(base.folder), each) for each in request.inputs]
            vectors: dict[int, list[float]] = {}
            for some in pooled(self.llama((base.folder, adapters)), tokens):
                vectors |= some
                yield
                if future.cancelled():
                    return
            found = Embedded([vectors[number] for number in range(len(tokens))], sum(map(len, tokens)))
        except Exception as error:  # goes to who asked
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
        else:
            if future.set_running_or_notify_cancel():
                future.set_result(found)

    def llama(self, model: Model) -> "Llama":
        """Return the model with its adapters merged, from disk unless it is loaded."""
        from ftbuild.embedded.llama import Llama, fast_dtype
        from ftbuild.embedded.lora import Lora

        base, adapters = model
        if model not in self._models:
            if adapters is None:
                found = Llama(base, fast_dtype(base))
                found.rows_at_once = ROWS_AT_MOST
            else:
                found = copy.copy(self.llama((base, None)))
                found.fused = dict(found.fused)
                found.merge(Lora.read(adapters).fused(found))
            self._models[model] = found
            while len(self._models) > MODELS_AT_MOST:
                self._models.popitem(last=False)
        self._models.move_to_end(model)
        return self._models[model]


class Batch:
    """The rows of one model."""

    def __init__(self, model: Model, llama: "Llama", prefixes: Prefixes) -> None:
        self._model, self._llama, self._prefixes = model, llama, prefixes
        self._rows = Rows(llama)
        self._writing: list[Writing] = []  # row by row
        self._next: list[int] = []  # the token that each row has chosen, and not read yet
        self._new: list[Writing] = []

    def join(self, one: Writing) -> bool:
        """Let a row join the next pass; False if there is no room for it now."""
        longest = max(len(each.asked.prompt) + each.asked.max_tokens for each in (one, *self._new))
        if not self._rows.room(longest, len(self._new)):
            return False
        self._new.append(one)
        return True

    def go_on(self) -> bool:
        """Write a token in every row, the first one in new rows; return whether rows are left."""
        try:
            if self._writing:
                self._drop([row for row, one in enumerate(self._writing) if one.asked.future.done()])
            if self._writing:
                self._choose(self._rows.read(0, [[token] for token in self._next]), 0)
            if self._new:
                self._read_new()
        except Exception as error:  # an answer must come, whatever broke
            for one in (*self._writing, *self._new):
                one.asked.fail(error)
            return False
        return bool(self._writing)

    def _read_new(self) -> None:
        """Read the prompts of new rows, from where they differ from what was read before."""
        new, self._new = self._new, []
        shared = _common([one.asked.prompt for one in new])
        for one in new:
            if one.asked.n_known is None:
                one.asked.n_known = _length(self._known(one, len(one.asked.prompt) - 1))
        known = _length(self._known(new[0], shared))
        first = len(self._writing)
        if len(new) > 1 and shared - known >= WORTH_SHARING:
            self._join(new[0], shared)
            self._rows.read(first, [new[0].asked.prompt[known:shared]])
            self._keep(first, new[0].asked.prompt[:shared])
            self._rows.leave(first)
        tails = []
        for one in new:
            prompt = one.asked.prompt
            tails.append(prompt[self._join(one, len(prompt) - 1) :])
        hidden = self._rows.read(first, tails)
        for row, one in enumerate(new, first):
            self._keep(row, one.asked.prompt)
        self._writing += new
        self._next += [0] * len(new)
        self._choose(hidden, first)

    def _join(self, one: Writing, most: int) -> int:
        """Add a row that begins with what is known of at most so many tokens of its prompt; return how many are."""
        beginning = self._known(one, most)
        self._rows.join(beginning, len(one.asked.prompt) + one.asked.max_tokens)
        return _length(beginning)

    def _known(self, one: Writing, most: int) -> "list[Tensor]":
        return self._prefixes.beginning(self._model, one.asked.prompt[:most])

    def _keep(self, row: int, tokens: Sequence[int]) -> None:
        self._prefixes.add(self._model, tokens, lambda start, end: self._rows.kept(row, start, end))

    def _choose(self, hidden: "Tensor", first: int) -> None:
        """Choose the next token of the rows from `first` on; rows that have ended leave."""
        scores = self._llama.logits(hidden)
        ended = []
        for number in range(len(hidden)):
            row, one = first + number, self._writing[first + number]
            token = one.go_on(self._llama, hidden[number], scores[number])
            if token is None:
                ended.append(row)
                self._keep(row, [*one.asked.prompt, *one.ids][: self._rows.lengths[row]])
            else:
                self._next[row] = token
        self._drop(ended)

    def _drop(self, rows: Sequence[int]) -> None:
        for row in sorted(rows, reverse=True):
            self._rows.leave(row)
            last, next_of_last = self._writing.pop(), self._next.pop()
            if row < len(self._writing):
                self._writing[row], self._next[row] = last, next_of_last


def _length(pieces: "Sequence[Tensor]") -> int:
    return sum(piece.shape[-2] for piece in pieces)


def _common(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many first tokens all prompts share, at least one left over in each."""
    shared = min(map(len, prompts)) - 1
    for prompt in prompts[1:]:
        same = 0
        while same < shared and prompt[same] == prompts[0][same]:
            same += 1
        shared = same
    return shared


def _tokens_of(template: Template, given: str | list[int]) -> list[int]:
    """Return the tokens of an input that is to be embedded.

    Raises:
        ApiError: it is too long, or one of its tokens is none.
    """
    if isinstance(given, str):
        if template.exceeds(given):
            raise _too_long(template, f"more than {template.context}")
        given = template.ids(given)
    if len(given) > template.context:
        raise _too_long(template, str(len(given)))
    if any(not 0 <= token < template.tokenizer.get_vocab_size() for token in given):
        raise ApiError("'input' has a token id that this model does not know.", param="input", code="invalid_value")
    return given


def _too_long(template: Template, n_tokens: str) -> ApiError:
    message = f"This model's maximum context length is {template.context} tokens, however you requested "
    return ApiError(f"{message}{n_tokens} tokens.", param="input", code="context_length_exceeded")


def pooled(llama: "Llama", texts: Sequence[Sequence[int]]) -> Iterator[dict[int, list[float]]]:
    """Yield the mean of each text's last hidden states, brought to length 1, by its number: some texts at a time."""
    import torch

    from ftbuild.embedded.llama import encode

    waiting = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    while waiting:
        n_rows = max(1, min(len(waiting), TOKENS_AT_ONCE // len(texts[waiting[0]])))
        while n_rows > 1 and n_rows * len(texts[waiting[n_rows - 1]]) > TOKENS_AT_ONCE:
            n_rows -= 1
        rows, waiting = waiting[:n_rows], waiting[n_rows:]
        lengths = torch.tensor([len(texts[number]) for number in rows])
        ids = torch.zeros(n_rows, int(lengths.max()), dtype=torch.long)
        for row, number in enumerate(rows):
            ids[row, : len(texts[number])] = torch.tensor(texts[number])
        hidden, _ = encode(llama, ids)
        inside = torch.arange(ids.shape[1]) < lengths[:, None]
        means = (hidden.float() * inside[:, :, None]).sum(dim=1) / lengths[:, None]
        vectors = means / means.norm(dim=1, keepdim=True)
        yield dict(zip(rows, vectors.tolist(), strict=True))
