"""The wire client: OpenAI's protocol through its SDK, answers as plain values, errors as ours.

A job is created with the SDK's retries off: it repeats a create up to three times by default,
and no idempotency key is sent (openai-python 3.54). Reads keep two retries.
"""

import json
import time
from collections.abc import AsyncIterator, Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2  # what the SDK stands on, and installs
import openai
from openai import AsyncOpenAI, OpenAI
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob

from ftbuild.chat import Message, ToolCall
from ftbuild.completion import UNREADABLE, Completion, Likelihood
from ftbuild.errors import ProviderError
from ftbuild.ledger.port import CREATE_TIMEOUT_SECONDS, JobEvent, JobRequest, JobState
from ftbuild.problem import Problem
from ftbuild.providers import shapes

if TYPE_CHECKING:
    from ssl import SSLContext

Client = TypeVar("Client", OpenAI, AsyncOpenAI)

READ_RETRIES = 2
FILE_WAIT_SECONDS = 60.0
FILE_PAUSE_SECONDS, FILE_PAUSE_AT_MOST = 0.2, 5.0
FILE_ENDS = ("processed", "error", "deleted")
COMPLETION_TIMEOUT_SECONDS = 900.0
LOOK_TIMEOUT_SECONDS = 3.0
LIST_RETRIES = 5  # a long download outlives a restart at the other end
LIST_TIMEOUT_SECONDS = 60.0
PAGE = 100  # the most that OpenAI gives at once
NEWS = 20  # events asked for at once where the earlier ones are known
FORBIDDEN = 403
NO_ROUTE = (404, 405, 501)


