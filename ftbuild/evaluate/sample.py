"""Play dialogues with a model: bounded concurrency, every request of theirs kept under its own name.

A run that was killed plays them again from the start: what was answered comes from the cache, so at most the requests
that were under way are repeated.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import partial
from typing import TypeVar

from ftbuild.completion import Completer, Completion, Dialogue, Prompt
from ftbuild.errors import ProviderError
from ftbuild.evaluate.calls import Calls, digest_of
from ftbuild.evaluate.dialogue import Play
from ftbuild.evaluate.throttle import Throttle

Name = TypeVar("Name", bound=Hashable)


def sample(
    plays: Mapping[Name, Play],
    completer: Completer,
    calls: Calls,
    model: str,
    concurrency: int,
    show: Callable[[int, int], None],
    throttle: Throttle | None = None,
    hear: Callable[[], None] = lambda: None,
) -> dict[Name, Dialogue]:
    """Return each dialogue as it went, in the order of `plays`; `show` gets (ended, all) as they end, and
    `hear` is called while it waits for its turn.

    Equal requests are sent once. After a failure nothing more is sent; what is under way is waited for and kept.

    Raises:
        ProviderError: a request failed (the first one that did); a later call asks for the rest.
    """
    desk = _Desk(plays, calls, model)
    show(len(desk.ended), len(plays))
    if desk.asked:
        through = partial((throttle or Throttle()).through, hear=hear)
        asking = _ask_all(desk, completer, concurrency, through, lambda n: show(n, len(plays)))
        if failures := asyncio.run(asking):
            raise failures[0]
    return {name: desk.ended[name] for name in plays}


class _Desk:
    """Where the dialogues stand: those that ended, and those that wait for an answer, by the digest of the request."""

    def __init__(self, plays: Mapping[Name, Play], calls: Calls, model: str) -> None:
        self.ended: dict[Hashable, Dialogue] = {}
        self.asked: deque[tuple[str, Prompt]] = deque()
        self.model = model
        self._plays, self._calls = plays, calls
        self._waiting: dict[str, list[Hashable]] = {}
        for name, each in plays.items():
            self._go_on(name, next(each), self.asked.append)

    def keep(self, digest: str, prompt: Prompt, answer: Completion) -> None:
        """Keep an answer, and let those who waited for it go on; what they ask next is asked next."""
        kept = self._calls.put(digest, answer, self.model, prompt)  # another client's, where it was first
        for name in self._waiting.pop(digest):
            self._tell(name, kept)

    def _tell(self, name: Hashable, answer: Completion) -> None:
        try:
            prompt = self._plays[name].send(answer)  # type: ignore[index]
        except StopIteration as stop:
            self.ended[name] = stop.value
        else:
            self._go_on(name, prompt, self.asked.appendleft)  # so that dialogues end one by one

    def _go_on(self, name: Hashable, prompt: Prompt, ask: Callable[[tuple[str, Prompt]], None]) -> None:
        digest = digest_of(self.model, prompt.messages, prompt.parameters, prompt.sample)
        if digest in self._waiting:
            self._waiting[digest].append(name)
        elif (kept := self._calls.get(digest)) is not None:
            self._tell(name, kept)
        else:
            self._waiting[digest] = [name]
            ask((digest, prompt))


async def _ask_all(
    desk: _Desk,
    completer: Completer,
    concurrency: int,
    through: Callable[[Callable[[], Awaitable[Completion]]], Awaitable[Completion]],
    show: Callable[[int], None],
) -> list[ProviderError]:
    """Ask with `concurrency` askers that share one queue; return the failures, of each asker one at most."""
    failures: list[ProviderError] = []

    async def ask() -> None:
        while desk.asked and not failures:
            digest, prompt = desk.asked.popleft()
            try:
                ask_it = partial(completer.complete, desk.model, prompt.messages, prompt.parameters)
                answer = await through(ask_it)
            except ProviderError as error:
                failures.append(error)
            else:
                desk.keep(digest, prompt, answer)
                show(len(desk.ended))

    try:
        await asyncio.gather(*(ask() for _ in range(min(concurrency, len(desk.asked)))))
    finally:
        await completer.close()
    return failures
