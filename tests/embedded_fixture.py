"""A running embedded server with the tiny model, driven by the real SDK."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import OpenAI
from openai.types.fine_tuning import FineTuningJob

TINY = {"id": "tiny", "package": None, "random": {"hidden_size": 32, "layers": 2, "heads": 2, "seed": 0}}
LOG = "server.log"
SYSTEM = "Say it backwards."
WORDS = ["red", "blue", "green", "one", "two", "three", "up", "down", "left", "right", "warm", "cold"]


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "FTBUILD_CACHE": str(cache), "OMP_NUM_THREADS": "1"}


def line(user: str, assistant: str) -> str:
    roles = zip(("system", "user", "assistant"), (SYSTEM, user, assistant), strict=True)
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in roles]}) + "\n"


def lines(n: int = 12) -> bytes:
    return "".join(line(word, word[::-1]) for word in (WORDS * 10)[:n]).encode()


def until(found: Callable[[], bool], seconds: float = 240) -> None:
    """Wait for another process."""
    last = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < last, "waited in vain"
        time.sleep(0.02)


@dataclass
class Running:
    state: Path
    process: "subprocess.Popen[bytes]"
    client: OpenAI
    cache: Path
    engine: str = "torch"

    def job(self, lines_: bytes, **asked: object) -> FineTuningJob:
        file = self.client.files.create(file=("train.jsonl", lines_), purpose="fine-tune")
        return self.client.fine_tuning.jobs.create(model="tiny", training_file=file.id, **asked)  # type: ignore[arg-type]

    def status(self, job_id: str) -> str:
        return self.client.fine_tuning.jobs.retrieve(job_id).status

    def ended(self, job_id: str) -> FineTuningJob:
        until(lambda: self.status(job_id) in ("succeeded", "failed", "cancelled"))
        return self.client.fine_tuning.jobs.retrieve(job_id)

    def trainer(self, job_id: str) -> int:
        return int(json.loads((self.state / "jobs" / job_id / "job.json").read_text())["_pid"])


@contextmanager
def running(
    state: Path,
    cache: Path,
    engine: str = "torch",
    model: Mapping[str, Any] = TINY,
    threads: int = 1,
    idle_seconds: int = 60,
    options: Sequence[str] = (),
) -> Iterator[Running]:
    command = [sys.executable, "-m", "ftbuild.embedded"]
    by = ["--engine", engine, "--state", str(state)]
    subprocess.run(
        [*command, "prepare", *by, "--model", json.dumps(model)],
        env=environment(cache),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    serving = [*command, "serve", *by, "--idle-seconds", str(idle_seconds), "--threads", str(threads), *options]
    with (state / LOG).open("ab") as log:
        process = subprocess.Popen(serving, env=environment(cache), stderr=log)

    def there() -> bool:
        path = state / "server.json"
        return path.exists() and json.loads(path.read_text())["pid"] == process.pid

    try:
        until(there)
        record = json.loads((state / "server.json").read_text())
        with OpenAI(base_url=f"http://127.0.0.1:{record['port']}/v1", api_key=record["token"], max_retries=0) as client:
            yield Running(state, process, client, cache, engine)
    finally:
        process.kill()
        process.wait()
