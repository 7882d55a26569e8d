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
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[tuple[int, Choice] | None] = asyncio.Queue()

    def tell(index: int, choice: Choice) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(told.put_nowait, (index, choice))

    answer = asyncio.wrap_future(await run_in_threadpool(answerer.ask, base, adapters, request, tell))
    answer.add_done_callback(lambda _: told.put_nowait(None))
    first = await told.get()
    if first is None:
        await answer
    return StreamingResponse(_events(request, answer, first, told), media_type="text/event-stream")


async def _events(
    request: ChatRequest,
    answer: "asyncio.Future[Answer]",
    first: tuple[int, Choice] | None,
    told: "asyncio.Queue[tuple[int, Choice] | None]",
) -> AsyncIterator[str]:
    chunks = Chunks(request)
    try:
        while first is not None:
            for chunk in chunks.of(*first):
                yield _event(chunk)
            first = await told.get()
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
