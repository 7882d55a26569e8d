"""A project folder of its own, in which `ftbuild` runs as people run it: the command line, in a child process."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded_fixture import until

from ftbuild.providers.embedded import Address, running

HANGS_SECONDS = 300  # a guard against a hang, not a limit
# What a model that answers nonsense says need not be long.
TINY = ("+experiment=tone_formal", "model=tiny", "request.max_completion_tokens=8")


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


class Client:
    """A command under way, in a session of its own, its output in files."""

    def __init__(self, process: "subprocess.Popen[bytes]", out: Path, err: Path) -> None:
        self.process, self._out, self._err = process, out, err

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def out(self) -> str:
        return self._out.read_text()

    def interrupt(self) -> None:
        """Do what a terminal does on Ctrl-C: the signal goes to every process of the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ended(self) -> Ended:
        code = self.process.wait(HANGS_SECONDS)
        return Ended(code, self._out.read_text(), self._err.read_text())


@dataclass(frozen=True)
class Project:
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **environment: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "ftbuild", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGS_SECONDS,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> Client:
        number = len(list(self.folder.glob("*.err")))
        out, err = self.folder / f"{number}.out", self.folder / f"{number}.err"
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a child would inherit it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                [sys.executable, "-m", "ftbuild", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
                start_new_session=True,
            )
        return Client(process, out, err)

    def store(self, *, smoke: bool = False) -> "Store":
        return Store(self.folder / "outputs" / ("smoke/.ftbuild" if smoke else ".ftbuild"))

    def run_json(self, path: str = "outputs/runs/latest") -> dict[str, Any]:
        return json.loads((self.folder / path / "run.json").read_bytes())  # type: ignore[no-any-return]

    def runs(self, path: str = "outputs/runs") -> list[str]:
        return sorted(each.name for each in (self.folder / path).iterdir() if not each.is_symlink())


@dataclass(frozen=True)
class Store:
    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "embedded"

    def requests(self) -> list[str]:
        """Return the requests the server answered: method, path, status."""
        return [line.split(" ", 1)[1] for line in (self.state / "requests.log").read_text().splitlines()]

    def creates(self) -> list[str]:
        return [each for each in self.requests() if each.startswith("POST /v1/fine_tuning/jobs ")]

    def job_ids(self) -> list[str]:
        return sorted(each.name for each in (self.state / "jobs").iterdir())

    def job(self, job_id: str) -> dict[str, Any]:
        return json.loads((self.state / "jobs" / job_id / "job.json").read_bytes())  # type: ignore[no-any-return]

    def events(self, job_id: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.state / "jobs" / job_id / "events.jsonl").read_text().splitlines()]

    def steps(self, job_id: str) -> list[int]:
        """Return the steps that the events of a job tell of, in their order."""
        return [each["data"]["step"] for each in self.events(job_id) if each["type"] == "metrics"]

    def training(self, client: Client) -> str:
        """Wait until the job that `client` launches is in mid-training and our journal knows it; return its id."""

        def steps() -> str | None:
            for path in self.state.glob("jobs/*/events.jsonl"):
                known = [line for line in self.journal() if f'"{path.parent.name}"' in line]
                if known and path.read_text().count('"metrics"') >= 3:
                    return path.parent.name
            return None

        until(lambda: steps() is not None or client.process.poll() is not None, HANGS_SECONDS)
        found = steps()
        assert found is not None, client.err
        assert self.job(found)["status"] == "running"
        return found

    def journal(self) -> list[str]:
        return [line for path in (self.folder / "ledger").glob("*.jsonl") for line in path.read_text().splitlines()]

    def server(self) -> Address | None:
        return running(self.state)

    def kill_server(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.server() is not None:
            os.kill(json.loads((self.state / "server.json").read_bytes())["pid"], number)
            until(lambda: self.server() is None)


@contextmanager
def project_in(folder: Path, cache: Path) -> Iterator[Project]:
    """Give a project; at the end stop the servers of its stores."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {key: value for key, value in os.environ.items() if not re.match(r"FTBUILD_|COLUMNS|LINES", key)}
    found = Project(folder, {**named, "FTBUILD_CACHE": str(cache), "OMP_NUM_THREADS": "1"})
    try:
        yield found
    finally:
        for smoke in (False, True):
            found.store(smoke=smoke).kill_server(signal.SIGTERM)
