"""The seam behind the routes: who runs jobs and who answers.

Two implementations of both: torch (jobs.py with trainer.py, sampler.py), and scripted (scripted.py),
which needs no torch. The routes and the server know only what is here; what goes wrong in a rehearsal
stands around the routes, and in the scripted jobs (faults.py).
"""

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from ftbuild.embedded.chat import DEFAULT_MAX_TOKENS, Answer, ChatRequest, Tell
from ftbuild.embedded.embeddings import Embedded, EmbeddingRequest
from ftbuild.embedded.state import Record
from ftbuild.embedded.template import Lesson, TooLongError, UnwritableError, texts
from ftbuild.embedded.weights import Base
from ftbuild.embedded.wire import ApiError


class JobQueue(Protocol):
    """Runs the jobs of one server to their ends."""

    @property
    def live(self) -> bool:
        """Whether a job runs or waits."""
        ...

    def add(self, job: Record) -> None:
        """Keep a job and start it when its turn comes."""
        ...

    def cancel(self, job_id: str) -> bool:
        """End a job and wait until it has ended; False if it already had."""
        ...

    def pause(self, job_id: str) -> bool:
        """Let a job stand still, and wait until it does; False if it has ended."""
        ...

    def resume(self, job_id: str) -> bool:
        """Let a job that stands still wait for its turn again; False if it has ended."""
        ...

    def stop(self) -> None:
        """Train no more, for the server ends; what has not ended goes on with the next server."""
        ...


class Answerer(Protocol):
    """Answers the completions of one server."""

    def ask(
        self, base: Base, adapters: Path | None, request: ChatRequest, tell: Tell | None = None
    ) -> "Future[Answer]":
        """Return the answer to come; it fails with ApiError where the request cannot be answered.

        `tell` may be told, in any thread, how the choices grow. An answer that is cancelled is written no further.
        """
        ...

    def embed(self, base: Base, adapters: Path | None, request: EmbeddingRequest) -> "Future[Embedded]":
        """Return the vectors to come; it fails with ApiError where a text cannot be read."""
        ...

    def stop(self) -> None:
        """Answer no more; what still waits is not answered."""
        ...


class Reader(Protocol):
    """How a model reads a conversation: what `Template` does with a tokenizer, `Words` without one."""

    context: int

    def prompt(self, messages: Sequence[Record], tools: Sequence[Record] = (), *, parallel: bool = True) -> list[int]:
        """Return the token ids after which the model answers.

        Messages and tools are as chat completions and training lines spell them; `parallel` is the flag
        `parallel_tool_calls`. The ids are the beginning of those of a lesson that goes on with an answer.

        Raises:
            TooLongError: they surely are more than fit into the context.
            UnwritableError: the template of the model refuses them.
        """
        ...

    def lesson(self, messages: Sequence[Record], tools: Sequence[Record] = (), *, parallel: bool = True) -> Lesson:
        """Return the conversation to learn from, with the tools that it may call.

        Raises:
            UnwritableError: the template of the model refuses it, or changes what was said.
        """
        ...

    def special_in(self, text: str) -> str | None:
        """Return the first special token that the text spells, None if there is none."""
        ...


def read_prompt(reader: Reader, request: ChatRequest) -> tuple[list[int], int]:
    """Return the prompt of a request and how many tokens its answer may have.

    Raises:
        ApiError: a message spells a special token, or prompt and answer do not fit into the context.
    """
    for index, message in enumerate(request.messages):
        if token := reader.special_in("\n".join(texts([message], ()))):
            raise ApiError(f"messages[{index}].content contains an invalid token: {token}.", param="messages")
    if token := reader.special_in("\n".join(texts((), request.tools))):
        raise ApiError(f"tools contain an invalid token: {token}.", param="tools")
    try:
        prompt = reader.prompt(request.messages, request.tools, parallel=request.parallel)
    except TooLongError as error:
        raise _too_long(reader, f"your messages resulted in more than {reader.context} tokens") from error
    except UnwritableError as error:
        raise ApiError(f"'messages' cannot be written: {error}.", param="messages", code="invalid_value") from error
    room = reader.context - len(prompt)
    max_tokens = request.max_tokens or min(DEFAULT_MAX_TOKENS, room)
    if room < 1:
        raise _too_long(reader, f"your messages resulted in {len(prompt)} tokens")
    if max_tokens > room:
        asked = f"{len(prompt)} tokens in the messages and {max_tokens} in the completion"
        raise _too_long(reader, f"you requested {asked}")
    return prompt, max_tokens


def _too_long(reader: Reader, what: str) -> ApiError:
    message = f"This model's maximum context length is {reader.context} tokens. However, {what}."
    return ApiError(message, param="messages", code="context_length_exceeded")
