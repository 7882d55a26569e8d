"""A connection to a provider; to our own server one that survives the death of the server.

Wraps the wire client: when a read gets no answer from our own server, or the answer of another one (401), the
server is started again and the read repeated once. A create is never repeated.
"""

import threading
from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ftbuild.chat import Message
from ftbuild.completion import Completion
from ftbuild.errors import FtbuildError, ProviderError
from ftbuild.ledger.port import JobEvent, JobRequest, JobState
from ftbuild.providers import embedded, hosted
from ftbuild.settings import Model, Provider
from ftbuild.world import World

if TYPE_CHECKING:
    from ftbuild.providers.wire import WireClient

T = TypeVar("T")


class _Gate:
    """Lets one connection at a time make the model ready and start the server."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.prepared = False
        self.refused: FtbuildError | None = None


class Connection:
    """The provider of the settings, connected to on first use. Implements JobProvider, Completer and Embedder.

    `aside` is entered while another process talks on our terminal: the one that fetches a model. One that is `hurried`
    asks everything once and does not wait long. `ray` is the cluster on which our own server trains if it is started.
    """

    def __init__(
        self,
        provider: Provider,
        model: Model | None,
        world: World,
        aside: Callable[[], AbstractContextManager[None]] = nullcontext,
        *,
        hurried: bool = False,
        ray: str | None = None,
    ) -> None:
        self._provider = provider
        self._model = model
        self._world = world
        self._aside = aside
        self._hurried = hurried
        self._ray = ray
        self._is_ours = provider.is_ours
        self._client: WireClient | None = None
        self._gate = _Gate()

    def branch(self) -> "Connection":
        """Return a connection of its own to the same provider, for another thread; the model is made ready once."""
        other = Connection(self._provider, self._model, self._world, self._aside, hurried=self._hurried, ray=self._ray)
        other._gate = self._gate
        return other

    def upload(self, path: Path, name: str) -> str:
        """Send a training file."""
        return self._again(lambda client: client.upload(path, name))

    def has_file(self, file_id: str) -> bool:
        """Return whether a file sent before is still there and can be used."""
        return self._again(lambda client: client.has_file(file_id))

    def file_content(self, file_id: str) -> bytes:
        """Return the bytes of a file, as the provider gives them."""
        return self._again(lambda client: client.file_content(file_id))

    def create_job(self, request: JobRequest) -> JobState:
        """Create a job with one POST, never repeated."""
        return self._connected().create_job(request)

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:
        """Return the jobs that carry `metadata`, and those of which no metadata is told, oldest first."""
        return self._again(lambda client: client.find_jobs(metadata))

    def retrieve_job(self, job_id: str) -> JobState:
        """Return the job as it is now."""
        return self._again(lambda client: client.retrieve_job(job_id))

    def cancel_job(self, job_id: str) -> JobState:
        """Ask for the end of a job."""
        return self._again(lambda client: client.cancel_job(job_id))

    def pause_job(self, job_id: str) -> JobState:
        """Ask a job to stand still."""
        return self._again(lambda client: client.pause_job(job_id))

    def resume_job(self, job_id: str) -> JobState:
        """Ask a paused job to go on."""
        return self._again(lambda client: client.resume_job(job_id))

    def glance_at_job(self, job_id: str) -> JobState | None:
        """Return the job as it is now, asking once and not for long; None where a server of ours does not run."""
        if self._provider.is_ours and embedded.running(embedded.state_folder(self._provider, self._world)) is None:
            return None
        return self._connected().glance_at_job(job_id)

    def job_events(self, job_id: str, known: Container[str] = ()) -> list[JobEvent]:
        """Return the events whose ids are not `known`, oldest first."""
        return self._again(lambda client: client.job_events(job_id, known))

    def job_checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        """Return the checkpoints, by step."""
        return self._again(lambda client: client.job_checkpoints(job_id))

    def shutdown_date(self, model: str) -> str | None:
        """Return when a model goes, None where the provider does not say."""
        return self._connected().shutdown_date(model)

    async def complete(self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> Completion:
        """Return the answer of `model` to the messages."""
        return await self._connected().complete(model, messages, parameters)

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, in their order."""
        return self._again(lambda client: client.embed(model, texts))

    async def stream(
        self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]
    ) -> AsyncIterator[Completion]:
        """Yield the answer of `model` as it grows; a server of ours that has stopped meanwhile is started again."""
        begun = False
        try:
            async for completion in self._connected().stream(model, messages, parameters):
                begun = True
                yield completion
        except ProviderError as error:
            if begun or not self._is_ours or error.status not in (None, 401):
                raise
            await self.close()
            async for completion in self._connected().stream(model, messages, parameters):
                yield completion

    def hang_up(self) -> None:
        """Close the connections of all that is not asynchronous; the next call opens new ones."""
        if self._client is not None:
            self._client.hang_up()
            self._client = None

    async def close(self) -> None:
        """Close all connections, in the event loop that `complete` or `stream` ran in; the next call opens new ones."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _connected(self) -> "WireClient":
        if self._client is None:
            from ftbuild.providers.wire import WireClient

            address = self._served() if self._is_ours else hosted.address(self._provider, self._world.environment)
            name = "embedded server" if self._is_ours else self._provider.title
            is_openai = self._provider.is_openai and not self._is_ours
            self._client = WireClient(
                address.base_url,
                address.api_key,
                name,
                self._provider.statuses,
                is_openai=is_openai,
                hurried=self._hurried,
            )
        return self._client

    def _served(self) -> hosted.Address:
        """Return the address of our own server, the model made ready and the server started where they are not."""
        with self._gate.lock:
            if self._model is not None and not self._gate.prepared:
                self._prepare(self._model)
            return embedded.start(self._provider, self._world, self._ray)

    def _prepare(self, model: Model) -> None:
        if self._gate.refused is not None:
            raise self._gate.refused
        try:
            with self._aside():
                embedded.prepare(self._provider, model, self._world)
        except FtbuildError as error:
            self._gate.refused = error
            raise
        self._gate.prepared = True

    def _again(self, ask: "Callable[[WireClient], T]") -> T:
        client = self._connected()
        try:
            return ask(client)
        except ProviderError as error:
            if not self._is_ours or error.status not in (None, 401):
                raise
            client.hang_up()
            self._client = None
            return ask(self._connected())
