"""A real yaml-language-server, spoken to as an editor speaks to it: over its standard input and output."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

PACKAGE = "yaml-language-server@1.25.0"
HANGS_SECONDS = 120  # a guard against a hang, not a limit


def install(folder: Path) -> Path:
    """Install the server into `folder`; return its program."""
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(folder), PACKAGE],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS_SECONDS * 3,
    )
    assert done.returncode == 0, f"npm could not install {PACKAGE}:\n{done.stdout}{done.stderr}"
    return folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"


class Editor:
    """An editor that has the folder `root` open; what `settings` says of yaml is all that the server is told."""

    def __init__(self, process: "subprocess.Popen[bytes]", root: Path, settings: Mapping[str, Any]) -> None:
        self._process, self._root = process, root
        self._yaml = {name.removeprefix("yaml."): value for name, value in settings.items()}
        self._answers: Queue[Any] = Queue()
        self._found: Queue[Any] = Queue()
        self._asked = 0
        threading.Thread(target=self._listen, daemon=True).start()
        folder = {"uri": root.as_uri(), "name": root.name}
        can = {"workspace": {"configuration": True, "workspaceFolders": True}, "textDocument": {}}
        self.ask(
            "initialize",
            {"processId": os.getpid(), "rootUri": folder["uri"], "workspaceFolders": [folder], "capabilities": can},
        )
        self._tell("initialized", {})

    def problems(self, path: str) -> list[str]:
        """Open a file; return what the server underlines: line, text and message."""
        content = (self._root / path).read_text()
        uri = self._uri(path)
        about = {"uri": uri, "languageId": "yaml", "version": 1, "text": content}
        self._tell("textDocument/didOpen", {"textDocument": about})
        while (found := self._found.get(timeout=HANGS_SECONDS))["uri"] != uri:
            pass
        lines = content.splitlines()
        return [_said(each, lines) for each in found["diagnostics"]]

    def offered(self, path: str, line: int, column: int) -> dict[str, str]:
        """Return what the server offers at a place of an open file, both counted from 0: label -> description."""
        place = {"textDocument": {"uri": self._uri(path)}, "position": {"line": line, "character": column}}
        found = self.ask("textDocument/completion", place)
        return {each["label"]: str(each.get("documentation", "")) for each in found["items"]}

    def hover(self, path: str, line: int, column: int) -> str:
        """Return what the server says about a place of an open file."""
        place = {"textDocument": {"uri": self._uri(path)}, "position": {"line": line, "character": column}}
        return str(self.ask("textDocument/hover", place)["contents"]["value"])

    def ask(self, method: str, params: Any) -> Any:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        return self._answers.get(timeout=HANGS_SECONDS)

    def _uri(self, path: str) -> str:
        return (self._root / path).as_uri()

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _listen(self) -> None:
        stream = self._process.stdout
        assert stream
        while header := stream.readline():
            size = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            self._hear(json.loads(stream.read(size)))

    def _hear(self, message: Mapping[str, Any]) -> None:
        match message.get("method"):
            case None:
                self._answers.put(message.get("result"))
            case "textDocument/publishDiagnostics":
                self._found.put(message["params"])
            case "workspace/configuration":
                items = message["params"]["items"]
                self._send({"id": message["id"], "result": [self._section(each["section"]) for each in items]})
            case _ if "id" in message:
                self._send({"id": message["id"], "result": None})

    def _section(self, name: str) -> Mapping[str, Any] | None:
        return {"schemaStore": {"enable": False}, **self._yaml} if name == "yaml" else None


@contextmanager
def editor(program: Path, root: Path) -> Iterator[Editor]:
    """Run a server for the project at `root`, with the settings of its .vscode folder."""
    settings = json.loads((root / ".vscode" / "settings.json").read_bytes())
    process = subprocess.Popen(["node", str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield Editor(process, root, settings)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()


def _said(diagnostic: Mapping[str, Any], lines: list[str]) -> str:
    start, end = diagnostic["range"]["start"], diagnostic["range"]["end"]
    text = lines[start["line"]][start["character"] : end["character"] if end["line"] == start["line"] else None]
    return f"{start['line'] + 1}: {text}: {diagnostic['message']}"
