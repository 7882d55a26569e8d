"""A recorder of what the wandb package sends: as much of W&B's HTTP interface as wandb 0.31 needs. It is not W&B.

`fault` says what goes wrong: "refuses" the key, "hangs" at the first question, "dies" with the first row
of a history, from when on every connection is cut, or takes no "rows", or no "uploads".
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANGS_SECONDS = 60  # longer than any test waits


@dataclass
class Recorder:
    """What arrived: GraphQL operations with their variables, file streams of runs, uploaded files."""

    url: str = ""
    fault: str = ""
    dead: bool = False
    operations: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    streams: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [variables for name, variables in self.operations if name == operation]

    def history(self, run_id: str) -> list[dict[str, Any]]:
        found = []
        for path, body in self.streams:
            if f"/{run_id}/" in path:
                lines = (body.get("files") or {}).get("wandb-history.jsonl", {}).get("content", [])
                found += [json.loads(line) for line in lines]
        return found

    def exit_codes(self) -> list[int]:
        return [body["exitcode"] for _, body in self.streams if body.get("complete")]

    def answer(self, operation: str, variables: dict[str, Any]) -> Any:
        """Return the data of an answer, as far as wandb reads it."""
        run = {
            "id": "cnVu",
            "name": variables.get("name"),
            "displayName": variables.get("displayName"),
            "description": None,
            "config": None,
            "sweepName": None,
            "project": {"id": "cA==", "name": variables.get("project"), "entity": {"id": "ZQ==", "name": "people"}},
            "historyLineCount": 0,
        }
        artifact = {"id": f"QXJ0-{len(self.operations)}", "state": "PENDING", "artifactSequence": None}
        if operation == "Viewer":
            return {"viewer": {"id": "dg==", "entity": "people", "username": "people", "flags": "{}", "teams": None}}
        if operation == "RunResumeStatus":
            return {"model": self._known(variables["name"])}
        if operation == "UpsertBucket":
            return {"upsertBucket": {"bucket": run, "inserted": True}}
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": f"{self.url}/up/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "cnVu", "uploadHeaders": [], "files": files}}
        if operation == "CreateArtifact":
            sequence = {"id": "c2Vx", "latestArtifact": None}
            return {"createArtifact": {"artifact": {**artifact, "artifactSequence": sequence}}}
        if operation == "CreateArtifactManifest":
            file = {"id": "Zg==", "name": "m", "displayName": "m", "uploadUrl": f"{self.url}/up/manifest"}
            manifest = {"id": "bQ==", "file": {**file, "uploadHeaders": []}}
            return {"createArtifactManifest": {"artifactManifest": manifest}}
        if operation == "CreateArtifactFiles":
            specs = variables.get("artifactFiles") or variables["input"]["artifactFiles"]
            nodes = [self._file(each) for each in specs]
            return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
        if operation == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": variables["artifactID"], "digest": ""}}}
        if operation == "ArtifactType":
            return {"project": {"artifact": None}}
        return {}

    def _known(self, run_id: str) -> dict[str, Any] | None:
        """Return what is known of a run that is to go on, as far as wandb reads it; None of a new one."""
        rows = self.history(run_id)
        if not rows:
            return None
        lines = {"logLineCount": 0, "eventsLineCount": 0, "historyLineCount": len(rows)}
        tails = {"eventsTail": "[]", "historyTail": json.dumps([json.dumps(rows[-1])])}
        said = {"config": "{}", "tags": [], "wandbConfig": json.dumps({"t": 1}), "summaryMetrics": "{}"}
        bucket = {"id": "cnVu", "name": run_id, "displayName": run_id, **lines, **tails, **said}
        return {"id": "cA==", "name": "p", "entity": {"id": "ZQ==", "name": "people"}, "bucket": bucket}

    def _file(self, spec: dict[str, Any]) -> dict[str, Any]:
        file = {"id": "Zg==", "name": spec["name"], "displayName": spec["name"], "uploadHeaders": []}
        place = {"uploadUrl": f"{self.url}/up/{spec['name']}", "storagePath": None, "uploadMultipartUrls": None}
        return {**file, **place, "artifact": {"id": spec["artifactID"]}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder

    def do_POST(self) -> None:
        self._take()

    do_GET = do_PUT = do_POST  # noqa: N815 - names of http.server

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        recorder = self.recorder
        recorder.keys.add(self.headers.get("Authorization", ""))
        if recorder.fault == "hangs":
            recorder.released.wait(HANGS_SECONDS)
        if recorder.fault == "dies" and "wandb-history" in body.decode(errors="replace"):
            recorder.dead = True
        if recorder.dead or recorder.fault == "hangs":
            self.close_connection = True
            self.connection.close()
            return
        if recorder.fault == "refuses":
            self._give(401, {"errors": [{"message": "user is not logged in"}]})
        elif {"rows": "/file_stream", "uploads": "/up/"}.get(recorder.fault, "/nothing") in self.path:
            self._give(403, {})
        elif self.path == "/graphql":
            self._give(200, {"data": self._operation(json.loads(body))})
        elif self.path.endswith("/file_stream"):
            recorder.streams.append((self.path, json.loads(body)))
            self._give(200, {"exitcode": None, "limits": {}})
        elif self.path.startswith("/up/"):
            recorder.uploads[self.path.removeprefix("/up/")] = body
            self._give(200, {})
        else:
            self._give(404, {})

    def _operation(self, asked: dict[str, Any]) -> Any:
        found = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
        name = asked.get("operationName") or (found.group(1) if found else "")
        variables = asked.get("variables") or {}
        self.recorder.operations.append((name, variables))
        return self.recorder.answer(name, variables)

    def _give(self, status: int, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the connections that a fault cuts, and those of a client that has gone."""


@contextmanager
def recording(fault: str = "") -> Iterator[Recorder]:
    """Run a recorder on this machine."""
    recorder = Recorder(fault=fault)
    handler = type("Handler", (_Handler,), {"recorder": recorder})
    with _Server(("127.0.0.1", 0), handler) as server:
        recorder.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield recorder
        finally:
            recorder.released.set()
            server.shutdown()
            thread.join()
