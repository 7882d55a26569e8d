"""When a request may go out: what a provider wants is heard by all askers at once.

One asker that is told to wait (429 or 503 with Retry-After, RFC 9110, 10.2.3) makes all of them wait, so that a
provider under load is asked once, not once for each asker. Knows nothing of what is asked.
"""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ftbuild.errors import ProviderError

T = TypeVar("T")

BUSY = (429, 503)
PASSING = (None, 408, 409, 425, *BUSY)  # and all from 500 on
NO_USE = ("insufficient_quota", "billing_hard_limit_reached")  # a 429 that waiting does not mend
TRIES, TRIES_UNHEARD = 10, 3  # of one request; where nobody answers
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
PATIENCE_SECONDS = 900.0  # whoever wants to be left alone for longer is not waited for
LOOK_SECONDS = 0.5


class Throttle:
    """Lets requests out, `per_minute` at most, and none before the provider wants any again.

    Threads may share it: one for all that ask the same provider.
    """

    def __init__(
        self,
        per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._pace = 60 / per_minute if per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._opens = self._next = 0.0
        self._one_at_a_time = threading.Lock()

    async def through(self, ask: Callable[[], Awaitable[T]], hear: Callable[[], None] = lambda: None) -> T:
        """Return what `ask` returns, asked again while it fails in a way that passes.

        `hear` is called now and then while it waits; what it raises ends the waiting.

        Raises:
            ProviderError: the last failure, of one that does not pass the first.
        """
        tried = 0
        while True:
            await self._turn(hear)
            try:
                return await ask()
            except ProviderError as error:
                tried += 1
                wait = error.retry_after if error.retry_after is not None else _pause(tried)
                if not _passes(error) or tried >= _tries(error) or wait > PATIENCE_SECONDS:
                    raise
                if error.status in BUSY:
                    with self._one_at_a_time:
                        self._opens = max(self._opens, self._clock() + wait)
                else:
                    await self._until(self._clock() + wait, hear)

    async def _turn(self, hear: Callable[[], None]) -> None:
        """Wait until the provider wants requests and it is this one's turn."""
        while True:
            await self._until(self._opens, hear)
            if self._pace:
                with self._one_at_a_time:
                    mine = self._next = max(self._next + self._pace, self._clock())
                await self._until(mine, hear)
            if self._clock() >= self._opens:  # nobody was told to wait meanwhile
                return

    async def _until(self, when: float, hear: Callable[[], None]) -> None:
        while (left := when - self._clock()) > 0:
            hear()
            await self._sleep(min(left, LOOK_SECONDS))


def _passes(error: ProviderError) -> bool:
    return error.code not in NO_USE and (error.status in PASSING or (error.status or 0) >= 500)


def _tries(error: ProviderError) -> int:
    return TRIES_UNHEARD if error.status is None else TRIES


def _pause(tried: int) -> float:
    """Return how long to wait where nothing is said of it: twice as long each time, spread over a quarter of that."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** (tried - 1), LONGEST_PAUSE_SECONDS) * random.uniform(0.75, 1.0)