class WireClient:
    """One provider, spoken to through its `base_url`. Implements the ledger's JobProvider.

    `statuses` maps what it calls the status of a job to what OpenAI does. `is_openai` lets the SDK send what it finds
    in the environment for an account at OpenAI: OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS. One that is
    `hurried` asks everything once and waits three seconds at most.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        name: str,
        statuses: Mapping[str, str] | None = None,
        *,
        is_openai: bool = False,
        hurried: bool = False,
        file_wait_seconds: float = FILE_WAIT_SECONDS,
    ) -> None:
        self._name = name
        self._is_openai, self._file_wait_seconds = is_openai, file_wait_seconds
        self._statuses = statuses or {}
        client = openai.DefaultHttpxClient(verify=_trusted())
        made = OpenAI(base_url=base_url, api_key=api_key, max_retries=READ_RETRIES, http_client=client)
        self._client = self._closed(made)
        self._once = self._closed(made.with_options(max_retries=0, timeout=CREATE_TIMEOUT_SECONDS))
        self._quick = self._closed(made.with_options(max_retries=0, timeout=LOOK_TIMEOUT_SECONDS))
        self._client = self._quick if hurried else self._client
        self._patient = self._closed(made.with_options(max_retries=LIST_RETRIES, timeout=LIST_TIMEOUT_SECONDS))
        self._async: AsyncOpenAI | None = None
        self._address = (base_url, api_key)

    def upload(self, path: Path, name: str) -> str:
        """Send a training file, wait a while until it is processed, and return its id.

        One that is not processed by then, or of which no status is told, is there all the same: a job reads it when it
        is ready, or is refused until then.

        Raises:
            ProviderError: it is refused.
        """
        with self._translated(), path.open("rb") as content:
            file = self._file(self._client.files.create(file=(name, content), purpose="fine-tune"))
            pause, left = FILE_PAUSE_SECONDS, self._file_wait_seconds
            while file.status and file.status not in FILE_ENDS and left > 0:
                time.sleep(pause)
                left, pause = left - pause, min(2 * pause, FILE_PAUSE_AT_MOST)
                file = self._file(self._client.files.retrieve(file.id))
        if file.status == "error":
            raise self._error(f"file {file.id} is refused: {file.status_details or 'no reason given'}", status=400)
        return file.id

    def has_file(self, file_id: str) -> bool:
        """Return whether a file sent before is still there and can be used."""
        try:
            with self._translated():
                return self._file(self._client.files.retrieve(file_id)).status not in ("error", "deleted")
        except ProviderError as error:
            if error.status != 404:
                raise
            return False

    def file_content(self, file_id: str) -> bytes:
        """Return the bytes of a file, as the provider gives them."""
        with self._translated():
            return self._client.files.content(file_id).content

    def create_job(self, request: JobRequest) -> JobState:
        """Create a job with one POST, never repeated."""
        body: dict[str, Any] = request.to_json()
        extra = {name: body.pop(name) for name in request.extra_body}
        with self._translated():
            return self._job(self._once.fine_tuning.jobs.create(**body, extra_body=extra or None))

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:
        """Return the jobs that carry `metadata`, and those of which no metadata is told, oldest first.

        Raises:
            ProviderError: no answer, a refusal, or an answer that is no list: to take it for an empty one would be
                to launch again.
        """
        listed = self._client.fine_tuning.jobs.with_raw_response.list
        pages = self._listed(partial(listed, metadata=dict(metadata), limit=PAGE))
        found = [self._told(each) for each in pages]
        told = [(job, job.raw.get("metadata") or metadata) for job in found]
        mine = [job for job, theirs in told if dict(theirs).items() >= dict(metadata).items()]
        return sorted(mine, key=lambda job: (job.created_at, job.id))

    def retrieve_job(self, job_id: str) -> JobState:
        """Return the job as it is now."""
        with self._translated():
            return self._job(self._client.fine_tuning.jobs.retrieve(job_id))

    def glance_at_job(self, job_id: str) -> JobState:
        """Return the job as it is now, asking once and waiting three seconds at most."""
        with self._translated():
            return self._job(self._quick.fine_tuning.jobs.retrieve(job_id))

    def cancel_job(self, job_id: str) -> JobState:
        """Ask for the end of a job."""
        with self._translated():
            return self._job(self._client.fine_tuning.jobs.cancel(job_id))

    def pause_job(self, job_id: str) -> JobState:
        """Ask a job to stand still."""
        with self._translated():
            return self._job(self._client.fine_tuning.jobs.pause(job_id))

    def resume_job(self, job_id: str) -> JobState:
        """Ask a paused job to go on."""
        with self._translated():
            return self._job(self._client.fine_tuning.jobs.resume(job_id))

    def job_events(self, job_id: str, known: Container[str] = ()) -> list[JobEvent]:
        """Return the events whose ids are not `known`, oldest first; no page is read behind one with nothing new."""
        listed = self._client.fine_tuning.jobs.with_raw_response.list_events
        limit = NEWS if known else PAGE
        events: list[JobEvent] = []
        for page in self._pages(partial(listed, job_id, limit=limit)):
            fresh = [shapes.event(each, self._address[1]) for each in page if each["id"] not in known]
            events += fresh
            if page and not fresh:
                break
        return events[::-1]

    def job_checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        """Return the checkpoints, by step; none where a provider has no such list."""
        try:
            listed = self._client.fine_tuning.jobs.checkpoints.with_raw_response.list
            found = map(shapes.checkpoint, self._listed(partial(listed, job_id, limit=PAGE)))
            return sorted((each for each in found if each is not None), key=lambda each: each["step_number"])
        except ProviderError as error:
            if error.status not in NO_ROUTE:
                raise
            return []

    def count_models(self) -> int:
        """Return how many models the provider lists.

        Raises:
            ProviderError: no answer within a few seconds, or a refusal.
        """
        with self._translated():
            answer = self._quick.models.with_raw_response.list().http_response
        return len(self._page(answer)["data"])

    def shutdown_date(self, model: str) -> str | None:
        """Return when a model goes (YYYY-MM-DD), None where the provider does not say.

        It does not say where it has no such list, or where the key may do other things but not see it (403).

        Raises:
            ProviderError: no answer within a few seconds, or a refusal.
        """
        try:
            with self._translated():
                found = self._quick.models.retrieve(model)
        except ProviderError as error:
            if error.status not in (FORBIDDEN, *NO_ROUTE):
                raise
            return None
        said = getattr(found, "shutdown_date", None)
        return said[:10] if isinstance(said, str) and said else None

    async def complete(self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> Completion:
        """Return the answer of `model` to the messages, asked for once: the one who asks knows when to ask again."""
        started = time.monotonic()
        sent: Any = [message.to_json() for message in messages]
        create = self._asynchronous().chat.completions.with_raw_response.create
        with self._translated():
            response = (await create(model=model, messages=sent, **dict(parameters))).http_response
        text, seconds = response.content.decode(errors="replace"), round(time.monotonic() - started, 3)
        told = _json(text)
        if not isinstance(told, dict) or "choices" not in told:
            error = told.get("error") if isinstance(told, dict) else None
            said = error.get("message") if isinstance(error, dict) else None
            raise self._error(str(said or "an answer without a completion"), status=response.status_code)
        try:
            return _completion(told, text, seconds)
        except (TypeError, LookupError, AttributeError):
            return Completion("", UNREADABLE, seconds, raw=text)  # it was paid for, and asked again it is as it was

    async def stream(
        self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]
    ) -> AsyncIterator[Completion]:
        """Yield the answer of `model` to the messages as it grows, whole each time; the last one says how it ended.

        Raises:
            ProviderError: no answer, or a refusal, which may come in the middle.
        """
        sent: Any = [message.to_json() for message in messages]
        content, ended, started = "", "", time.monotonic()
        calls: dict[int, ToolCall] = {}
        create = self._asynchronous().chat.completions.create
        with self._translated():
            async for chunk in await create(model=model, messages=sent, stream=True, **dict(parameters)):
                for choice in chunk.choices:
                    content += choice.delta.content or ""
                    ended = choice.finish_reason or ended
                    for part in choice.delta.tool_calls or ():
                        call, said = calls.get(part.index, ToolCall("", "", "")), part.function
                        name, more = (said.name or "", said.arguments or "") if said else ("", "")
                        calls[part.index] = ToolCall(part.id or call.id, call.name + name, call.arguments + more)
                seconds = round(time.monotonic() - started, 3)
                yield Completion(_whole_letters(content), ended, seconds, tool_calls=tuple(calls.values()))
        if not ended:
            raise self._error("an answer that breaks off")

    def _asynchronous(self) -> AsyncOpenAI:
        if self._async is None:
            base_url, api_key = self._address
            self._async = self._closed(
                AsyncOpenAI(
                    base_url=base_url,
                    api_key=api_key,
                    max_retries=0,
                    timeout=COMPLETION_TIMEOUT_SECONDS,
                    http_client=openai.DefaultAsyncHttpxClient(verify=_trusted()),
                )
            )
        return self._async

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, in their order.

        Raises:
            ProviderError: no answer, a refusal, or an answer with another number of vectors.
        """
        asked = self._client.with_options(timeout=COMPLETION_TIMEOUT_SECONDS)
        with self._translated():
            answer = asked.embeddings.create(model=model, input=list(texts), encoding_format="float")
        found = sorted(getattr(answer, "data", None) or (), key=lambda each: each.index)
        if [each.index for each in found] != list(range(len(texts))):
            raise self._error("an answer without a vector for each text")
        return [each.embedding for each in found]

    def stored_completions(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the stored chat completions as the provider sent them, oldest first, each once.

        `asked` may hold `model` and `metadata`; what is stored meanwhile comes too.

        Raises:
            ProviderError: no answer, a refusal, or a server that stores none.
        """
        listed = self._patient.chat.completions.with_raw_response.list
        begun = False
        try:
            for each in self._listed(partial(listed, order="asc", limit=PAGE, **asked)):
                begun = True
                yield each
        except ProviderError as error:
            if begun or error.status not in NO_ROUTE:
                raise
            what = f"{error.problems[0].what} ({error.status}): no stored chat completions are to be had here"
            fix = "ask a provider that keeps them; an address usually ends in /v1."
            raise ProviderError(Problem(what, fix=fix), status=error.status, code=error.code) from error

    def stored_messages(self, completion_id: str) -> list[dict[str, Any]] | None:
        """Return the messages that a stored completion answers, None when it is no longer stored.

        Raises:
            ProviderError: no answer, a refusal, or a server that keeps completions without their messages.
        """
        stored = self._patient.chat.completions
        try:
            listed = stored.messages.with_raw_response.list
            return list(self._listed(partial(listed, completion_id, order="asc", limit=PAGE)))
        except ProviderError as error:
            if error.status != 404:
                raise
            try:
                with self._translated():
                    stored.retrieve(completion_id)
            except ProviderError as gone:
                if gone.status == 404:
                    return None
                raise
            raise

    def _closed(self, client: Client) -> Client:
        """Return the client without what the SDK took from the environment for OpenAI; each copy takes it anew."""
        if not self._is_openai:
            client.organization = client.project = client.admin_api_key = None
            client._custom_headers = {}  # the SDK has no other way
        return client

    def hang_up(self) -> None:
        """Close the connections of all that is not asynchronous; the client is of no more use."""
        self._client.close()

    async def close(self) -> None:
        """Close all connections; the client is of no more use."""
        self.hang_up()
        if self._async is not None:
            await self._async.close()

    def _listed(self, listed: Callable[..., Any]) -> Iterator[dict[str, Any]]:
        """Yield what all pages of a list hold, each id once: a list may move between two pages.

        Raises:
            ProviderError: an answer that is no page, or a page that comes again and again.
        """
        for page in self._pages(listed):
            yield from page

    def _pages(self, listed: Callable[..., Any]) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a list without what an earlier one held."""
        seen: set[str] = set()
        cursors: set[str] = set()
        after: dict[str, str] = {}
        while True:
            with self._translated():
                answer = listed(**after).http_response
            page = self._page(answer)
            yield list({each["id"]: each for each in page["data"] if each["id"] not in seen}.values())
            seen.update(each["id"] for each in page["data"])
            last = page["data"][-1]["id"] if page["data"] else None
            more = page.get("has_more")
            if more is False or (more is None and (last is None or last in cursors)):
                return
            if last is None or last in cursors:
                raise self._error("a list that does not move on: it has more, and gives the same page again")
            cursors.add(last)
            after = {"after": last}

    def _page(self, answer: "httpx2.Response") -> dict[str, Any]:
        """Return a page of a list; not by way of the SDK's types, which do not know what another server adds."""
        try:
            found = answer.json()
        except ValueError:
            found = None
        listed = found.get("data") if isinstance(found, dict) else None
        if not isinstance(listed, list) or not all(
            isinstance(each, dict) and _is_id(each.get("id")) for each in listed
        ):
            raise self._error("an answer that is no list")
        return dict(found)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except openai.APIStatusError as error:
            body = error.body if isinstance(error.body, dict) else {}
            said = self._error(body.get("message") or error.message, error.status_code, error.code)
            said.retry_after = _retry_after(error.response.headers)
            raise said from error
        except openai.APIConnectionError as error:
            raise self._error(f"no answer ({error.__cause__ or error})") from error
        except openai.OpenAIError as error:
            raise self._error(str(error)) from error

    def _error(self, what: str, status: int | None = None, code: str | None = None) -> ProviderError:
        """Return the error; a server may repeat the key that it refuses, we do not."""
        return ProviderError(
            Problem(f"{self._name}: {shapes.without(self._address[1], what)}"), status=status, code=code
        )

    def _file(self, file: object) -> FileObject:
        """Return the file; the SDK hands on whatever came with status 200."""
        if not isinstance(file, FileObject) or not isinstance(file.id, str):
            raise self._error("an answer that is no file")
        return file

    def _job(self, job: object) -> JobState:
        """Return the job; the SDK hands on whatever came with status 200, such as the page of a proxy.

        Raises:
            ProviderError: it is no job; it may have been created all the same.
        """
        if not isinstance(job, FineTuningJob) or not isinstance(job.id, str):
            raise self._error("an answer that is no job")
        return self._told(job.to_dict(warnings=False))

    def _told(self, said: Mapping[str, Any]) -> JobState:
        return shapes.job(said, self._statuses, self._address[1])


@cache
def _trusted() -> "SSLContext":
    """Return the trusted certificates, read once: every client would take 20 ms and 0.8 MB for its own."""
    return httpx2.create_ssl_context()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the provider wants to be left alone: a number of them, or a time (RFC 9110, 10.2.3)."""
    said = headers.get("retry-after", "")
    try:
        return max(float(said), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError):
        return None


def _json(text: str) -> Any:
    """Return the JSON value of a text, None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _completion(told: Mapping[str, Any], raw: str, latency_seconds: float) -> Completion:
    """Return the completion that a response tells; not by way of the SDK's types, which take longer than all the rest.

    Raises:
        TypeError, LookupError, AttributeError: it tells none.
    """
    choice, usage = told["choices"][0], told.get("usage") or {}
    message = choice["message"]
    called = [each for each in message.get("tool_calls") or () if each.get("type", "function") == "function"]
    return Completion(
        content=_whole_letters(_text(message.get("content"))),
        finish_reason=choice.get("finish_reason") or "stop",
        latency_seconds=latency_seconds,
        prompt_tokens=usage.get("prompt_tokens") or 0,
        completion_tokens=usage.get("completion_tokens") or 0,
        tool_calls=tuple(_called(each.get("id"), **each["function"]) for each in called),
        likelihood=_likelihood(choice.get("logprobs")),
        raw=raw,
    )


def _likelihood(told: Any) -> Likelihood | None:
    """Return how sure the model was, None where that is not told, or in another form than OpenAI's."""
    try:
        return Likelihood.of(told["content"] or ()) if told else None
    except (TypeError, LookupError, AttributeError):
        return None


def _text(content: str | list[Mapping[str, Any]] | None) -> str:
    """Return the text of a message, which some give in parts."""
    return "".join(part.get("text") or "" for part in content) if isinstance(content, list) else content or ""


def _called(call_id: object, *, name: str | None = None, arguments: str | None = None, **_: object) -> ToolCall:
    return ToolCall(str(call_id or ""), _whole_letters(name or ""), _whole_letters(arguments or ""))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _whole_letters(text: str) -> str:
    """Return the text with halves of surrogate pairs replaced: an answer cut at its limit may end in one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
