"""The routes as the `openai` SDK calls them, under /v1.

Owns which path does what. Bodies are checked in wire.py, records kept by state.py, jobs run
and answers made by what engine.py describes.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ftbuild.embedded import chat, wire
from ftbuild.embedded.embeddings import embedding_request, embeddings
from ftbuild.embedded.engine import Answerer, JobQueue
from ftbuild.embedded.forms import read_form
from ftbuild.embedded.state import Record, State, remove
from ftbuild.embedded.streaming import streamed
from ftbuild.embedded.weights import Base
from ftbuild.embedded.wire import ApiError

MB = 1024 * 1024
FILE_AT_MOST, JSON_AT_MOST = 512, 64  # MB of a body
PATIENCE_SECONDS = 60.0  # for the next piece of a body
Answered = TypeVar("Answered")
PURPOSES = ("fine-tune", "assistants", "batch", "vision", "user_data")


@dataclass(frozen=True)
class Service:
    """What the routes act on; one that `rehearses` takes jobs worded for other providers.

    `patience_seconds` is how long it waits for the next piece of a body.
    """

    state: State
    jobs: JobQueue
    answerer: Answerer
    rehearses: bool = False
    patience_seconds: float = PATIENCE_SECONDS

    def a_file(self, file_id: str) -> Record:
        """Return the file's record, or answer 404."""
        if record := self.state.file(file_id):
            return record
        raise ApiError(f"No such File object: {file_id}", status=404, param="id")

    def a_job(self, job_id: str) -> Record:
        """Return the job's record, or answer 404."""
        if record := self.state.job(job_id):
            return record
        message = f"Could not find fine tune: {job_id}"
        raise ApiError(message, status=404, param="fine_tune_id", code="fine_tune_not_found")


