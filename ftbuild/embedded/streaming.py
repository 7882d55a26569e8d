"""Completions that are told while they are written, as server-sent events (WHATWG HTML, 2026).

What cannot be answered is refused with a status like any request: the stream begins with the first thing told.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from ftbuild.embedded.chat import Answer, ChatRequest, Choice, Chunks
from ftbuild.embedded.engine import Answerer
from ftbuild.embedded.state import Record
from ftbuild.embedded.weights import Base
from ftbuild.embedded.wire import ApiError


async def streamed(answerer: Answerer, base: Base, adapters: Path | None, request: ChatRequest) -> Response:
    """Return the response that streams the completion; who stops reading stops the writing.

    Raises:
        ApiError: the request cannot be answered.
    """
    loop, news = asyncio.get_running_loop(), News()

    def tell(index: int, choice: Choice) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(news.tell, index, choice)

    answer = asyncio.wrap_future(await run_in_threadpool(answerer.ask, base, adapters, request, tell))
    answer.add_done_callback(lambda _: news.end())
    first = await news.heard()
    if not first:
        await answer
    return StreamingResponse(_events(request, answer, first, news), media_type="text/event-stream")


class News:
    """What was told of growing choices and not heard yet: of each the last, however slowly somebody reads."""

    def __init__(self) -> None:
        self._choices: dict[int, Choice] = {}
        self._ended, self._there = False, asyncio.Event()

    def tell(self, index: int, choice: Choice) -> None:
        """Tell what a choice has grown to."""
        self._choices[index] = choice
        self._there.set()

    def end(self) -> None:
        """Tell that no more comes."""
        self._ended = True
        self._there.set()

    async def heard(self) -> dict[int, Choice]:
        """Return the choices of which there is news, by their numbers; none once all is told."""
        await self._there.wait()
        found, self._choices = self._choices, {}
        if not self._ended:
            self._there.clear()
        return found


async def _events(
    request: ChatRequest,
    answer: "asyncio.Future[Answer]",
    heard: dict[int, Choice],
    news: News,
) -> AsyncIterator[str]:
    chunks = Chunks(request)
    try:
        while heard:
            for index, choice in heard.items():
                for chunk in chunks.of(index, choice):
                    yield _event(chunk)
            heard = await news.heard()
        for chunk in chunks.rest(await answer):
            yield _event(chunk)
    except Exception as error:  # the status is gone already
        refusal = error if isinstance(error, ApiError) else ApiError(f"The server had an error: {error}", status=500)
        yield _event(refusal.body)
    finally:
        answer.cancel()
    yield "data: [DONE]\n\n"


def _event(value: Record) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
