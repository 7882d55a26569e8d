"""A loopback server that answers from a script and remembers what it was asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

LOSE = object()  # close the connection without an answer


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Stub:
    """Answers by "METHOD /path", in turn, the last one for good: (status, JSON or bytes), or LOSE."""

    url: str
    port: int
    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def said(self, route: str) -> list[Asked]:
        return [each for each in self.asked if f"{each.method} {each.path}" == route]


@contextmanager
def stub() -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            content: Any = self.rfile.read(int(self.headers.get("content-length", 0)))
            if content and self.headers.get("content-type", "").startswith("application/json"):
                content = json.loads(content)
            path = parts.path.removeprefix("/v1")
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            sent = {name.lower(): value for name, value in self.headers.items()}
            served.asked.append(Asked(self.command, path, dict(parse_qsl(parts.query)), content, token, sent))
            turns = served.answers.get(f"{self.command} {path}", [(404, {"error": {"message": "no such route"}})])
            turn = turns.pop(0) if len(turns) > 1 else turns[0]
            if turn is LOSE:
                self.close_connection = True
                return
            status, said = turn
            page = isinstance(said, bytes)
            body = said if page else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "text/html" if page else "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("retry-after-ms", "1")
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port = server.server_address[1]
    served = Stub(f"http://127.0.0.1:{port}/v1", port)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def job(id_: str = "ftjob-1", **changed: Any) -> dict[str, Any]:
    """Return a job as the API reference shows it."""
    return {
        "object": "fine_tuning.job",
        "id": id_,
        "model": "tiny",
        "created_at": 1721764800,
        "fine_tuned_model": None,
        "organization_id": "org-1",
        "result_files": [],
        "status": "queued",
        "validation_file": None,
        "training_file": "file-1",
        "hyperparameters": {"n_epochs": 1},
        "trained_tokens": None,
        "error": {},
        "seed": 7,
        "finished_at": None,
        "estimated_finish": None,
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}},
        "metadata": {"ftbuild_key": "k"},
    } | changed


def listed(*values: dict[str, Any], more: bool = False) -> tuple[int, dict[str, Any]]:
    return 200, {"object": "list", "data": list(values), "has_more": more}


def refusal(status: int, message: str, code: str | None = None) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def completion(content: str | None, **changed: object) -> dict[str, object]:
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "logprobs": None,
        "message": {"role": "assistant", "content": content},
    }
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    } | changed
