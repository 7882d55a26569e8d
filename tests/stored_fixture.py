"""A loopback server that keeps chat completions: its two lists by cursor, and what goes wrong on the way.

What it gives is what OpenAI's own types take, strictly. Only the role of a message is not: the type of a stored message
knows none but assistant, where the reference shows user. `tools` come beside the typed fields, as the reference shows.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openai.types.chat import ChatCompletion, ChatCompletionStoreMessage

KEY = "sk-canary-0123456789abcdef"
DROPPED = "dropped"  # half an answer, then nothing
PATH = "/v1/chat/completions"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "How warm it is.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "A city."}},
            "required": ["city"],
        },
    },
}


@dataclass
class Kept:
    """The server: `completions` oldest first, and what happens to the requests to come.

    `faults` are taken in turn by requests whose path ends with the first of the pair: a status, or DROPPED.
    `overlap` is how far a page goes back behind its cursor; `meanwhile` runs after each page of completions.
    """

    url: str
    completions: list[dict[str, Any]] = field(default_factory=list)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    faults: list[tuple[str, int | str]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    page: int = 3
    overlap: int = 0
    meanwhile: Callable[[str], None] = lambda _path: None

    def store(self, n: int, created: int = 1_750_000_000, model: str = "gpt-4.1-mini", **metadata: str) -> list[str]:
        """Keep some more, one a second."""
        first = len(self.completions)
        for number in range(first, first + n):
            completion, messages = one(f"chatcmpl-{number}", created + number, model, metadata, f"{number}")
            self.completions.append(completion)
            self.messages[completion["id"]] = messages
        return [each["id"] for each in self.completions[first:]]

    def forget(self, id_: str) -> None:
        self.completions = [each for each in self.completions if each["id"] != id_]
        self.messages.pop(id_, None)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


def one(id_: str, created: int, model: str, metadata: dict[str, str], said: str) -> tuple[dict[str, Any], list[Any]]:
    """Return a completion and its messages."""
    answer = {"role": "assistant", "content": f"It is {said} \u5ea6.", "refusal": None}
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": answer}
    typed = {"id": id_, "object": "chat.completion", "created": created, "model": model, "choices": [choice]}
    ChatCompletion.model_validate(typed | {"metadata": metadata}, strict=True)
    texts = [("system", "Help."), ("user", f"How warm is {said}?")]
    messages = [
        {"id": f"{id_}-{number}", "role": role, "content": content, "refusal": None, "content_parts": None}
        for number, (role, content) in enumerate(texts)
    ]
    for each in messages:
        ChatCompletionStoreMessage.model_validate(each | {"role": "assistant"}, strict=True)
    return typed | {"metadata": metadata, "tools": [WEATHER], "tool_choice": None}, messages


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Keeping"

    def do_GET(self) -> None:
        kept, parts = self.server.kept, urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        path = parts.path.removeprefix(PATH)
        kept.asked.append((path, query))
        kept.meanwhile(path)
        fault = next((each for each in kept.faults if path.endswith(each[0])), None)
        said = self.headers.get("authorization", "").removeprefix("Bearer ")
        if said != self.server.token:
            self._send(401, {"error": {"message": f"Incorrect API key provided: {said}."}})
        elif fault is not None:
            kept.faults.remove(fault)
            self._fail(fault[1])
        elif not path and parts.path == PATH:
            self._send(200, self._completions(query))
        elif path.endswith("/messages") and (id_ := path.split("/")[1]) in kept.messages:
            self._send(200, _page(kept.messages[id_], query, kept.page))
        elif found := [each for each in kept.completions if path == f"/{each['id']}"]:
            self._send(200, found[0])
        else:
            self._send(404, {"error": {"message": "no such route"}})

    def _completions(self, query: dict[str, str]) -> dict[str, Any]:
        wanted = {key[9:-1]: value for key, value in query.items() if key.startswith("metadata[")}
        kept = self.server.kept
        found = [
            each
            for each in kept.completions
            if each["model"] == query.get("model", each["model"]) and wanted.items() <= each["metadata"].items()
        ]
        return _page(found, query, kept.page, kept.overlap)

    def _fail(self, fault: int | str) -> None:
        if isinstance(fault, int):
            self._send(fault, {"error": {"message": "not now"}})
            return
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "1000")
        self.end_headers()
        self.wfile.write(b'{"object": "list", "data": [')
        self.close_connection = True

    def _send(self, status: int, said: Any) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if status >= 400:
            self.send_header("retry-after", "0.01")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


def _page(listed: list[dict[str, Any]], query: dict[str, str], page: int, overlap: int = 0) -> dict[str, Any]:
    assert query["order"] == "asc"
    ids = [each["id"] for each in listed]
    start = max(0, ids.index(query["after"]) + 1 - overlap) if "after" in query else 0
    size = min(page, int(query["limit"]))
    return {"object": "list", "data": listed[start : start + size], "has_more": start + size < len(listed)}


class Keeping(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.token, self.kept = token, Kept(f"http://127.0.0.1:{self.server_address[1]}/v1")


@contextmanager
def keeping(token: str = KEY) -> Iterator[Kept]:
    server = Keeping(token)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