def application(service: Service) -> Starlette:
    """Return the application of the service's routes; every answer that is not 2xx has OpenAI's shape."""

    def route(path: str, method: str, answer: Callable[[Service, Request], Awaitable[Response]]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await answer(service, request)

        return Route(f"/v1{path}", endpoint, methods=[method])

    return Starlette(
        routes=[
            route("/files", "POST", create_file),
            route("/files", "GET", list_files),
            route("/files/{id}", "GET", retrieve_file),
            route("/files/{id}", "DELETE", delete_file),
            route("/files/{id}/content", "GET", file_content),
            route("/fine_tuning/jobs", "POST", create_job),
            route("/fine_tuning/jobs", "GET", list_jobs),
            route("/fine_tuning/jobs/{id}", "GET", retrieve_job),
            route("/fine_tuning/jobs/{id}/cancel", "POST", cancel_job),
            route("/fine_tuning/jobs/{id}/pause", "POST", pause_job),
            route("/fine_tuning/jobs/{id}/resume", "POST", resume_job),
            route("/fine_tuning/jobs/{id}/events", "GET", list_events),
            route("/fine_tuning/jobs/{id}/checkpoints", "GET", list_checkpoints),
            route("/models", "GET", list_models),
            route("/models/{id:path}", "GET", retrieve_model),
            route("/models/{id:path}", "DELETE", delete_model),
            route("/chat/completions", "POST", create_completion),
            route("/embeddings", "POST", create_embeddings),
        ],
        exception_handlers={
            ApiError: _refused,
            HTTPException: _not_found,
            RecursionError: _too_deep,
            ClientDisconnect: _broken_off,
            Exception: _our_bug,
        },
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status)


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = ApiError(f"Invalid URL ({request.method} {request.url.path})", status=error.status_code)
    return JSONResponse(refusal.body, error.status_code)


async def _too_deep(_: Request, _error: Exception) -> Response:
    refusal = ApiError("The body is nested too deeply.", code="invalid_value")
    return JSONResponse(refusal.body, refusal.status)


async def _broken_off(_: Request, _error: Exception) -> Response:
    """Nobody hears it; without an answer the log would hold a traceback."""
    refusal = ApiError("The body breaks off.", code="invalid_value")
    return JSONResponse(refusal.body, refusal.status)


async def _our_bug(_: Request, error: Exception) -> Response:
    refusal = ApiError(f"The server had an error: {type(error).__name__}: {error}", status=500, kind="server_error")
    return JSONResponse(refusal.body, 500)


async def _body(request: Request, most: int, patience_seconds: float) -> bytes:
    chunks, size = [], 0
    try:
        async with asyncio.timeout(patience_seconds) as limit:
            async for chunk in request.stream():
                size += len(chunk)
                if size > most * MB:
                    raise ApiError(f"The body is larger than {most} MB.", status=413)
                chunks.append(chunk)
                limit.reschedule(asyncio.get_running_loop().time() + patience_seconds)
    except TimeoutError as error:
        message = f"Request timed out: nothing came of the body for {patience_seconds:g} seconds."
        raise ApiError(message, status=408) from error
    return b"".join(chunks)


async def _json(service: Service, request: Request) -> Any:
    try:
        value = json.loads(await _body(request, JSON_AT_MOST, service.patience_seconds), parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
        return value
    except ValueError as error:
        raise ApiError(f"The body is not JSON: {error}") from error


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# --- files --------------------------------------------------------------------------------------


async def create_file(service: Service, request: Request) -> Response:
    """POST /files."""
    body = await _body(request, FILE_AT_MOST, service.patience_seconds)
    form = await run_in_threadpool(read_form, request.headers.get("content-type", ""), body)
    if form is None or "file" not in form:
        raise ApiError("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
    unknown = sorted(form.keys() - {"file", "purpose"})
    if unknown and not service.rehearses:
        raise ApiError(f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")
    purpose = form["purpose"].content.decode("utf-8", "replace") if "purpose" in form else ""
    if purpose not in PURPOSES:
        raise ApiError(f"Invalid purpose: {purpose!r}.", param="purpose", code="invalid_value")
    file = form["file"]
    if not file.content:
        raise ApiError("File is empty.", param="file", code="invalid_value")
    record = await run_in_threadpool(service.state.add_file, file.filename, purpose, file.content)
    return JSONResponse(wire.public(record))


async def list_files(service: Service, request: Request) -> Response:
    """GET /files."""
    files = service.state.files()
    if purpose := request.query_params.get("purpose"):
        files = [file for file in files if file["purpose"] == purpose]
    if request.query_params.get("order") == "asc":
        files.reverse()
    return JSONResponse(wire.page(files, request.query_params, 10_000))


async def retrieve_file(service: Service, request: Request) -> Response:
    """GET /files/{id}."""
    return JSONResponse(wire.public(service.a_file(request.path_params["id"])))


async def file_content(service: Service, request: Request) -> Response:
    """GET /files/{id}/content."""
    file = service.a_file(request.path_params["id"])
    return Response(service.state.content(file["id"]), media_type="application/octet-stream")


async def delete_file(service: Service, request: Request) -> Response:
    """DELETE /files/{id}."""
    file = service.a_file(request.path_params["id"])
    service.state.delete_file(file["id"])
    return JSONResponse({"id": file["id"], "object": "file", "deleted": True})


# --- jobs ---------------------------------------------------------------------------------------


async def create_job(service: Service, request: Request) -> Response:
    """POST /fine_tuning/jobs."""
    asked = wire.job_request(await _json(service, request), rehearses=service.rehearses)
    if service.state.model(asked.model) is None:
        raise ApiError(
            f"Model {asked.model} is not available for fine-tuning or does not exist.",
            param="model",
            code="model_not_available",
        )
    for name in ("training_file", "validation_file"):
        if file_id := getattr(asked, name):
            file = service.state.file(file_id)
            if file is None or file["purpose"] != "fine-tune":
                why = "does not exist" if file is None else f"has purpose {file['purpose']!r}, not 'fine-tune'"
                raise ApiError(f"invalid {name}: {file_id} {why}", param=name, code="invalid_file")
    job = wire.job_record(asked, secrets.randbelow(2**31) if asked.seed is None else asked.seed)
    await run_in_threadpool(service.jobs.add, job)
    return JSONResponse(wire.public(job))


async def list_jobs(service: Service, request: Request) -> Response:
    """GET /fine_tuning/jobs, newest first."""
    jobs = wire.with_metadata(service.state.jobs(), request.query_params)
    return JSONResponse(wire.page(jobs, request.query_params, 20))


async def retrieve_job(service: Service, request: Request) -> Response:
    """GET /fine_tuning/jobs/{id}."""
    return JSONResponse(wire.public(service.a_job(request.path_params["id"])))


async def cancel_job(service: Service, request: Request) -> Response:
    """POST /fine_tuning/jobs/{id}/cancel; answers when the job has ended."""
    return await _steered(service, request, service.jobs.cancel)


async def pause_job(service: Service, request: Request) -> Response:
    """POST /fine_tuning/jobs/{id}/pause; answers when the job stands still."""
    return await _steered(service, request, service.jobs.pause)


async def resume_job(service: Service, request: Request) -> Response:
    """POST /fine_tuning/jobs/{id}/resume; answers when the job is in the queue again."""
    return await _steered(service, request, service.jobs.resume)


async def _steered(service: Service, request: Request, steer: Callable[[str], bool]) -> Response:
    job = service.a_job(request.path_params["id"])
    if not await run_in_threadpool(steer, job["id"]):
        raise ApiError(f"Job has already completed: {job['id']}", param="fine_tune_id", code="invalid_value")
    return JSONResponse(wire.public(service.a_job(job["id"])))


async def list_events(service: Service, request: Request) -> Response:
    """GET /fine_tuning/jobs/{id}/events, newest first."""
    job = service.a_job(request.path_params["id"])
    return JSONResponse(wire.page(service.state.events(job["id"])[::-1], request.query_params, 20))


async def list_checkpoints(service: Service, request: Request) -> Response:
    """GET /fine_tuning/jobs/{id}/checkpoints, newest first."""
    job = service.a_job(request.path_params["id"])
    return JSONResponse(wire.page(job["_checkpoints"][::-1], request.query_params, 10))


# --- models and completions ---------------------------------------------------------------------


def _models(service: Service) -> dict[str, Record]:
    found = {
        base.model: {"id": base.model, "object": "model", "created": 0, "owned_by": "ftbuild"}
        for base in service.state.bases()
    }
    for name, (job, _) in service.state.tuned().items():
        found[name] = {"id": name, "object": "model", "created": job["created_at"], "owned_by": job["organization_id"]}
    return found


def _no_model(name: str) -> ApiError:
    return ApiError(f"The model `{name}` does not exist", status=404, param="model", code="model_not_found")


async def list_models(service: Service, _: Request) -> Response:
    """GET /models."""
    return JSONResponse({"object": "list", "data": list(_models(service).values())})


async def retrieve_model(service: Service, request: Request) -> Response:
    """GET /models/{id}."""
    if record := _models(service).get(request.path_params["id"]):
        return JSONResponse(record)
    raise _no_model(request.path_params["id"])


async def delete_model(service: Service, request: Request) -> Response:
    """DELETE /models/{id}, of a fine-tuned model."""
    name = request.path_params["id"]
    if name not in (tuned := service.state.tuned()):
        if service.state.base(name):
            raise ApiError(f"The model `{name}` is a base model and cannot be deleted", status=403, param="model")
        raise _no_model(name)
    await run_in_threadpool(remove, tuned[name][1])
    return JSONResponse({"id": name, "object": "model", "deleted": True})


def _to_ask(service: Service, name: str) -> tuple[Base, Path | None]:
    """Return the base model and the adapters that answer for a model, or answer 404."""
    if (found := service.state.model(name)) is None:
        raise _no_model(name)
    return found


@contextmanager
def _while_it_lasts(service: Service, name: str) -> Iterator[None]:
    """Answer 404 where a model goes between the question and its turn: a checkpoint that is no longer kept, say."""
    try:
        yield
    except FileNotFoundError:
        _to_ask(service, name)
        raise


async def _while_heard(request: Request, coming: "Future[Answered]") -> Answered:
    """Return what is to come; it is cancelled where nobody waits for it any more.

    Raises:
        ClientDisconnect: who asked has gone.
    """
    answer, gone = asyncio.wrap_future(coming), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise ClientDisconnect
    finally:
        gone.cancel()
        answer.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def create_completion(service: Service, request: Request) -> Response:
    """POST /chat/completions."""
    asked = chat.chat_request(await _json(service, request), rehearses=service.rehearses)
    base, adapters = _to_ask(service, asked.model)
    with _while_it_lasts(service, asked.model):
        if asked.stream:
            return await streamed(service.answerer, base, adapters, asked)
        answer = await _while_heard(request, await run_in_threadpool(service.answerer.ask, base, adapters, asked))
    return JSONResponse(chat.completion(asked, answer))


async def create_embeddings(service: Service, request: Request) -> Response:
    """POST /embeddings."""
    asked = embedding_request(await _json(service, request))
    with _while_it_lasts(service, asked.model):
        found = await _while_heard(request, service.answerer.embed(*_to_ask(service, asked.model), asked))
    return JSONResponse(await run_in_threadpool(embeddings, asked, found))
